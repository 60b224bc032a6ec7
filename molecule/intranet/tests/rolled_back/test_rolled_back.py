"""What rollback promises: the host is as the backup found it."""

import pytest


def test_all_packages_are_back(versions):
    assert versions == {"intranet": "1.0", "libintranet": "1.0"}


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("intranet")
    assert service.is_running
    assert service.is_enabled


def test_the_service_is_well_at_the_old_version(health):
    assert health == {"version": "1.0", "library": "1.0", "state": "ok", "documents": 2}


def test_the_data_is_as_before_the_patch(titles, data):
    assert titles == ["Welcome to the intranet", "before"]
    assert "format" not in data


@pytest.mark.parametrize("path", ["/etc/intranet/intranet.conf", "/var/lib/intranet/documents.json"])
def test_files_are_byte_for_byte_as_recorded(host, manifest, path):
    file, recorded = host.file(path), manifest["entries"][path]
    assert (file.sha256sum, file.uid, file.gid, file.mode) == (
        recorded["sha256"],
        recorded["uid"],
        recorded["gid"],
        recorded["mode"],
    )
