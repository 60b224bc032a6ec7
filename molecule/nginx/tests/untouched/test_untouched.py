"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest


@pytest.mark.parametrize("path", ["/etc/nginx", "/etc/systemd/system/nginx.service", "/var/backups/wavegate"])
def test_check_mode_writes_nothing(host, path):
    file = host.file(path)
    assert not file.exists
    assert not file.is_symlink


def test_check_mode_installs_nothing(versions):
    assert versions == {"nginx": None, "nginx-common": None}
