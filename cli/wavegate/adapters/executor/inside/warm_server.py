# ruff: noqa: SLF001 - what Ansible does when it is imported has to be done again in every fork
"""Loads Ansible once and forks for every batch: `warm_server.py LISTENER LIFELINE TERMINAL SCRIPT`.

A fork becomes what `ansible-playbook` would be: terminal, session, environment, folder, arguments, temporary
folder. What Ansible reads when it is imported (settings, from the environment) is the same for all of them:
a fork whose environment differs in anything but a batch's own variables declines, and so does one whose
marker cannot be seen from outside. When the other end of LIFELINE is closed, nothing is forked any more.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
import termios
from pathlib import Path
from typing import Any

MARKER = "WAVEGATE_BATCH"
OF_A_BATCH = frozenset({MARKER, "WAVEGATE_ORDER", "AWX_ISOLATED_DATA_DIR"})
_ENV_START = 47  # /proc/PID/stat, counted after the name in brackets
_LINE = 65536


def main() -> None:
    """Serve until the lifeline is closed; in a fork, be ansible-playbook and end like it."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    lifeline, terminal, script = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    sys.path[0] = str(Path(script).parent)
    sys.argv = [script]
    run = _load()
    said = _read_what_was_said(terminal)
    environment = _of_all(dict(os.environ))
    gc.collect()
    gc.freeze()
    order = _serve(listener, lifeline, environment)
    if order is not None:  # in a fork
        os.close(terminal)
        os.write(1, said)
        sys.exit(run(order["command"]))


def _load() -> Any:
    """Return what `ansible-playbook` calls, with all that it would import loaded."""
    import ansible.executor.playbook_executor
    import ansible.plugins.callback
    import ansible.plugins.strategy.linear  # noqa: F401
    from ansible.cli.playbook import PlaybookCLI

    with contextlib.suppress(Exception):
        _remember_routing()

    def run(command: list[str]) -> int:
        sys.argv = [sys.argv[0], *command[1:]]
        _make_own()
        PlaybookCLI.cli_executor(sys.argv)
        return 0

    return run


def _remember_routing() -> None:
    """Parse the table of Ansible's own moved plugins once: each process needs it, and it takes 0.3 s."""
    import ansible.config
    from ansible.utils.collection_loader import _collection_finder

    parse = _collection_finder._meta_yml_to_dict
    path = Path(ansible.config.__file__).with_name("ansible_builtin_runtime.yml")
    text = path.read_bytes()
    table = parse(text, ("ansible.builtin", "runtime.yml"))

    def look_up(data: bytes | str, content: Any) -> Any:
        same = data == text or data == text.decode()
        return table if same else parse(data, content)

    _collection_finder._meta_yml_to_dict = look_up


def _make_own() -> None:
    """Do again what Ansible does once for each process when it is imported."""
    from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
    from ansible.utils.display import Display
    from ansible.utils.path import cleanup_tmp_file

    atexit.unregister(cleanup_tmp_file)  # the server's own folder, which it removes itself
    C.DEFAULT_LOCAL_TMP = C.config.get_config_value("DEFAULT_LOCAL_TMP")
    Display()._set_column_width()


def _read_what_was_said(terminal: int) -> bytes:
    """Return what Ansible printed while it was imported: warnings that every fork must give too."""
    sys.stdout.flush()
    sys.stderr.flush()
    poll = select.poll()
    poll.register(terminal, select.POLLIN)
    said = b""
    while poll.poll(0):
        said += os.read(terminal, _LINE)
    return said.replace(b"\r\n", b"\n")


def _of_all(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in OF_A_BATCH}


def _serve(listener: socket.socket, lifeline: int, environment: dict[str, str]) -> dict[str, Any] | None:
    """Fork for every connection; return the order in a fork that is to begin, None when it is over."""
    waker, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    children: dict[int, socket.socket] = {}
    poll = select.poll()
    for descriptor in (listener.fileno(), lifeline, waker):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if waker in ready:
            os.read(waker, _LINE)
            _tell_ends(children)
        if lifeline in ready:
            return None
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (listener, *children.values()):
                    other.close()
                for descriptor in (lifeline, waker, alarm):
                    os.close(descriptor)
                return _begin(connection, environment)
            children[pid] = connection


def _tell_ends(children: dict[int, socket.socket]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        code = os.waitstatus_to_exitcode(status)
        with children.pop(pid) as connection, contextlib.suppress(OSError):
            connection.sendall(code.to_bytes(4, "big", signed=True))


def _begin(connection: socket.socket, environment: dict[str, str]) -> dict[str, Any]:
    """Take the client's place and return its order; leave the process when that cannot be done exactly."""
    try:
        os.setsid()
        order, descriptors = _receive(connection)
        if _of_all(order["env"]) != environment:
            os._exit(0)
        mark(order["env"][MARKER])
        connection.sendall(os.getpid().to_bytes(8, "big"))
        if connection.recv(2) != b"go":  # it is dead: whoever ended it was told that nothing is left
            os._exit(0)
        connection.close()
        _take_over(order, descriptors)
    except (OSError, ValueError, KeyError):
        os._exit(0)
    return order


def _receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    head, descriptors, _, _ = socket.recv_fds(connection, 8, 3)
    size = int.from_bytes(head, "big")
    text = b""
    while len(text) < size:
        part = connection.recv(size - len(text))
        if not part:
            raise ConnectionError
        text += part
    return json.loads(text), list(descriptors)


def _take_over(order: dict[str, Any], descriptors: list[int]) -> None:
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if order["ignores_hangup"]:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])


def mark(value: str) -> None:
    """Show the marker in /proc/PID/environ, where the kernel shows what a process was started with.

    The server was started with a long placeholder. Raise ValueError when the marker cannot be seen there.
    """
    name = f"{MARKER}=".encode()
    block = Path("/proc/self/environ").read_bytes()
    place = (b"\0" + block).find(b"\0" + name)
    if place < 0:
        raise ValueError("no placeholder")
    room = block.index(b"\0", place) - place
    text = name + os.fsencode(value) + b"\0"
    if len(text) + 2 > room:
        raise ValueError("the marker is too long")
    stat = Path("/proc/self/stat").read_text("utf-8")
    start = int(stat.rpartition(")")[2].split()[_ENV_START])
    ctypes.memmove(start + place, text + b"_=" + b"-" * (room - len(text) - 2), room)
    if text not in Path("/proc/self/environ").read_bytes():
        raise ValueError("the marker cannot be seen")


if __name__ == "__main__":
    main()
