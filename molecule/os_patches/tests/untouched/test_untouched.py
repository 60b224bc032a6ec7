"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest

TOUCHED = ["/etc/needrestart", "/var/backups/wavegate", "/etc/apt/preferences.d/wavegate-rolled-back"]


@pytest.mark.parametrize("path", TOUCHED)
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_installs_nothing(host):
    assert not host.package("needrestart").is_installed
