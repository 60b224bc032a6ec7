"""Asks hosts for their state: one run of the module `host_state`. Changes nothing on a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wavegate.adapters.executor.environment import OWN_PLUGINS
from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes.ansible_task import (
    AnsibleTaskRunner,
    RawHost,
    TaskQuestion,
    literal,
    tell_unreachable,
    write_play,
)
from wavegate.resources import plugins_dir


class AnsibleHostRunner:
    """Implements `HostRunner` for one rollout; safe to call from several threads."""

    def __init__(self, launch: Launch, runtime: Path) -> None:
        self._tasks = AnsibleTaskRunner(launch, runtime)

    def __call__(
        self, hosts: Sequence[str], module_args: Mapping[str, Any], timeout: float
    ) -> Mapping[str, RawHost]:
        """Return what each host answered, or why it did not; a host that was too slow is left out."""
        # Only wavegate's own modules and callbacks: a user's module of the same name answers something else,
        # and a callback that notifies people must not do so every few seconds.
        only_ours = {
            "ANSIBLE_LIBRARY": str(plugins_dir() / "modules"),
            "ANSIBLE_CALLBACK_PLUGINS": str(OWN_PLUGINS),
            "ANSIBLE_CALLBACKS_ENABLED": "wavegate_evidence",
        }
        question = TaskQuestion(
            playbook=build_playbook(module_args), read=read_answer, timeout=timeout, environment=only_ours
        )
        return self._tasks.ask(hosts, question)

    def close(self) -> None:
        """End the runs that are under way; later ones answer nothing."""
        self._tasks.close()


def read_answer(kind: str, data: Mapping[str, Any]) -> RawHost | None:
    """Return a host's answer from an event of ansible-runner, None when the event is none."""
    result = data.get("res")
    if not data.get("host") or not isinstance(result, Mapping):
        return None
    if kind == "runner_on_ok":
        return result
    if kind == "runner_on_unreachable":
        return tell_unreachable(result)
    if kind == "runner_on_failed":
        return f"its module failed: {result.get('msg') or 'no reason was given'}"
    return None


def build_playbook(module_args: Mapping[str, Any]) -> str:
    """Return the playbook that asks every host once, with arguments that are never rendered again."""
    return write_play(
        "wavegate host probe",
        {"name": "Ask the host for its state", "host_state": literal(module_args)},
    )
