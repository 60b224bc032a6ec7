# ruff: noqa: SLF001, FBT001, FBT002 - Ansible calls these, and gives callbacks no public way to its data
"""Ansible callback plugin: writes down what ansible-runner's events do not say.

Loaded by Ansible inside a batch's process, never by wavegate itself. Before anything runs it compares the
hosts that Ansible is about to work on with the batch's own list and stops the process when they differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.playbook.block import Block
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback import CallbackBase
from ansible.template import trust_as_template

DOCUMENTATION = """
name: wavegate_evidence
type: aggregate
short_description: Evidence for wavegate's outcomes
description:
  - Writes which hosts each play targets and reaches, and which tasks' trouble nothing can rescue.
  - Does nothing outside of a batch of wavegate.
author: wavegate
"""

_TASK_MARKER = "WAVEGATE_TASK"
_WITHOUT_ENVIRONMENT = frozenset({"raw", "ansible.builtin.raw", "ansible.legacy.raw"})
_ENDINGS = ("end_host", "end_batch", "end_play")


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Appends one JSON object a line to the batch's evidence file."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "wavegate_evidence"

    def __init__(self) -> None:
        super().__init__()
        self._file: Any = None
        self._fence = ""
        self._task_marker = ""
        self._early: dict[str, _EarlyEnd] = {}
        self._running: set[str] = set()
        self._announced: set[str] = set()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Compare the hosts; leave the process before anything runs when they are not the batch's."""
        order = json.loads(Path(os.environ["WAVEGATE_ORDER"]).read_text("utf-8"))
        if playbook._file_name != order["wrapper"]:
            return  # an ansible-playbook that a task of the batch started: none of ours
        self._fence, self._task_marker = order["fence"], trust_as_template(order["task"])
        self._look_at_fence()
        self._file = Path(order["evidence"]).open("a", encoding="utf-8", buffering=1)  # noqa: SIM115
        inventory = playbook.get_plays()[0].get_variable_manager()._inventory
        found = {host.name for host in inventory.get_hosts()}
        if found != set(order["hosts"]):
            self._write(kind="guard", found=sorted(found))
            raise SystemExit("wavegate: Ansible would work on other hosts than the batch's; nothing was run")

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Write the hosts that the play targets, and those that it takes now."""
        self._write_early_ends()
        inventory = play.get_variable_manager()._inventory
        targets = [host.name for host in inventory.get_hosts(play.hosts, ignore_restrictions=True)]
        hosts = [host.name for host in inventory.get_hosts(play.hosts)]
        self._running = set(hosts)
        uuid = str(play._uuid).split("_", 1)[0]  # awx_display numbers the uuid of a play with serial
        self._write(kind="play", play=uuid, name=play.get_name(), targets=targets, hosts=hosts)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Write what the task's trouble would mean; remember a `meta: end_…` that every host comes to."""
        self._look_at_fence()
        self._mark(task)
        self._announce(task)
        how = task._get_meta()
        if how in _ENDINGS and task._uuid not in self._early and not _is_detour(task):
            self._early[task._uuid] = _EarlyEnd(f"meta: {how} at {task.get_path()}", set(self._running))

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Write what the handler's trouble would mean."""
        self._look_at_fence()
        self._mark(task)
        self._announce(task)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Forget an ending whose condition was false, for this host or for all of them."""
        early = self._early.get(result.task._uuid)
        if early is not None:
            early.hosts -= {result.host.name} if "end_host" in early.how else set(early.hosts)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:  # noqa: ARG002
        """Forget an ending where the host goes on."""
        for early in self._early.values():
            early.hosts.discard(host.name)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        """Forget an ending for a host in trouble."""
        self._running.discard(result.host.name)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Forget an ending for a host in trouble."""
        self._running.discard(result.host.name)

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ARG002
        """Write what is still unwritten."""
        self._write_early_ends()

    def _look_at_fence(self) -> None:
        """Leave the process before its next task when another one has taken the rollout over."""
        if self._fence and Path(self._fence).exists():
            raise SystemExit("wavegate: another process has taken this rollout over; nothing more is started")

    def _mark(self, task: Any) -> None:
        """Let the task be found on its host, should nobody see its end."""
        if not self._task_marker or task.action in _WITHOUT_ENVIRONMENT:
            return
        # The task's own part only: Ansible adds what blocks, roles and the play say.
        found = getattr(task, "_environment", None)
        own = found if isinstance(found, list) else []
        if not any(isinstance(one, dict) and _TASK_MARKER in one for one in own):
            task._environment = [*own, {_TASK_MARKER: self._task_marker}]

    def _announce(self, task: Any) -> None:
        """Write it once for each task: before its results, and before the terminal may be gone."""
        if task._uuid in self._announced:
            return
        self._announced.add(task._uuid)
        ignores = task.ignore_unreachable
        self._write(
            kind="task",
            task=str(task._uuid),
            rescuable=_can_be_rescued(task),
            ignores_unreachable=bool(ignores) if ignores is None or isinstance(ignores, bool) else None,
        )

    def _write_early_ends(self) -> None:
        for early in self._early.values():
            if hosts := early.hosts & self._running:
                self._write(kind="early", hosts=sorted(hosts), how=early.how)
        self._early.clear()

    def _write(self, **fields: Any) -> None:
        if self._file is not None:
            self._file.write(json.dumps(fields) + "\n")


@dataclass
class _EarlyEnd:
    how: str
    hosts: set[str]


def _ancestors(task: Any) -> Iterator[Any]:
    parent = task._parent
    while parent is not None:
        yield parent
        parent = parent._parent


def _can_be_rescued(task: Any) -> bool:
    """Return whether a block around the task has a rescue section (also when the task stands in it)."""
    return any(isinstance(parent, Block) and parent.rescue for parent in _ancestors(task))


def _is_detour(task: Any) -> bool:
    """Return whether only some hosts may come to the task."""
    return _can_be_rescued(task) or any(isinstance(parent, TaskInclude) for parent in _ancestors(task))
