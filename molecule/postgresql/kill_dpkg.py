"""Reinstall a package and kill apt and dpkg as soon as dpkg has it half-way. Usage: kill_dpkg.py PACKAGE."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

STATUS = ["dpkg-query", "-W", "-f", "${db:Status-Status}", sys.argv[1]]
apt = subprocess.Popen(
    ["apt-get", "install", "-q", "-y", "--reinstall", "--no-install-recommends", sys.argv[1]],
    stdin=subprocess.DEVNULL,
    stdout=subprocess.DEVNULL,
    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    start_new_session=True,
)
until = time.monotonic() + 120
while subprocess.run(STATUS, capture_output=True, text=True, check=False).stdout == "installed":
    if apt.poll() is not None or time.monotonic() > until:
        sys.exit("apt was done before it could be killed")
    time.sleep(0.01)
os.killpg(apt.pid, signal.SIGKILL)
apt.wait()
# dpkg works in a session of its own: on a terminal that apt gave it.
for process in Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        if (process / "comm").read_text().strip() in ("dpkg", "dpkg-deb"):
            os.kill(int(process.name), signal.SIGKILL)
print(subprocess.run(STATUS, capture_output=True, text=True, check=True).stdout)
