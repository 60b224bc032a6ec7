"""What all tests of the role share."""

import json

import pytest

CHANGE = "/var/backups/wavegate/molecule"


@pytest.fixture
def major(host):
    """Return the major version that this release of Debian has."""
    return {"bookworm": "15", "trixie": "17"}[host.system_info.codename]


@pytest.fixture
def unit(major):
    """Return the systemd unit of the role."""
    return f"postgresql@{major}-main"


@pytest.fixture
def names(major):
    """Return the packages that a patch moves."""
    return [f"postgresql-{major}", f"postgresql-client-{major}", "libpq5"]


@pytest.fixture
def versions(host, names):
    """Return the installed version of each package, None where it is not installed."""
    found = {name: host.package(name) for name in names}
    return {name: package.version if package.is_installed else None for name, package in found.items()}


@pytest.fixture
def ask(host):
    """Return a function that returns what a query gives, as text."""
    form = "runuser -u postgres -- psql -X -A -t -d %s -c %s"
    return lambda query, database="postgres": host.check_output(form, database, query)


@pytest.fixture
def read(host):
    """Return a function that returns what a JSON file holds."""
    return lambda path: json.loads(host.file(path).content_string)
