"""What rollback promises: the host is as the backup found it."""

import json

import pytest

BACKUP = "/var/backups/wavegate/molecule/baseline"
FILES = [
    "/etc/chrony/chrony.conf",
    "/etc/ssh/authorized_keys.d/ada",
    "/etc/systemd/journald.conf.d/10-baseline.conf",
]


def test_the_package_is_back(host, chrony):
    manifest = json.loads(host.file(f"{BACKUP}/manifest.json").content_string)
    assert chrony == manifest["packages"]["chrony"]
    assert not chrony.endswith("+wavegate1")


def test_the_clock_is_looked_after(host, has_clock):
    assert host.service("chrony").is_enabled
    assert host.service("chrony").is_running == has_clock


@pytest.mark.parametrize("path", FILES)
def test_files_are_byte_for_byte_as_recorded(host, path):
    entries = json.loads(host.file(f"{BACKUP}/manifest.json").content_string)["entries"]
    file, recorded = host.file(path), entries[path]
    assert (file.sha256sum, file.uid, file.gid, file.mode) == (
        recorded["sha256"],
        recorded["uid"],
        recorded["gid"],
        recorded["mode"],
    )


def test_an_account_is_back_with_its_home(host):
    bob = host.user("bob")
    home = host.file("/home/bob")
    assert bob.shell == "/bin/sh"
    assert (home.uid, home.gid) == (bob.uid, bob.gid)


def test_an_account_of_others_stays(host):
    assert host.user("deploy").exists
    assert host.user("_chrony").exists
