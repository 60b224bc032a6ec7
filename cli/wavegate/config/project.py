"""Find the project a rollout file belongs to; every path in the file is relative to that folder."""

from __future__ import annotations

from pathlib import Path

_MARKS = (("ansible.cfg",), (".wavegate", ".git"))


def find_project_root(start: Path) -> Path:
    """Return the absolute project root of `start`, a file or folder that need not exist.

    It is the nearest folder upward with an `ansible.cfg`; else the nearest with `.wavegate` or `.git`; else
    the current directory.
    """
    here = start.resolve()
    folders = (here, *here.parents)
    for names in _MARKS:
        for folder in folders:
            if any((folder / name).exists() for name in names):
                return folder
    return Path.cwd()
