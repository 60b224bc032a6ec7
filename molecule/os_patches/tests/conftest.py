"""What all tests of the role share."""

import json
import re

import pytest

RECORD = "/var/backups/wavegate/molecule/os_patches"
PENDING = re.compile(r"^Inst (\S+) \[\S+\] \(\S+ Debian-Security:", re.MULTILINE)


@pytest.fixture
def unit():
    """Return the systemd unit whose journal explains a failure: the role's own programs run under ssh."""
    return "ssh"


@pytest.fixture
def versions(host):
    """Return the version of every installed package."""
    shown = host.check_output("dpkg-query -W -f '${db:Status-Status} ${binary:Package} ${Version}\n'")
    rows = [line.split() for line in shown.splitlines()]
    return {name.removesuffix(":amd64"): version for status, name, version in rows if status == "installed"}


@pytest.fixture
def pending(host):
    """Return the packages for which a security archive has something newer."""
    return PENDING.findall(host.check_output("apt-get -s dist-upgrade"))


@pytest.fixture
def record(host):
    """Return a function that reads one file of the record."""
    return lambda name: json.loads(host.file(f"{RECORD}/{name}.json").content_string)


@pytest.fixture
def changes(record):
    """Return what the patch wrote down before it acted."""
    return record("plan")["changes"]
