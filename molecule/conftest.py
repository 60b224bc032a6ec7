"""What the tests of all roles share. A role's own conftest names its systemd unit in the fixture `unit`."""

import os

import pytest
from testinfra.utils.ansible_runner import AnsibleRunner


@pytest.fixture(autouse=True, scope="session")
def _hosts_are_there():
    """Fail where there is no host: a run over zero hosts would be green."""
    assert len(AnsibleRunner(os.environ["MOLECULE_INVENTORY_FILE"]).get_hosts("all")) > 0


@pytest.fixture(autouse=True)
def _unit_is_known(unit):
    """Have every test know its unit, whose journal a failure shows."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    known = getattr(item, "funcargs", {})
    if report.when == "call" and report.failed and "host" in known:
        journal = known["host"].run("journalctl --no-pager -n 30 -u %s", known["unit"]).stdout
        report.sections.append(("journal of the service", journal))
    return report
