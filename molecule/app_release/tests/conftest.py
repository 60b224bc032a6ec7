"""What all tests of the role share."""

import json

import pytest

FETCH = "import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())"


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "hello"


@pytest.fixture
def answer(host):
    """Return what the application says of itself."""
    return json.loads(host.check_output("python3 -c %s %s", FETCH, "http://127.0.0.1:8000/healthz"))


@pytest.fixture
def releases(host):
    """Return the names of the releases on the host."""
    return sorted(host.file("/opt/hello/releases").listdir())
