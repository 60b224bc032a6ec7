"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest

TOUCHED = [
    "/etc/wavegate-backup",
    "/var/lib/wavegate-backup",
    '/srv/the "repository"',
    "/home/deploy/repository",
]


@pytest.mark.parametrize("path", TOUCHED)
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_installs_nothing(version):
    assert version is None
