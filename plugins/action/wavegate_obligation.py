"""Ansible action: tells the rollout, before it happens, what a playbook takes out and what puts it back.

Runs on the controller. It changes nothing itself, and outside of a batch of wavegate it does nothing.
`wavegate_pin` announces with the same code.
"""

from __future__ import annotations

import errno
import json
import os
import select
import time
import uuid

from ansible import context
from ansible.plugins.action import ActionBase

PATIENCE = 60.0
LOOK_EVERY_MS = 20
LONGEST = select.PIPE_BUF
ALONE = "this is not a batch of wavegate: nothing was announced"
CHECKING = "check mode: nothing was announced"
ORPHANED = "the process that walks this rollout is gone: nothing more is taken out or changed here"
SILENT = f"wavegate did not answer within {PATIENCE:g} s: nothing is taken out or changed here"


class OrphanedError(Exception):
    """Nobody is there to write down what is announced."""


class Announcing(ActionBase):
    """Announces something and waits until it is durable; the task fails when it may not be done."""

    TRANSFERS_FILES = False
    _requires_connection = False

    def announce(self, task_vars, message):
        """Return the task's result."""
        if self._task.check_mode:
            return {"changed": False, "announced": False, "msg": CHECKING}
        order = read_order()
        if order is None:
            return {"changed": False, "announced": False, "msg": ALONE}
        message = {"id": uuid.uuid4().hex, "host": task_vars["inventory_hostname"], **message}
        try:
            refused = converse(order, message)
        except OrphanedError:
            return {"failed": True, "msg": ORPHANED, "wavegate_orphaned": True}
        if refused:
            return {"failed": True, "msg": refused}
        return {"changed": False, "announced": True}


class ActionModule(Announcing):
    """`wavegate_obligation`."""

    def run(self, tmp=None, task_vars=None):
        """Announce that something is about to be taken out, or that it is back."""
        super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            {
                "key": {"type": "str", "required": True},
                "state": {"type": "str", "choices": ["open", "closed"], "default": "open"},
                "undo": {"type": "str", "default": ""},
            },
            required_if=[("state", "open", ["undo"])],
        )
        if given["state"] == "open" and not given["undo"]:
            return {"failed": True, "msg": "undo is empty: name the playbook that puts it back"}
        kind = "open" if given["state"] == "open" else "close"
        return self.announce(task_vars, {"kind": kind, "key": given["key"], "undo": given["undo"]})


def read_order():
    """Return the batch's order; None where this ansible-playbook is not the batch's own."""
    path = os.environ.get("WAVEGATE_ORDER", "")
    if not path:
        return None
    try:
        with open(path, encoding="utf-8") as file:
            order = json.load(file)
    except FileNotFoundError:
        return None  # of a batch that has ended: a daemon that one of its tasks started
    own = order.get("messages") and order["wrapper"] in context.CLIARGS.get("args", ())
    return order if own else None


def converse(order, message):
    """Send the message and wait for the answer; return why it is refused, "" when it is not."""
    line = (json.dumps(message) + "\n").encode()
    if len(line) > LONGEST:
        return f"what is announced is too long ({len(line)} bytes, {LONGEST} at most)"
    deadline = time.monotonic() + PATIENCE
    pipe = open_pipe(order["messages"])
    try:
        send(pipe, line, deadline)
        return receive(order, message["id"], pipe, deadline)
    except TimeoutError:
        return SILENT
    except BrokenPipeError:
        raise OrphanedError from None
    finally:
        os.close(pipe)


def open_pipe(path):
    """Return the pipe's writing end: it can be opened only while somebody reads at the other one."""
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENOENT}:
            raise OrphanedError from None
        raise


def send(pipe, line, deadline):
    """Write the line in one piece, as soon as there is room for it."""
    poller = select.poll()
    poller.register(pipe, select.POLLOUT)
    while time.monotonic() < deadline:
        try:
            os.write(pipe, line)
        except BlockingIOError:
            poller.poll(LOOK_EVERY_MS)
        else:
            return
    raise TimeoutError


def receive(order, name, pipe, deadline):
    """Return the answer; raise OrphanedError when nobody is left to give one."""
    poller = select.poll()
    poller.register(pipe, 0)  # says only that nobody reads any more
    path = os.path.join(order["answers"], name)
    while time.monotonic() < deadline:
        gone = poller.poll(LOOK_EVERY_MS) or os.path.exists(order["fence"])
        try:
            with open(path, encoding="utf-8") as file:
                return json.load(file)["refused"]
        except FileNotFoundError:
            if gone:
                raise OrphanedError from None
    raise TimeoutError
