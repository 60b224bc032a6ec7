"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest


@pytest.mark.parametrize("path", ["/etc/postgresql", "/var/lib/postgresql", "/var/backups/wavegate"])
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_installs_nothing(versions):
    assert set(versions.values()) == {None}
