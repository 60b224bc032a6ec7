"""What install promises."""

import hashlib

import pytest


def test_the_wanted_release_is_current(host):
    assert host.file("/opt/hello/current").linked_to == "/opt/hello/releases/1.0"


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("hello")
    assert service.is_running
    assert service.is_enabled


def test_it_is_well_at_that_version(answer):
    assert answer["version"] == "1.0"


def test_arguments_and_environment_arrive_as_they_were_written(answer):
    assert answer["arguments"] == ["--title", 'a "b" $HOME %d it\'s \\']
    assert answer["greeting"] == '50% "of" $HOME it\'s `x` \\'
    assert answer["token"] == hashlib.sha256(b'hush "now" $HOME \\').hexdigest()


def test_only_root_reads_the_secrets(host):
    file = host.file("/etc/hello/secrets")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o600")


def test_the_service_may_do_little(host):
    pid = host.check_output("systemctl show hello -p MainPID --value")
    lines = host.file(f"/proc/{pid}/status").content_string.splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    assert host.check_output("ps -o user= -p %s", pid) == "hello"


def test_its_system_calls_are_filtered(host):
    if host.backend.get_hostname() == "app-release-12":
        pid = host.check_output("systemctl show hello -p MainPID --value")
        assert "Seccomp:\t2" in host.file(f"/proc/{pid}/status").content_string
        unit = host.file("/etc/systemd/system/hello.service").content_string
        assert "SystemCallFilter=@system-service" in unit.splitlines()


UNSEEN = ["ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes"]


@pytest.mark.parametrize("line", UNSEEN)
def test_what_a_container_cannot_show_is_in_the_unit(host, line):
    assert line in host.file("/etc/systemd/system/hello.service").content_string.splitlines()


def test_its_releases_belong_to_root_and_its_data_to_it(host):
    assert host.check_output("find -L /opt/hello -not -user root -o -type f -perm /022") == ""
    folder = host.file("/var/lib/hello")
    assert (folder.user, folder.group) == ("hello", "hello")


def test_nothing_half_done_is_left(host):
    assert sorted(host.file("/opt/hello").listdir()) == ["current", "incoming", "releases"]
    assert host.file("/opt/hello/incoming").listdir() == []


def test_install_records_nothing(host):
    assert not host.file("/var/backups/wavegate").exists


@pytest.mark.parametrize("path", ["/etc", "/etc/systemd/system", "/opt", "/usr", "/var", "/var/lib"])
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
