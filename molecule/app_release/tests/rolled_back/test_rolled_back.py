"""What rollback promises: the release, environment and unit as recorded."""


def test_the_old_release_is_current(host):
    assert host.file("/opt/hello/current").linked_to == "/opt/hello/releases/1.0"


def test_it_is_well_with_its_old_environment(host, answer):
    assert host.service("hello").is_enabled
    assert (answer["version"], answer["greeting"]) == ("1.0", '50% "of" $HOME it\'s `x` \\')


def test_the_secrets_are_as_closed_as_before(host):
    file = host.file("/etc/hello/secrets")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o600")


def test_the_release_that_was_left_is_kept(releases):
    assert "1.1" in releases


def test_it_answered_less_than_10_seconds_after_the_switch(host):
    switched = float(host.check_output("stat -c %.6Z /opt/hello/current"))
    lines = host.check_output(
        "journalctl -u hello -o short-unix --no-pager --grep '/healthz.* 200'"
    ).splitlines()
    answered = min(float(line.split()[0]) for line in lines if float(line.split()[0]) > switched)
    print(f"{answered - switched:.1f} s")
    assert answered - switched < 10
