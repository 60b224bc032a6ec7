"""Runs playbooks as tests: as batches are run, with each host's outcome on the same evidence."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.adapters.executor.batch import RunningBatch
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.messages import Pins
from wavegate.adapters.probes.ansible_task import FORKS, AnsibleTaskRunner
from wavegate.adapters.probes.kept import keep_text
from wavegate.adapters.probes.settling import end_tasks
from wavegate.core.events import BatchEnded, BatchSubmitted, Event, HostFinished
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Procedure

_REFUSAL = "a probe takes nothing out and pins no version: it only looks"


class PlaybookQuestion(Struct, frozen=True, kw_only=True):
    """A playbook (relative to the project's root, or a collection's) with variables; `timeout` in seconds.

    The output is kept under the names of the `probe` and of the `occasion` (`pilot after 3`).
    """

    playbook: str
    probe: str
    occasion: str
    timeout: float
    variables: Mapping[str, Any] = field(default_factory=dict)


class PlaybookAnswer(Struct, frozen=True):
    """What became of each host, and host -> what of a task that was stopped is still at work there."""

    finished: Mapping[str, HostFinished]
    still_at_work: Mapping[str, str]


class PlaybookRunner(Protocol):
    """Runs playbooks as tests; `AnsiblePlaybookRunner` does it with ansible-runner."""

    def run(self, hosts: Sequence[str], question: PlaybookQuestion) -> PlaybookAnswer:
        """Run the playbook on exactly these hosts and return what became of them. Blocks."""
        ...

    def close(self) -> None:
        """End what is under way; later ones are answered by nobody."""
        ...


class AnsiblePlaybookRunner:
    """Implements `PlaybookRunner` for one rollout; safe to call from several threads."""

    def __init__(self, launch: Launch, runtime: Path) -> None:
        self._launch = launch
        self._runtime = runtime
        self._tasks = AnsibleTaskRunner(launch, runtime)
        self._running: set[RunningBatch] = set()
        self._lock = threading.Lock()
        self._closed = False

    def run(self, hosts: Sequence[str], question: PlaybookQuestion) -> PlaybookAnswer:
        """Run the playbook; what a timeout stopped is ended on this machine and on the hosts."""
        name = f"probe-{secrets.token_hex(8)}"
        launch = replace(
            self._launch,
            work=self._runtime / name,
            playbooks={Procedure.VERIFY: (question.playbook,)},
            variables={**self._launch.variables, **question.variables},
            timeout=question.timeout,
        )
        reported: list[Event] = []
        order = BatchSubmitted(name, "", 0, tuple(hosts), (Procedure.VERIFY.value,))
        batch = _TestRun(launch, order, self._runtime, reported.append, lambda _: None, Pins())
        with self._lock:
            if self._closed or not hosts:
                return PlaybookAnswer({}, {})
            self._running.add(batch)
        try:
            batch.start()
            batch.wait()
            self._keep_output(question, BatchFolder.of(launch, name).output)
        finally:
            with self._lock:
                self._running.discard(batch)
            shutil.rmtree(launch.work, ignore_errors=True)
        return self._answer(name, reported)

    def close(self) -> None:
        """End what is under way; later ones are answered by nobody."""
        with self._lock:
            self._closed = True
            running = list(self._running)
        for batch in running:
            batch.cancel()
        self._tasks.close()

    def _keep_output(self, question: PlaybookQuestion, output: Path) -> None:
        """Keep what Ansible printed, which was redacted as it came."""
        with suppress(OSError):
            text = output.read_text(encoding="utf-8")
            keep_text(self._launch, question.probe, f"{question.occasion}.txt", text)

    def _answer(self, name: str, reported: Sequence[Event]) -> PlaybookAnswer:
        finished = {event.host: event for event in reported if isinstance(event, HostFinished)}
        details = [event.detail for event in reported if isinstance(event, BatchEnded)]
        stopped = [host for host, one in finished.items() if one.outcome is Outcome.TIMED_OUT]
        left = end_tasks(self._tasks, self._launch, name, stopped) if stopped else {}
        told = {host: replace(one, reason=one.reason or "".join(details)) for host, one in finished.items()}
        return PlaybookAnswer(told, left)


class _TestRun(RunningBatch):
    """A batch that announces nothing, on any number of hosts."""

    def __init__(self, launch: Launch, order: BatchSubmitted, *more: Any) -> None:
        super().__init__(launch, order, *more)
        self._forks = min(len(order.hosts), FORKS)
        self._messages.refusal = _REFUSAL
