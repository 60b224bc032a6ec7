"""Who holds a lease, and whether that process still lives.

A process is known by its pid and the kernel's tick at which it started. The time of day is no part of it
(psutil's create_time is computed from it), because a corrected clock must not make a live owner look dead.
"""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from wavegate.core.outcomes import Status
from wavegate.ports import RolloutRow

HEARTBEAT_LIMIT = 60.0
"""Seconds without a heartbeat after which an owner that cannot be looked at from here seems to be dead."""

LISTEN_SECONDS = 15.0
"""How long an owner that seems to be dead is listened for before its lease is taken: three heartbeats.

A clock that jumped makes a live owner look silent, or a dead one look fresh; a heartbeat that does not change
while this process's own monotonic clock runs is silence whatever any clock says.
"""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Owner(Struct, frozen=True):
    """A process that may hold leases. `process` is what no other process has, ever and anywhere."""

    user: str
    host: str
    pid: int
    process: str


def this_process() -> Owner:
    """Return the owner that this process is."""
    pid = os.getpid()
    return Owner(_find_user(), os.uname().nodename, pid, f"{_find_kernel()} {_find_start(pid)}")


def owner_alive(row: RolloutRow) -> bool:
    """Return whether the process that holds the rollout's lease lives; False when nobody holds it.

    Under the same kernel and pid namespace the process itself is looked at: gone, a zombie, or another
    process with the same pid is dead, a stopped one lives. From anywhere else, only the heartbeat tells. One
    far in the future comes from a clock that was put back, and tells as little as one long ago.
    """
    if not row.owner:
        return False
    if can_be_seen(row):
        return _find_start(row.owner_pid) == row.owner_process.rpartition(" ")[2]
    return abs(row.silent_for) <= HEARTBEAT_LIMIT


def can_be_seen(row: RolloutRow) -> bool:
    """Return whether the owner's process can be looked at from here, so that no clock is needed."""
    kernel = row.owner_process.rpartition(" ")[0]
    return kernel == _find_kernel() and (bool(_find_start(row.owner_pid)) or not _is_hidden(row.owner_pid))


def is_died(row: RolloutRow) -> bool:
    """Return whether the rollout's last process died while it walked; one that stands still has not."""
    walking = row.status in {Status.RUNNING, Status.ROLLING_BACK}
    beginning = row.status == Status.PLANNED and bool(row.owner)
    return (walking or beginning) and not owner_alive(row)


def _find_user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry in passwd
        return str(os.getuid())


def _find_kernel() -> str:
    """Return which kernel and pid namespace pids are valid in; a host name is not enough for containers."""
    try:
        return f"{_BOOT_ID.read_text().strip()}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return os.uname().nodename


def _find_start(pid: int) -> str:
    """Return when the process started, in the kernel's own count; "" when it is gone or a zombie."""
    if not _BOOT_ID.exists():
        return _ask_psutil(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    state, started = fields[0], fields[19]
    return "" if state in {"Z", "X"} else started


def _ask_psutil(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""


def _is_hidden(pid: int) -> bool:
    """Return whether the process exists but may not be looked at (/proc mounted with hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False
