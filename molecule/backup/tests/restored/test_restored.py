"""What restore and verify promise."""


def test_lost_files_are_back(host):
    assert host.file("/srv/data/it's \"odd\" [1]*/fünf 50%\n").content_string == "odd\n"
    assert host.file("/srv/data/link").linked_to.endswith("nowhere at all")
    assert oct(host.file("/srv/data/empty").mode) == "0o2750"
    assert host.file("/srv/data/file 7").size == 2000


def test_spoiled_files_are_as_they_were(host):
    assert host.file("/srv/data/file 8").size == 2000
    secret = host.file("/srv/data/secret")
    assert (secret.uid, secret.gid, oct(secret.mode)) == (1, 2, "0o600")


def test_what_came_later_stays(host):
    assert host.file("/srv/data/new file").content_string == "new\n"
    assert host.file("/srv/data/cache/of no use").exists


def test_nothing_of_the_proof_is_left(host):
    assert host.check_output("find /var/tmp/wavegate-restore -mindepth 1 -not -name .lock") == ""
    assert host.run("find /srv/data /etc -name '*.wavegate-new'").stdout == ""
