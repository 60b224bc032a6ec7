"""What all tests of the role share."""

import json

import pytest

PASSWORD = "it's a \"secret\" 50%"
ETC = "/etc/wavegate-backup"
SSH = f"ssh -F /dev/null -i {ETC}/key -o UserKnownHostsFile={ETC}/known_hosts"


@pytest.fixture
def unit():
    """Return a systemd unit: the role has none, and sshd carries the snapshots of the other host."""
    return "ssh"


@pytest.fixture
def version(host):
    """Return the installed version, None where there is none."""
    package = host.package("restic")
    return package.version if package.is_installed else None


@pytest.fixture
def repository(host):
    """Return the repository of the host, and the options that reach it."""
    if host.backend.hostname == "backup-12":
        return '/srv/the "repository"', []
    address = host.check_output("cut -d ' ' -f 1 /etc/wavegate-backup/known_hosts")
    command = f"sftp.command={SSH} deploy@{address} -s sftp"
    return f"sftp:deploy@{address}:/home/deploy/repository", ["-o", command]


@pytest.fixture
def restic(host, repository):
    """Return a function that asks restic, as a person would, and returns what it says."""
    place, options = repository
    words = ["restic", *options, "-r", place, "-p", f"{ETC}/password", "--no-cache", "--no-lock"]
    return lambda question: host.check_output(" ".join(["%s"] * len(words)) + f" {question}", *words)


@pytest.fixture
def snapshots(restic):
    """Return the snapshots of the host."""
    return json.loads(restic("snapshots --json"))
