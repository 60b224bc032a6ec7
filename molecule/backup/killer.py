"""Wait until a snapshot is in the middle of being taken, then kill restic and the program that called it."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

until = time.monotonic() + 200
while time.monotonic() < until:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[0] != b"restic" or b"backup" not in words:
                continue
            read = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
            if int(read["rchar"]) > 10_000_000:
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                os.kill(parent, signal.SIGKILL)
                os.kill(int(process.name), signal.SIGKILL)
                sys.exit(0)
    time.sleep(0.01)
sys.exit("no snapshot was taken")
