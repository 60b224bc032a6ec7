#!/usr/bin/python
"""Ansible module: wait until no task of an earlier batch is at work on the host."""

from __future__ import annotations

import os
import signal
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: wavegate_settle
short_description: Wait until no task of an earlier batch is at work on the host
description:
  - A batch that was stopped, or whose connection was lost, may have left a task at work on the host.
  - Waits for such tasks, then asks them to end (SIGTERM); fails while one is still there.
  - Finds them by WAVEGATE_TASK in their environment or command line, under /proc. Changes nothing else.
options:
  rollout: {type: str, required: true, description: The rollout's id.}
  batch: {type: str, required: true, description: The batch that asks; its own tasks do not count.}
  of: {type: str, default: "", description: "Only tasks of this batch or probe count; else all others."}
  host: {type: str, required: true, description: The host's name in the inventory.}
  patience: {type: int, default: 60, description: Seconds to wait before the tasks are asked to end.}
author: wavegate
"""

EXAMPLES = r"""
- name: Wait for tasks of earlier batches
  wavegate_settle: {rollout: 7f3a9c1e, batch: pilot.1-try2, host: pilot-1}
"""

RETURN = r"""
waited_for:
  description: The command lines of the processes that were found at first.
  returned: success
  type: list
  elements: str
still_there:
  description: The command lines of those that did not end.
  returned: always, where there is a /proc
  type: list
  elements: str
"""

GRACE = 10.0
LOOK_EVERY = 0.5
LONGEST = 120
MARKER = b"WAVEGATE_TASK="


def find_processes(rollout: str, batch: str, host: str, of: str = "") -> dict[int, str]:
    """Return pid -> command line of living processes that carry the mark of another batch for this host."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        line = read(name, "cmdline")
        marks = marks_in(read(name, "environ") + b"\0" + line)
        if any(is_earlier(mark, rollout, batch, host, of) for mark in marks) and is_alive(name):
            found[int(name)] = line.replace(b"\0", b" ").decode(errors="replace")[:LONGEST]
    return found


def is_alive(pid: str) -> bool:
    """Return whether the process is there and no zombie."""
    state = read(pid, "stat").rpartition(b")")[2].split()[:1]
    return state not in ([], [b"Z"], [b"X"])


def marks_in(text: bytes) -> list[str]:
    """Return the values of every mark in an environment or a command line."""
    parts = text.split(MARKER)[1:]
    return [part.split(b"\0")[0].split(b" ")[0].decode(errors="replace") for part in parts]


def is_earlier(mark: str, rollout: str, batch: str, host: str, of: str = "") -> bool:
    """Return whether the mark is of this rollout and host, and of another batch, or of the one named `of`."""
    place, _, name = mark.rpartition("@")
    if of:
        return name == host and place == rollout + "/" + of
    return name == host and place.startswith(rollout + "/") and place != rollout + "/" + batch


def read(pid: str, name: str) -> bytes:
    """Return a file of the process; empty when it is gone or not ours to read."""
    try:
        with open("/proc/" + pid + "/" + name, "rb") as file:
            return file.read()
    except OSError:
        return b""


def wait(look, seconds: float) -> dict[int, str]:
    """Return what is still there after so many seconds at the most."""
    deadline = time.monotonic() + seconds
    while (there := look()) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY)
    return there


def main() -> None:
    text = {"type": "str", "required": True}
    patience = {"type": "int", "default": 60}
    module = AnsibleModule(
        {
            "rollout": text,
            "batch": text,
            "host": text,
            "patience": patience,
            "of": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    values = module.params

    def look() -> dict[int, str]:
        return find_processes(values["rollout"], values["batch"], values["host"], values["of"])

    if not os.path.isdir("/proc/self"):
        module.exit_json(changed=False, waited_for=[], msg="there is no /proc to look into")
    first = look()
    there = wait(look, values["patience"]) if first else {}
    for pid in there:
        try:
            os.kill(pid, signal.SIGTERM)
        except OSError:
            continue
    there = wait(look, GRACE) if there else {}
    if there:
        told = "; ".join(f"process {pid}: {line}" for pid, line in sorted(there.items()))
        module.fail_json(
            msg="a task of an earlier batch is still at work here, nothing is started beside it: " + told,
            still_there=sorted(there.values()),
        )
    module.exit_json(changed=False, waited_for=sorted(first.values()), still_there=[])


if __name__ == "__main__":
    main()
