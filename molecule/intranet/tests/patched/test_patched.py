"""What backup and patch promise."""

import pytest

BACKUP = "/var/backups/wavegate/molecule/intranet"


def test_all_packages_moved(versions):
    assert versions == {"intranet": "1.1", "libintranet": "1.1"}


def test_the_service_is_well_at_the_new_version(host, health):
    assert host.service("intranet").is_running
    assert (health["version"], health["library"], health["state"]) == ("1.1", "1.1", "ok")


def test_documents_are_kept_and_can_be_added(titles):
    assert titles == ["Welcome to the intranet", "before", "after"]


def test_the_new_version_changed_the_form_of_the_data(data):
    assert data["format"] == 2


def test_the_backup_recorded_the_versions_before_the_patch_and_kept_them(manifest):
    assert manifest["packages"] == {"intranet": "1.0", "libintranet": "1.0"}


@pytest.mark.parametrize("path", ["/var/backups/wavegate", "/var/backups/wavegate/molecule", BACKUP])
def test_the_backup_is_for_root_only(host, path):
    folder = host.file(path)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")


@pytest.mark.parametrize("path", ["/etc/intranet/intranet.conf", "/var/lib/intranet/documents.json"])
def test_the_backup_holds_what_its_checksums_say(host, manifest, path):
    assert host.file(f"{BACKUP}/tree{path}").sha256sum == manifest["entries"][path]["sha256"]


def test_no_half_written_backup_is_left(host):
    assert host.file(BACKUP.rpartition("/")[0]).listdir() == ["intranet"]
