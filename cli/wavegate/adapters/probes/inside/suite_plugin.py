"""Pytest plugin inside a testinfra suite's process: which hosts there are, and what each test said of each.

Loaded by pytest, never by wavegate itself. What to do is in the file that WAVEGATE_SUITE names; a line of
JSON a test goes into the file that is named in it, as soon as the test is over.
"""

from __future__ import annotations

import configparser
import json
import os
from collections import Counter
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest
import testinfra
import testinfra.host
from testinfra.backend.ansible import AnsibleBackend
from testinfra.utils import ansible_runner

_NATIVE = ("ssh", "smart", "paramiko_ssh", "local")
_PASSWORDS = (
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_password",
    "ansible_become_password",
    "ansible_become_pass",
)
_TRUE = {"1", "true", "yes", "on", "y", "t"}
_LONGEST = 300
_PARAMETER = "_testinfra_host"


class _Work:
    """The order, and the open file of results."""

    def __init__(self) -> None:
        order = json.loads(Path(os.environ["WAVEGATE_SUITE"]).read_text(encoding="utf-8"))
        self.hosts: list[str] = order["hosts"]
        self.sockets: str = order["sockets"]
        self.inventory: dict[str, Any] = json.loads(Path(order["inventory"]).read_text(encoding="utf-8"))
        self.file = Path(order["results"]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self.ours = {name: self._make_host(name) for name in self.hosts}

    def write(self, **fields: Any) -> None:
        self.file.write(json.dumps(fields) + "\n")

    def choose(self, wanted: list[str | None]) -> list[testinfra.host.Host]:
        """Return the hosts of the order, or those of them that a module's `testinfra_hosts` names."""
        if wanted == [None]:
            return list(self.ours.values())
        runner = ansible_runner.AnsibleRunner.get_runner(None)
        named: set[str] = set()
        for one in wanted:
            named.update(runner.get_hosts(str(one).partition("://")[2].partition("?")[0] or "all"))
        return [host for name, host in self.ours.items() if name in named]

    def _make_host(self, name: str) -> testinfra.host.Host:
        variables = self.inventory.get("_meta", {}).get("hostvars", {}).get(name, {})
        forced = needs_ansible(variables)
        backend = AnsibleBackend(name, force_ansible=forced)
        if not forced:
            self._prepare(name, variables)
        return testinfra.host.Host(backend)

    def _prepare(self, name: str, variables: Mapping[str, Any]) -> None:
        """Have testinfra reach the host as Ansible would, whose settings it reads in its own way."""
        runner = ansible_runner.AnsibleRunner.get_runner(None)
        config = runner.ansible_config
        key = config.get("defaults", "private_key_file", fallback=None)
        key = os.environ.get("ANSIBLE_PRIVATE_KEY_FILE", key)
        inner = runner.get_host(name, ssh_identity_file=os.path.expanduser(key) if key else None)  # noqa: PTH111
        if inner is None:
            return
        backend = inner.backend
        backend.sudo = is_true(_setting(variables, config, "become", "False"))
        backend.sudo_user = _setting(variables, config, "become_user", "") or None
        if backend.NAME == "ssh":
            backend.controlpath = f"{self.sockets}/%%C"
            check = config.get("defaults", "host_key_checking", fallback="True")
            if not is_true(os.environ.get("ANSIBLE_HOST_KEY_CHECKING", check)):
                backend.ssh_extra_args = f"{backend.ssh_extra_args or ''} -o StrictHostKeyChecking=no".strip()


def needs_ansible(variables: Mapping[str, Any]) -> bool:
    """Return whether only Ansible itself can reach the host.

    testinfra would show a password to all who list processes, and fills in no templates.
    """
    if variables.get("ansible_connection", "ssh") not in _NATIVE:
        return True
    ways = {name: value for name, value in variables.items() if name.startswith("ansible_")}
    if any(ways.get(name) for name in _PASSWORDS) or ways.get("ansible_become_method", "sudo") != "sudo":
        return True
    return any(isinstance(value, str) and "{{" in value for value in ways.values())


def is_true(value: object) -> bool:
    """Return what Ansible takes the value for."""
    return value if isinstance(value, bool) else str(value).strip().lower() in _TRUE


def _setting(variables: Mapping[str, Any], config: configparser.ConfigParser, name: str, default: str) -> Any:
    """Return a setting of privilege escalation: the host's variable wins over what surrounds it."""
    written = config.get("privilege_escalation", name, fallback=default)
    return variables.get(f"ansible_{name}", os.environ.get(f"ANSIBLE_{name.upper()}", written))


_WORK = pytest.StashKey[_Work]()


def pytest_configure(config: pytest.Config) -> None:
    """Put the order's hosts in the place of those that testinfra would look for."""
    inventory = json.loads(Path(os.environ["WAVEGATE_SUITE"]).read_text(encoding="utf-8"))["inventory"]
    known = json.loads(Path(inventory).read_text(encoding="utf-8"))
    ansible_runner.get_ansible_inventory = lambda *_: known
    work = config.stash[_WORK] = _Work()
    testinfra.get_hosts = lambda hosts, **_: work.choose(hosts)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write down how the test ended."""
    report = yield
    is_nobodys = _PARAMETER in _parameters(item) and not _host_of(item)
    if (report.when == "call" or not report.passed) and not is_nobodys:
        result, message = _read(report, call)
        item.config.stash[_WORK].write(
            host=_host_of(item), test=_name_of(item), result=result, message=message
        )
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Write down what could not even be read."""
    if report.failed and _current is not None:
        _current.write(
            trouble=f"{report.nodeid or 'the suite'} cannot be read: {_last_line(report.longreprtext)}"
        )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down how many tests there are of each host, so that those that are through are known."""
    counts = Counter(_host_of(item) for item in session.items)
    session.config.stash[_WORK].write(planned=dict(counts))


_current: _Work | None = None


def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember where to write."""
    global _current  # noqa: PLW0603 - the hook for collecting is told of no session
    _current = session.config.stash[_WORK]


def _read(report: pytest.TestReport, call: pytest.CallInfo[None]) -> tuple[str, str]:
    if report.passed:
        return "passed", ""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
        return "skipped", str(reason).removeprefix("Skipped: ")[:_LONGEST]
    error = call.excinfo.value if call.excinfo else None
    message = " ".join(str(error).split())[:_LONGEST]
    if report.when == "call" and isinstance(error, AssertionError | pytest.fail.Exception | None):
        return "failed", message or "it was expected to fail, and passed"
    return "broken", f"{type(error).__name__}: {message}"


def _parameters(item: pytest.Item) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    return found


def _host_of(item: pytest.Item) -> str:
    """Return the host's name; "" for a test of no host, and where a module names none of ours."""
    host = _parameters(item).get(_PARAMETER)
    return str(host.backend.host) if isinstance(host, testinfra.host.Host) else ""


def _name_of(item: pytest.Item) -> str:
    """Return the test's name, with its own parameters and without the host."""
    callspec = getattr(item, "callspec", None)
    name = str(getattr(item, "originalname", item.name))
    own = [part for part in getattr(callspec, "_idlist", ()) if not str(part).startswith("ansible://")]
    return f"{name}[{'-'.join(map(str, own))}]" if own else name


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:_LONGEST] if lines else "no reason was given"
