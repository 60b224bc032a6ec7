"""What all tests of the role share; a failure shows the journal of the service."""

import json
import os
from pathlib import Path

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner

PROGRAM = Path(__file__).parents[3] / "roles" / "balancer" / "files" / "haproxy.py"
ASK = "python3 -c %s /run/haproxy/admin.sock /tmp/nobody-reads-this intranet servers"

testinfra_hosts = ["balancer"]


@pytest.fixture(autouse=True, scope="session")
def _hosts_are_there():
    """Fail where there is no host: a run over zero hosts would be green."""
    assert len(AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_hosts("all")) > 0


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    host = getattr(item, "funcargs", {}).get("host")
    if report.when == "call" and report.failed and host is not None:
        journal = host.run("journalctl --no-pager -n 30 -u haproxy").stdout
        report.sections.append(("journal of the service", journal))
    return report


@pytest.fixture
def servers(host):
    """Return what the balancer says of its servers."""
    return json.loads(host.check_output(ASK, PROGRAM.read_text()))["servers"]


@pytest.fixture
def answer(host):
    """Return the status that a client of the balancer gets."""
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:80/', timeout=5).status)"
    return host.run("python3 -c %s", fetch)
