"""What a process reads and starts, as Python itself tells it: for answers that are to be remembered."""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LEAVES = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn"}
    | {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "ctypes.dlopen", "sqlite3.connect"}
)


class Watch:
    """Notes from its making on which files are opened, and whether anything else than files is asked."""

    def __init__(self) -> None:
        self.left = False
        self._opened: dict[str, None] = {}
        sys.addaudithook(self._hear)

    def files(self) -> Iterator[str]:
        """Yield the real path of every file that was read and is not part of the installed software."""
        software = tuple({os.path.realpath(path) + os.sep for path in _software()})
        for path in dict.fromkeys(os.path.realpath(path) for path in self._opened):
            if not path.startswith(software) and Path(path).is_file():
                yield path

    def _hear(self, event: str, about: tuple[Any, ...]) -> None:
        if event == "open":
            path = about[0]
            if isinstance(path, str | bytes):
                self._opened[os.path.abspath(os.fsdecode(path))] = None  # noqa: PTH100 - no Path in a hook
        elif event in _LEAVES:
            self.left = True


def _software() -> list[str]:
    paths = sysconfig.get_paths()
    return [
        "/proc",
        "/dev",
        "/sys",
        *(paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
    ]
