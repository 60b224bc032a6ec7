"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest

TOUCHED = [
    "/etc/intranet",
    "/var/lib/intranet",
    "/etc/apt/sources.list.d/intranet.sources",
    "/var/backups/wavegate",
]


@pytest.mark.parametrize("path", TOUCHED)
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_installs_nothing(versions):
    assert versions == {"intranet": None, "libintranet": None}
