"""Closing the shared ssh connections of a rollout."""

from __future__ import annotations

import contextlib
import stat
import subprocess
from pathlib import Path

import psutil


def close_connections(folder: Path) -> None:
    """End the master of every control socket in the folder: asked first, killed when it does not answer."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISSOCK(entry.stat().st_mode):
                _ask(entry)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith(f"ssh: {folder}/"):
                process.kill()


def _ask(socket: Path) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(
            ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "wavegate"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=2,
            check=False,
        )
