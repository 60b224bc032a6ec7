"""What all tests of the role share; a failure shows the journal of the service."""

import json
import os

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"
PACKAGES = ("intranet", "libintranet")
BACKUP = "/var/backups/wavegate/molecule/intranet"


@pytest.fixture(autouse=True, scope="session")
def _hosts_are_there():
    """Fail where there is no host: a run over zero hosts would be green."""
    assert len(AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_hosts("all")) > 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    host = getattr(item, "funcargs", {}).get("host")
    if report.when == "call" and report.failed and host is not None:
        journal = host.run("journalctl --no-pager -n 30 -u intranet").stdout
        report.sections.append(("journal of the service", journal))
    return report


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
