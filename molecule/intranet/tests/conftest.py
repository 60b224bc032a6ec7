"""What all tests of the role share."""

import json

import pytest

FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
PACKAGES = ("intranet", "libintranet")
BACKUP = "/var/backups/wavegate/molecule/intranet"


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "intranet"


@pytest.fixture
def fetch(host):
    """Return a function that returns what the service answers on a path."""
    return lambda path: host.check_output("python3 -c %s %s", FETCH, f"http://127.0.0.1:8080{path}")


@pytest.fixture
def health(fetch):
    """Return what the service says of itself."""
    return json.loads(fetch("/healthz"))


@pytest.fixture
def titles(fetch):
    """Return the titles of all documents, oldest first."""
    return [document["title"] for document in json.loads(fetch("/documents"))]


@pytest.fixture
def versions(host):
    """Return the installed version of each package, None where it is not installed."""
    found = {name: host.package(name) for name in PACKAGES}
    return {name: package.version if package.is_installed else None for name, package in found.items()}


@pytest.fixture
def data(host):
    """Return the data file as it lies on the host."""
    return json.loads(host.file("/var/lib/intranet/documents.json").content_string)


@pytest.fixture
def manifest(host):
    """Return what the backup says of itself."""
    return json.loads(host.file(f"{BACKUP}/manifest.json").content_string)
