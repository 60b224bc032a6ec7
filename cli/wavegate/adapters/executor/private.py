"""Files and folders that nobody else can read."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

_PLAIN = re.compile(r"[A-Za-z0-9_./-]+")
_LONGEST = 40


def make_private_folder(path: Path) -> Path:
    """Create the folder, and parents that are missing, for its owner alone; return it."""
    for missing in reversed([parent for parent in path.parents if not parent.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner can read."""
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        file.write(text)


def write_private_json(path: Path, data: Any) -> None:
    """Write JSON data into a new file that only its owner can read."""
    write_private(path, json.dumps(data, ensure_ascii=False))


def open_runtime_folder(work: Path) -> Path:
    """Return a short, private folder for control sockets and limit files; the same one after a crash.

    A unix socket's path has at most 108 bytes, and Ansible splits the name of a limit file at commas,
    colons and blanks: the rollout's own folder may be too long or oddly named.
    """
    note = work / "runtime-folder"
    if note.is_file() and _is_ours(kept := Path(note.read_text("utf-8"))):
        return kept
    folder = Path(tempfile.mkdtemp(prefix="wg-", dir=_short_parent()))
    write_private(note, str(folder))
    return folder


def remove_runtime_folder(work: Path, folder: Path) -> None:
    """Remove the folder that `open_runtime_folder` gave."""
    shutil.rmtree(folder, ignore_errors=True)
    (work / "runtime-folder").unlink(missing_ok=True)


def remove_private_parts(work: Path) -> None:
    """Remove what dead processes left below a rollout's folder for their batches, and its runtime folder."""
    for folder in (work / "batches").glob("*/runner"):
        shutil.rmtree(folder, ignore_errors=True)
    note = work / "runtime-folder"
    if note.is_file() and _is_ours(kept := Path(note.read_text("utf-8"))):
        shutil.rmtree(kept, ignore_errors=True)
    note.unlink(missing_ok=True)


def _short_parent() -> str:
    parent = os.environ.get("XDG_RUNTIME_DIR", "")
    suits = _PLAIN.fullmatch(parent) and len(parent) <= _LONGEST and os.access(parent, os.W_OK | os.X_OK)
    return parent if suits else "/tmp"  # noqa: S108 - mkdtemp makes a private folder in it


def _is_ours(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    status = folder.stat()
    return status.st_uid == os.getuid() and status.st_mode & 0o077 == 0
