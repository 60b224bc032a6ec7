"""What backup and patch promise."""

import json

import pytest

ROOT = "/var/backups/wavegate"


def test_the_package_moved(chrony):
    assert chrony.endswith("+wavegate1")


def test_the_clock_is_looked_after(host, has_clock):
    assert host.service("chrony").is_running == has_clock


def test_the_record_has_the_version_before(host, chrony):
    manifest = json.loads(host.file(f"{ROOT}/molecule/baseline/manifest.json").content_string)
    assert manifest["packages"]["chrony"] == chrony.removesuffix("+wavegate1")


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/molecule", f"{ROOT}/molecule/baseline-accounts"])
def test_the_backup_is_for_root_only(host, path):
    folder = host.file(path)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
