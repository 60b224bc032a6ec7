"""What all tests of the role share."""

import json
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "roles" / "balancer" / "files" / "haproxy.py"
ASK = "python3 -c %s /run/haproxy/admin.sock /tmp/nobody-reads-this intranet servers"
MANIFEST = "/var/backups/wavegate/molecule/balancer/manifest.json"


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "haproxy"


@pytest.fixture
def servers(host):
    """Return what the balancer says of its servers."""
    return json.loads(host.check_output(ASK, PROGRAM.read_text()))["servers"]


@pytest.fixture
def own(servers):
    """Return what the balancer says of the server that is there."""
    (name,) = servers.keys() - {"nobody"}
    return servers[name]


@pytest.fixture
def answer(host):
    """Return the status that a client of the balancer gets."""
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:80/', timeout=5).status)"
    return host.run("python3 -c %s", fetch)


@pytest.fixture
def recorded(host):
    """Return the version that the backup recorded."""
    return json.loads(host.file(MANIFEST).content_string)["packages"]["haproxy"]
