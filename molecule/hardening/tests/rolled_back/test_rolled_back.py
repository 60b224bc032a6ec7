"""What rollback promises: the host is as the backup found it."""

import json

import pytest

BACKUP = "/var/backups/wavegate/molecule/hardening"
FILES = ["/etc/hardening/firewall.nft", "/etc/ssh/sshd_config.d/05-hardening.conf"]


def test_the_package_is_back(host, nftables):
    manifest = json.loads(host.file(f"{BACKUP}/manifest.json").content_string)
    assert nftables == manifest["packages"]["nftables"]
    assert not nftables.endswith("+wavegate1")


def test_the_firewall_runs_now_and_after_a_reboot(host, answers):
    assert host.service("hardening-firewall").is_running
    assert host.service("hardening-firewall").is_enabled
    assert answers(8000)
    assert not answers(9000)


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


def test_modes_are_as_recorded(host):
    assert oct(host.file("/etc/gshadow").mode) == "0o640"
