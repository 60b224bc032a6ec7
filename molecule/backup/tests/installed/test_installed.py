"""What install and configure promise."""

import pytest


def test_the_package_is_whole(host, version):
    assert version is not None
    assert host.check_output("dpkg --audit") == ""


def test_the_repository_opens_with_the_password(snapshots):
    assert [one["hostname"] for one in snapshots if "rollout=virgin" in one["tags"]] == []


@pytest.mark.parametrize("name", ["password", "environment.json", "key", "known_hosts"])
def test_what_opens_the_repository_is_for_root_only(host, name):
    file = host.file(f"/etc/wavegate-backup/{name}")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o600")


def test_the_password_is_there_to_the_letter(host):
    assert host.file("/etc/wavegate-backup/password").content_string == "it's a \"secret\" 50%"


def test_the_password_is_in_no_log(host):
    assert host.run("journalctl -o cat | grep -F 'secret\\\\\" 50%'").stdout == ""


@pytest.mark.parametrize("path", ["/etc", "/var", "/var/lib", "/srv", "/var/tmp"])
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group) == ("root", "root")
    assert oct(folder.mode) == ("0o1777" if path == "/var/tmp" else "0o755")
