"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest

TOUCHED = [
    "/etc/prometheus",
    "/etc/wavegate-certificates.json",
    "/usr/local/lib/wavegate",
    "/var/backups/wavegate",
]


@pytest.mark.parametrize("path", TOUCHED)
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_installs_nothing(versions):
    assert set(versions.values()) == {None}
