"""What the probe tests share: a prober with fakes around it, and misbehaving servers on real sockets."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from wavegate.adapters.probes.prober import LocalProber
from wavegate.core.events import SweepEnded, SweepStarted
from wavegate.core.spec import ProbeSpec, Scope

WAIT = 20.0


class FakeHostRunner:
    """Answers what it was given; remembers what it was asked."""

    def __init__(self, answers=None, error=None):
        self.answers = answers or {}
        self.error = error
        self.calls = []
        self.closed = False

    def __call__(self, hosts, module_args, timeout):
        self.calls.append((tuple(hosts), dict(module_args), timeout))
        if self.error:
            raise self.error
        return self.answers

    def close(self):
        self.closed = True


@contextlib.contextmanager
def prober(rendered, runner=None, redact=str) -> Iterator[LocalProber]:
    made = LocalProber(rendered, redact, runner or FakeHostRunner(), Path.cwd())
    try:
        yield made
    finally:
        made.close()


def sweep(*targets):
    return SweepStarted("pilot", "after", "p", 1, tuple(targets))


def spec(kind, timeout=5.0):
    return ProbeSpec(name="p", kind=kind, scope=Scope.HOST, settings={}, timeout=timeout)


def measure_all(kind, rendered, *, targets=None, timeout=5.0, runner=None, redact=str) -> tuple:
    """Return the measurements of one sweep; fails when it does not end."""
    ended: queue.Queue[SweepEnded] = queue.Queue()
    with prober({"p": rendered}, runner, redact) as made:
        made.measure(sweep(*(targets or rendered)), spec(kind, timeout), ended.put)
        return ended.get(timeout=WAIT).measurements


def measure_one(kind, settings, *, timeout=5.0, redact=str):
    (measurement,) = measure_all(kind, {"web1": settings}, timeout=timeout, redact=redact)
    return measurement


@contextlib.contextmanager
def raw_server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """Serve a port whose every connection `talk` handles; the event is set when the test is over."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads = []

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    thread = threading.Thread(target=handle, args=(connection,), daemon=True)
                    threads.append(thread)
                    thread.start()

        def handle(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                talk(connection, over)

        acceptor = threading.Thread(target=serve, daemon=True)
        acceptor.start()
        try:
            yield listener.getsockname()[1]
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in [acceptor, *threads]:
                thread.join(5)


def reads_request(connection: socket.socket) -> None:
    text = b""
    while b"\r\n\r\n" not in text:
        text += connection.recv(4096)


def says(answer: bytes) -> Callable[[socket.socket, threading.Event], None]:
    """Return a talk that reads the question, says these bytes and hangs up."""

    def talk(connection: socket.socket, over: threading.Event) -> None:
        reads_request(connection)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    return talk


def resets(connection: socket.socket, over: threading.Event) -> None:
    """Read the question and reset the connection."""
    reads_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def stays_silent(connection: socket.socket, over: threading.Event) -> None:
    """Accept, and say nothing until the test is over."""
    over.wait(WAIT)


def drips(connection: socket.socket, over: threading.Event) -> None:
    """Answer properly, one byte at a time, for ever."""
    reads_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while not over.wait(0.05):
        connection.sendall(b"x")


def drips_headers(connection: socket.socket, over: threading.Event) -> None:
    """Answer with a header that never ends, one byte at a time."""
    reads_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not over.wait(0.05):
        connection.sendall(b"x")


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
