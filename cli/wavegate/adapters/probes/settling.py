"""Ends the tasks of a call whose time was over, on the hosts themselves: the end of ssh is none of theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes.ansible_task import (
    RawHost,
    TaskQuestion,
    TaskRunner,
    tell_unreachable,
    write_play,
)
from wavegate.resources import plugins_dir

SECONDS = 30.0
_STILL_THERE = "__wavegate_ended.still_there | default([]) | length > 0"


def end_tasks(tasks: TaskRunner, launch: Launch, call: str, hosts: Sequence[str]) -> Mapping[str, str]:
    """Return host -> one sentence about what could not be ended there; hosts that are clear are left out.

    `call` is the name of the AnsibleCall whose tasks are ended, at once, within SECONDS.
    """
    question = TaskQuestion(
        playbook=_playbook(launch, call),
        read=_read,
        timeout=SECONDS,
        environment={"ANSIBLE_LIBRARY": str(plugins_dir() / "modules")},
    )
    answers = tasks.ask(hosts, question)
    told = {host: answers.get(host, "the host gave no answer") for host in hosts}
    return {
        host: f"whether a task of it is still at work there is not known ({answer})"
        if answer != _AT_WORK
        else answer
        for host, answer in told.items()
        if isinstance(answer, str)
    }


_AT_WORK = "a task of it is still at work there"


def _playbook(launch: Launch, call: str) -> str:
    look = {
        "wavegate_settle": {
            "rollout": quote(launch.rollout_id),
            "batch": "",
            "of": quote(call),
            "host": "{{ inventory_hostname | urlencode }}",
            "patience": 0,
        },
        "register": "__wavegate_ended",
    }
    # Only root sees what root does. Where nobody may become root, no task of the call was root's.
    as_root = {"become": True, "become_user": "root", "failed_when": _STILL_THERE}
    return write_play(
        "wavegate: end what a probe left",
        {"name": "End tasks of the probe", **look},
        {"name": "End root's tasks of the probe", **look, **as_root},
    )


def _read(kind: str, data: Mapping[str, Any]) -> RawHost | None:
    result = data.get("res")
    if not isinstance(result, Mapping):
        return None
    if kind == "runner_on_ok":
        return result
    if kind == "runner_on_failed":
        return _AT_WORK if result.get("still_there") else str(result.get("msg") or "no reason was given")
    return tell_unreachable(result) if kind == "runner_on_unreachable" else None
