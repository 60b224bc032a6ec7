"""What backup and patch promise."""

import json

import pytest

ROOT = "/var/backups/wavegate"


def test_the_package_moved(nftables):
    assert nftables.endswith("+wavegate1")


def test_the_firewall_stays(answers):
    assert answers(8000)
    assert not answers(9000)


def test_the_record_has_what_was_before(host, nftables):
    manifest = json.loads(host.file(f"{ROOT}/molecule/hardening/manifest.json").content_string)
    assert manifest["packages"]["nftables"] == nftables.removesuffix("+wavegate1")
    assert manifest["facts"]["modes"]["/etc/gshadow"]["mode"] == "0640"


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/molecule", f"{ROOT}/molecule/hardening"])
def test_the_backup_is_for_root_only(host, path):
    folder = host.file(path)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
