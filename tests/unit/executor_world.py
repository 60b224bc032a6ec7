"""A throw-away project of local hosts and an executor over it, for the executor's tests."""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from wavegate.adapters.executor import Launch, LocalExecutor
from wavegate.core.events import BatchEnded, BatchSubmitted, Event, HostFinished
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Procedure

WAIT = 60.0


def order_for(
    *hosts: str, batch: str = "pilot.1", procedures: tuple[str, ...] = ("apply",)
) -> BatchSubmitted:
    return BatchSubmitted(batch, "pilot", 0, tuple(hosts), procedures)


def wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@dataclass
class Finished:
    """What an executor reported about one batch."""

    hosts: dict[str, HostFinished]
    end: BatchEnded
    reported: list[Event]

    @property
    def outcomes(self) -> dict[str, Outcome]:
        return {host: finished.outcome for host, finished in self.hosts.items()}


@dataclass
class Reports:
    """A `report` that can be waited for."""

    events: queue.Queue[Event] = field(default_factory=queue.Queue)
    executor: LocalExecutor | None = None
    """Who is told that a batch's end is durable; without one, what the batch left on disk stays."""

    def __call__(self, event: Event) -> None:
        self.events.put(event)

    def wait(self) -> Finished:
        reported: list[Event] = []
        while not reported or not isinstance(reported[-1], BatchEnded):
            reported.append(self.events.get(timeout=WAIT))
        finished = [event for event in reported if isinstance(event, HostFinished)]
        hosts = {event.host: event for event in finished}
        assert len(hosts) == len(finished), "a host was reported twice"
        end = reported[-1]
        assert isinstance(end, BatchEnded)
        if self.executor:
            self.executor.acknowledge(end)
        return Finished(hosts, end, reported)


@dataclass
class World:
    """A project in `root`; playbooks are given as data or as text."""

    root: Path

    @property
    def material(self) -> Path:
        return self.root / "material"

    @property
    def work(self) -> Path:
        return self.root / "work"

    def write(self, path: str, content: Any) -> Path:
        target = self.material / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return target

    def inventory(
        self, hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, list[str]] | None = None
    ) -> None:
        """Write a script inventory: the only kind that takes every name as it is."""
        local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        data: dict[str, Any] = {
            "_meta": {"hostvars": {name: dict(values) for name, values in hosts.items()}},
            "all": {"hosts": list(hosts), "vars": local},
            **{group: {"hosts": members} for group, members in (groups or {}).items()},
        }
        self.write("hosts.data", json.dumps(data))
        self.write("hosts.sh", '#!/bin/sh\ncat "$(dirname "$0")/hosts.data"\n').chmod(0o755)

    def launch(self, **changes: Any) -> Launch:
        values: dict[str, Any] = {
            "rollout_id": f"r{os.getpid()}-{self.root.name}",
            "work": self.work,
            "material": self.material,
            "project": self.root / "project",
            "playbooks": {Procedure.APPLY: ("site.yml",)},
            "inventory": ("hosts.sh",),
            "timeout": 120.0,
        }
        return Launch(**(values | changes))

    @contextmanager
    def executor(self, **changes: Any) -> Iterator[LocalExecutor]:
        executor = LocalExecutor(self.launch(**changes), survivor_limit=20)
        try:
            yield executor
        finally:
            executor.close()

    def play(self, order: BatchSubmitted, **changes: Any) -> Finished:
        """Run one batch to its end."""
        with self.executor(**changes) as executor:
            reports = Reports(executor=executor)
            executor.submit(order, reports)
            return reports.wait()

    def output(self, finished: Finished) -> str:
        return (self.work / finished.end.output).read_text()
