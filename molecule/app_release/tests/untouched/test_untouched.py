"""Check mode on a virgin host says what it would do, and does nothing."""

import pytest

TOUCHED = ["/opt/hello", "/etc/hello", "/etc/systemd/system/hello.service", "/var/backups/wavegate"]


@pytest.mark.parametrize("path", TOUCHED)
def test_check_mode_writes_nothing(host, path):
    assert not host.file(path).exists


def test_check_mode_makes_no_account(host):
    assert not host.user("hello").exists
