"""What all tests of the role share."""

import socket

import pytest


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "hardening-firewall"


@pytest.fixture
def sshd(host):
    """Return what sshd does, each keyword with its value."""
    rows = (line.split(" ", 1) for line in host.check_output("/usr/sbin/sshd -T").splitlines())
    return {row[0]: row[-1] for row in rows}


@pytest.fixture
def nftables(host):
    """Return the version of nftables, None where it is not installed."""
    package = host.package("nftables")
    return package.version if package.is_installed else None


@pytest.fixture
def answers(host):
    """Return whether somebody from outside gets an answer on a port of the host."""
    address = host.interface("eth0").addresses[0]

    def ask(port):
        try:
            socket.create_connection((address, port), timeout=2).close()
        except TimeoutError:
            return False
        return True

    return ask
