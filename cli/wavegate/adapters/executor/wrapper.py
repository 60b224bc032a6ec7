"""The generated playbook of a batch, its limit file and its extra variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from wavegate.adapters.executor.launch import Launch
from wavegate.core.events import BatchSubmitted
from wavegate.core.spec import Procedure

SETTLE_PATIENCE = 60
"""Seconds in which a task of an earlier batch may end by itself on its host, before it is asked to."""
_STILL_THERE = "__wavegate_settled.still_there | default([]) | length > 0"
_COLLECTION_PLAYBOOK = re.compile(r"[a-z_]\w*\.[a-z_]\w*\.[a-z_][\w.]*", re.IGNORECASE)


def build_wrapper(launch: Launch, order: BatchSubmitted, token: str) -> list[dict[str, Any]]:
    """Return the plays: each procedure's playbooks, imported, then its completion play."""
    plays: list[dict[str, Any]] = []
    for procedure in order.procedures:
        if procedure == Procedure.SETTLE:
            plays += [_settling_play(launch, order), _completion_play(token, procedure)]
            continue
        names = (order.undo,) if procedure == Procedure.DISCHARGE else launch.playbooks[Procedure(procedure)]
        plays += [{"ansible.builtin.import_playbook": locate_playbook(launch, name)} for name in names]
        plays.append(_completion_play(token, procedure))
    return plays


def _settling_play(launch: Launch, order: BatchSubmitted) -> dict[str, Any]:
    """Return a play that a host gets through only when no task of an earlier batch is at work there."""
    look = {
        "wavegate_settle": {
            "rollout": quote(launch.rollout_id),
            "batch": quote(order.batch),
            "host": "{{ inventory_hostname | urlencode }}",
            "patience": SETTLE_PATIENCE,
        },
        "register": "__wavegate_settled",
        "when": "ansible_connection | default('ssh') not in ['winrm', 'psrp']",
    }
    # Only root sees what root does. Where nobody may become root, no task of the batch was root's.
    as_root = {"become": True, "become_user": "root", "failed_when": _STILL_THERE}
    return {
        "name": "Settle",
        "hosts": "all",
        "gather_facts": False,
        "strategy": "ansible.builtin.linear",
        "any_errors_fatal": False,
        "tags": ["always"],
        "tasks": [
            {"name": "Wait for tasks of earlier batches", **look},
            {"name": "Wait for root's tasks of earlier batches", **look, **as_root},
        ],
    }


def _completion_play(token: str, procedure: str) -> dict[str, Any]:
    """Return a play that reaches every host that got through, without a connection and without a fork.

    A `meta` task is run by the strategy itself; with a false condition it does nothing, and Ansible says so
    for every host that is still in the run. What ansible.cfg may have set for all plays is set back.
    """
    name = completion_name(token, procedure)
    return {
        "name": name,
        "hosts": "all",
        "gather_facts": False,
        "strategy": "ansible.builtin.linear",
        "any_errors_fatal": False,
        "become": False,
        "tags": ["always"],
        "tasks": [{"name": name, "ansible.builtin.meta": "end_host", "when": False}],
    }


def completion_name(token: str, procedure: str) -> str:
    """Return the name of a completion play and of its only task."""
    return f"wavegate {token} {procedure}"


def procedure_of(name: str, token: str) -> str:
    """Return the procedure whose completion play (or task) has this name, "" for any other."""
    start = completion_name(token, "")
    return name.removeprefix(start) if name.startswith(start) else ""


def locate_playbook(launch: Launch, name: str) -> str:
    """Return the playbook's absolute path in the material, or the name as it is when it is a collection's."""
    path = launch.material / launch.rebase(name)
    return name if _COLLECTION_PLAYBOOK.fullmatch(name) and not path.is_file() else str(path)


def find_playbook(launch: Launch, name: str) -> bool:
    """Return whether the playbook is in the material, or may be a collection's."""
    path = launch.material / launch.rebase(name)
    return path.is_file() or _COLLECTION_PLAYBOOK.fullmatch(name) is not None


def limit_lines(hosts: tuple[str, ...]) -> str:
    """Return the text of a limit file that names exactly these hosts.

    Ansible takes a line that is a host of its inventory as that host, before it looks for groups, ranges,
    wildcards or regular expressions in it. Only what it would strip or reorder is written as a regular
    expression: names with blanks at their ends, and those that begin with `!` or `&`.
    """
    return "".join(f"{_line(host)}\n" for host in hosts)


def _line(host: str) -> str:
    if host == host.strip() and host[0] not in "!&":
        return host
    return f"~{re.escape(host)}\\Z"


def extra_variables(launch: Launch, order: BatchSubmitted, pins: Mapping[str, str]) -> dict[str, Any]:
    """Return the rollout's variables and those that tell a playbook where it runs, with which versions."""
    own = {
        "wavegate_rollout_id": launch.rollout_id,
        "wavegate_batch": order.batch,
        "wavegate_pins": dict(pins),
    }
    if order.obligation:
        own["wavegate_obligation_key"] = order.obligation
    return {**launch.variables, **own}
