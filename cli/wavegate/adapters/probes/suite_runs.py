"""Runs pytest-testinfra suites, in processes of their own, over the connections of Ansible's inventory."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field

from wavegate.adapters.executor.environment import (
    build_environment,
    inherited_environment,
    marker_of,
    vault_arguments,
)
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.private import make_private_folder, write_private, write_private_json
from wavegate.adapters.executor.processes import end_processes
from wavegate.adapters.executor.sockets import close_connections
from wavegate.adapters.probes.junit_files import merge_junit
from wavegate.adapters.probes.kept import keep_text
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.adapters.redact import Redactor
from wavegate.core.judgement_suite import Result, SuiteCase

PROCESSES_AT_ONCE = 8
"""Hosts are shared out to so many processes at the most: one that hangs delays only those of its share."""
_PLUGIN = "wavegate.adapters.probes.inside.suite_plugin"
_SECONDS_TO_WRITE = 3.0
"""What pytest gets to write its report, when its time is over."""
_SECONDS_TO_END = 1.0
_NOTHING_COLLECTED = 5
_ORDERLY = (0, 1, _NOTHING_COLLECTED)
INSTALL = "pip install 'wavegate[testinfra]' (it is in 'wavegate[roles]' too)"


class SuiteQuestion(Struct, frozen=True, kw_only=True):
    """A file or folder of tests, relative to the project's root; `timeout` in seconds, for all hosts at once.

    The report is kept under the names of the `probe` and of the `occasion` (`pilot after 3`).
    """

    suite: str
    probe: str
    occasion: str
    timeout: float


class SuiteAnswer(Struct, frozen=True):
    """What the tests said, and host -> why its share did not get to its end."""

    results: Sequence[SuiteCase]
    troubles: Mapping[str, str] = field(default_factory=dict)


class SuiteRunner(Protocol):
    """Runs suites; `PytestSuiteRunner` does it with pytest."""

    def run(self, hosts: Sequence[str], question: SuiteQuestion) -> SuiteAnswer:
        """Return what the suite says about exactly these hosts; raise UnusableSettingsError. Blocks."""
        ...

    def close(self) -> None:
        """End what is under way."""
        ...


def is_testinfra_installed() -> bool:
    """Return whether suites can be run here at all."""
    return (
        importlib.util.find_spec("testinfra") is not None and importlib.util.find_spec("pytest") is not None
    )


class PytestSuiteRunner:
    """Implements `SuiteRunner` for one rollout; safe to call from several threads."""

    def __init__(self, launch: Launch, runtime: Path) -> None:
        self._launch = launch
        self._runtime = runtime
        self._inventory = runtime / f"inventory-{secrets.token_hex(4)}.json"
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._shares: set[_Share] = set()
        self._closed = False

    def run(self, hosts: Sequence[str], question: SuiteQuestion) -> SuiteAnswer:
        """Return what the suite says about exactly these hosts; nothing of it lives on afterwards."""
        suite = self._launch.material / question.suite
        if not is_testinfra_installed():
            raise UnusableSettingsError(f"pytest-testinfra is not installed here: {INSTALL}")
        if not suite.exists():
            raise UnusableSettingsError(f"there is no {question.suite} in the project")
        deadline = time.monotonic() + question.timeout
        name = f"probe-{secrets.token_hex(8)}"
        folder = make_private_folder(self._runtime / name)
        try:
            if why := self._read_inventory(name, folder, deadline):
                return SuiteAnswer((), dict.fromkeys(hosts, why))
            shares = self._share_out(hosts, suite, name, folder)
            for share in shares:
                share.start()
            for share in shares:
                share.wait(deadline)
            self._keep_reports(question, shares)
            return SuiteAnswer(
                [one for share in shares for one in share.results()],
                {host: why for share in shares for host, why in share.troubles(question.timeout).items()},
            )
        finally:
            with self._lock:
                ended = [share for share in self._shares if share.name == name]
                self._shares.difference_update(ended)
            for share in ended:
                close_connections(share.sockets)
            end_processes(marker_of(self._launch.rollout_id, name), _SECONDS_TO_END)
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """End what is under way; later suites say nothing."""
        with self._lock:
            self._closed = True
            shares = list(self._shares)
        for share in shares:
            share.interrupt()

    def _share_out(self, hosts: Sequence[str], suite: Path, name: str, folder: Path) -> list[_Share]:
        number = min(len(hosts), PROCESSES_AT_ONCE)
        environment = self._environment(name, folder)
        shares = [
            _Share(
                name=name,
                hosts=tuple(hosts[first::number]),
                suite=suite,
                root=self._launch.material,
                folder=make_private_folder(folder / str(first)),
                inventory=self._inventory,
                environment=environment,
                redact=Redactor(self._launch.secrets),
            )
            for first in range(number)
        ]
        with self._lock:
            if self._closed:
                return []
            self._shares.update(shares)
        return shares

    def _environment(self, name: str, folder: Path) -> dict[str, str]:
        """Return the surroundings of a batch, without what a batch alone needs."""
        inherited = inherited_environment()
        env = inherited | build_environment(self._launch, name, BatchFolder(folder), self._runtime, inherited)
        identities = [env.get("ANSIBLE_VAULT_IDENTITY_LIST", ""), *vault_arguments(self._launch)[1::2]]
        env["ANSIBLE_VAULT_IDENTITY_LIST"] = ",".join(filter(None, identities))
        env["ANSIBLE_INVENTORY"] = ",".join(self._launch.inventory) or env.get("ANSIBLE_INVENTORY", "")
        # Only their own: a callback that notifies people must not do so for every command of a test.
        env |= {"ANSIBLE_CALLBACKS_ENABLED": "", "PYTHONDONTWRITEBYTECODE": "1"}
        left_out = {"PYTEST_ADDOPTS", "WAVEGATE_ORDER", "ANSIBLE_STDOUT_CALLBACK"}
        empty = {key for key in ("ANSIBLE_INVENTORY", "ANSIBLE_VAULT_IDENTITY_LIST") if not env[key]}
        return {key: value for key, value in env.items() if key not in left_out | empty}

    def _read_inventory(self, name: str, folder: Path, deadline: float) -> str:
        """Have Ansible write down the frozen inventory once for all suites; return why it could not."""
        with self._asking:
            if self._inventory.exists():
                return ""
            env = {**self._environment(name, folder), "ANSIBLE_VERBOSITY": "0"}
            try:
                done = subprocess.run(
                    [Path(sys.executable).with_name("ansible-inventory"), "--list"],
                    cwd=self._launch.material,
                    env=env,
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    check=False,
                    timeout=max(deadline - time.monotonic(), 0.1),
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                return f"ansible-inventory: {getattr(error, 'strerror', None) or 'it gave no answer in time'}"
            if done.returncode != 0:
                return f"ansible-inventory: {_last_line(done.stderr.decode(errors='replace'))}"
            write_private(self._inventory, done.stdout.decode(errors="replace"))
        return ""

    def _keep_reports(self, question: SuiteQuestion, shares: Sequence[_Share]) -> None:
        reports = [share.report for share in shares if share.report.exists()]
        text = merge_junit(reports, f"{question.probe} {question.occasion}", Redactor(self._launch.secrets))
        with suppress(OSError):
            keep_text(self._launch, question.probe, f"{question.occasion}.xml", text)


class _Share(Struct, eq=False, kw_only=True):
    """One pytest with some of the hosts."""

    name: str
    hosts: tuple[str, ...]
    suite: Path
    root: Path
    folder: Path
    inventory: Path
    environment: Mapping[str, str]
    redact: Redactor
    process: subprocess.Popen[bytes] | None = None
    timed_out: bool = False

    @property
    def sockets(self) -> Path:
        """Where its shared ssh connections are; a short path."""
        return self.folder / "s"

    @property
    def report(self) -> Path:
        """Pytest's own report."""
        return self.folder / "junit.xml"

    def start(self) -> None:
        """Start the process."""
        order = self.folder / "order.json"
        make_private_folder(self.sockets)
        write_private_json(
            order,
            {
                "hosts": self.hosts,
                "results": str(self._results),
                "inventory": str(self.inventory),
                "sockets": str(self.sockets),
            },
        )
        write_private(self._results, "")
        write_private(self.folder / "pytest.ini", "[pytest]\n")
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=short", "-p", _PLUGIN),
                    *("-p", "no:cacheprovider", "-c", str(self.folder / "pytest.ini")),
                    *("--rootdir", str(self.root), "--confcutdir", str(self.root)),
                    *("--junit-xml", str(self.report), str(self.suite)),
                ],
                cwd=self.root,
                env={**self.environment, "WAVEGATE_SUITE": str(order)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )

    def wait(self, deadline: float) -> None:
        """Return when the process is gone; ask it for its report when its time is over."""
        if self.process is None:
            return
        try:
            self.process.wait(max(deadline - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            self.timed_out = True
            self.interrupt()
            try:
                self.process.wait(_SECONDS_TO_WRITE)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait()

    def interrupt(self) -> None:
        """Have pytest write its report and leave."""
        self._signal(signal.SIGINT)

    def results(self) -> list[SuiteCase]:
        """Return what the tests said that came to their end."""
        found = [line for line in self._lines() if "test" in line]
        return [
            SuiteCase(line["host"], line["test"], Result(line["result"]), self.redact(line["message"]))
            for line in found
        ]

    def troubles(self, timeout: float) -> dict[str, str]:
        """Return host -> what kept the suite from its end there; hosts that are through are left out."""
        why = self._trouble(timeout)
        lines = self._lines()
        planned: dict[str, int] = next((line["planned"] for line in lines if "planned" in line), {})
        ended = Counter(line["host"] for line in lines if "test" in line)
        told = any("trouble" in line for line in lines)
        through = {host for host, number in planned.items() if ended[host] >= number > 0 and not told}
        return {host: why for host in self.hosts if why and host not in through}

    def _trouble(self, timeout: float) -> str:
        """Return what kept the share from its end, "" when nothing did."""
        if told := [str(line["trouble"]) for line in self._lines() if "trouble" in line]:
            return self.redact(told[0])
        if self.timed_out:
            return f"it did not end within {timeout:g} s and was stopped"
        code = self.process.returncode if self.process else None
        if code in _ORDERLY:
            return ""
        said = _last_line(self._output.read_text(encoding="utf-8", errors="replace"))
        return self.redact(f"pytest ended with {code}: {said}")

    @property
    def _results(self) -> Path:
        return self.folder / "results.jsonl"

    @property
    def _output(self) -> Path:
        return self.folder / "output.txt"

    def _lines(self) -> list[dict[str, Any]]:
        with suppress(OSError):
            text = self._results.read_text(encoding="utf-8")
            return [json.loads(line) for line in text.splitlines() if line.endswith("}")]
        return []

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
