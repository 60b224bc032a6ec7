"""What all tests of the role share."""

import pytest


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "chrony"


@pytest.fixture
def has_clock(host):
    """Return whether chrony runs on this host; the other is as containers are."""
    return host.backend.get_hostname() == "baseline-12"


@pytest.fixture
def sshd(host):
    """Return what sshd does, each keyword with its value."""
    rows = (line.split(" ", 1) for line in host.check_output("/usr/sbin/sshd -T").splitlines())
    return {row[0]: row[-1] for row in rows}


@pytest.fixture
def chrony(host):
    """Return the version of chrony, None where it is not installed."""
    package = host.package("chrony")
    return package.version if package.is_installed else None
