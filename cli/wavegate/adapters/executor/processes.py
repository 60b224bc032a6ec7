"""The processes of a batch, found by the marker in their environment, also when their parent is dead."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil

from wavegate.adapters.executor.environment import MARKER

GRACE = 5.0
_LOOK_EVERY = 0.2
_BLINK = 0.02


def find_processes(marker: str) -> list[psutil.Process]:
    """Return the living processes of the batch.

    The masters of shared ssh connections are left out: they carry the marker of the batch that opened them,
    serve the others as well, and outlive all of them on purpose.
    """
    return [process for process in psutil.process_iter() if _is_of(process, marker)]


def _is_of(process: psutil.Process, marker: str) -> bool:
    try:
        return (
            process.environ().get(MARKER) == marker
            and process.status() != psutil.STATUS_ZOMBIE
            and not " ".join(process.cmdline()).rstrip().endswith("[mux]")
        )
    except (psutil.Error, OSError):
        return False


def end_processes(marker: str, grace: float = GRACE) -> None:
    """End the batch's processes: SIGTERM, `grace` seconds, SIGKILL; returns when none is left."""
    deadline = time.monotonic() + grace
    terminated: set[int] = set()
    while processes := find_processes(marker):
        hard = time.monotonic() >= deadline
        for process in processes:
            if hard or process.pid not in terminated:
                terminated.add(process.pid)
                _signal(process.kill if hard else process.terminate)
        _wait_until_gone(processes, _LOOK_EVERY)


def wait_for_processes(marker: str, limit: float) -> None:
    """Return when the batch's processes are gone, after `limit` seconds at the latest."""
    deadline = time.monotonic() + limit
    while (left := deadline - time.monotonic()) > 0 and (processes := find_processes(marker)):
        _wait_until_gone(processes, min(left, 1.0))


def _wait_until_gone(processes: list[psutil.Process], limit: float) -> None:
    """Wait without psutil.wait_procs: it takes a child's exit code from ansible-runner, which then fails."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and any(map(_lives, processes)):
        time.sleep(_BLINK)


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def _signal(send: Callable[[], None]) -> None:
    try:
        send()
    except psutil.NoSuchProcess:
        return
