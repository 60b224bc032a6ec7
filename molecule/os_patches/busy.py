"""Hold the package manager's lock until somebody has looked at it five times, at most two minutes."""

import ctypes
import fcntl
import os
import select
from pathlib import Path

LOCK = Path("/var/lib/dpkg/lock-frontend")
IN_OPEN = 0x20
LOOKS = 5

with LOCK.open("w") as lock:
    fcntl.lockf(lock, fcntl.LOCK_EX)
    libc = ctypes.CDLL("libc.so.6")
    watch = libc.inotify_init()
    libc.inotify_add_watch(watch, str(LOCK).encode(), IN_OPEN)
    Path("/run/busy").touch()
    for _ in range(LOOKS):
        if select.select([watch], [], [], 120)[0]:
            os.read(watch, 16)
