"""Stands in for `ansible-playbook`: `warm_client.py SOCKET ansible-playbook ARGUMENTS…`.

Hands its terminal, environment, folder and arguments to a process that has Ansible loaded, waits for the end
and ends the same way. Whatever is not as it should be: it becomes the real ansible-playbook, in this process.
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import signal
import socket
import sys
import termios
from typing import Any

_PATIENCE = 60.0
_STATUS = 4


def main() -> None:
    """Run the command warm, or become it."""
    path, command = sys.argv[1], sys.argv[2:]
    try:
        warm, child = _hand_over(path, command)
    except (OSError, ValueError):
        os.execvp(command[0], command)  # noqa: S606 - an argument list, no shell
    _end_like(_await(warm, child))


def _hand_over(path: str, command: list[str]) -> tuple[socket.socket, int]:
    """Return the connection and a descriptor of the warm process, which waits for a word to begin."""
    warm = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    warm.settimeout(_PATIENCE)
    warm.connect(path)
    ignores_hangup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    order: dict[str, Any] = {
        "command": command,
        "env": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109 - pathlib costs a tenth of what is saved
        "ignores_hangup": ignores_hangup,
    }
    text = json.dumps(order).encode()
    descriptors = array.array("i", [0, 1, 2])
    warm.sendmsg([len(text).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
    warm.sendall(text)
    answer = _read(warm, 8)
    child = os.pidfd_open(int.from_bytes(answer, "big"))
    if ignores_hangup and os.isatty(0):
        fcntl.ioctl(0, termios.TIOCNOTTY)  # so that it can become the other one's controlling terminal
    warm.sendall(b"go")
    warm.settimeout(None)
    return warm, child


def _await(warm: socket.socket, child: int) -> int:
    """Return the exit status, negative for a signal; SIGKILL's when nobody is left to tell it."""
    status = _read_status(warm)
    if status is None:  # the server died, and the warm process may be alive
        poll = select.poll()
        poll.register(child, select.POLLIN)
        poll.poll()
        return -signal.SIGKILL
    return status


def _read_status(warm: socket.socket) -> int | None:
    try:
        return int.from_bytes(_read(warm, _STATUS), "big", signed=True)
    except OSError:
        return None


def _read(warm: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = warm.recv(size - len(data))
        if not part:
            raise ConnectionError("the warm process is gone, or does not want to")
        data += part
    return data


def _end_like(status: int) -> None:
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
