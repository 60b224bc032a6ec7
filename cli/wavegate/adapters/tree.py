"""Walk a project's tree: what belongs to the material, what is a link, what is left out."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from msgspec import Struct

IGNORE_FILE = ".wavegateignore"
_LEFT_OUT = frozenset(
    {".git", ".hg", ".svn", ".wavegate", "__pycache__", "node_modules", ".cache", ".molecule", ".tox", ".nox"}
    | {".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".vagrant", ".terraform", ".idea", ".vscode"}
)


class Entry(Struct, frozen=True):
    """One file, folder or link of a tree.

    `name` is its place in the tree, with `/`; `source` is where its content lies. `target` is set for a link
    that stays one: relative to the link's own folder.
    """

    name: str
    source: Path
    mode: int
    size: int = 0
    target: str = ""

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return stat.S_ISDIR(self.mode)


class Tree:
    """A folder seen as material; links that lead out of it are taken for what they lead to."""

    def __init__(self, root: Path, left_out: frozenset[Path] = frozenset()) -> None:
        self.root = Path(os.path.realpath(root))
        self._left_out = {Path(os.path.realpath(path)) for path in left_out}
        self._ignored = _read_ignore_file(self.root / IGNORE_FILE)

    def walk(self) -> Iterator[Entry]:
        """Yield every entry, folders before what is in them, sorted by name within a folder."""
        yield from self._walk_folder(self.root, "", (self.root,))

    def _walk_folder(self, folder: Path, name: str, above: tuple[Path, ...]) -> Iterator[Entry]:
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
        for child in children:
            place = f"{name}/{child.name}" if name else child.name
            path = Path(child.path)
            if not self._is_left_out(child.name, place, path):
                yield from self._enter(path, place, above, child.is_symlink())

    def _enter(self, path: Path, place: str, above: tuple[Path, ...], link: bool) -> Iterator[Entry]:  # noqa: FBT001
        try:
            status = path.stat()
        except OSError:
            yield Entry(place, path, stat.S_IFLNK, target=str(path.readlink()) if link else "")
            return
        if link and (target := self._inner_target(path, place)):
            yield Entry(place, path, stat.S_IFLNK, target=target)
        elif stat.S_ISDIR(status.st_mode):
            real = Path(os.path.realpath(path)) if link else path
            if not link or real not in above:
                yield Entry(place, path, status.st_mode)
                yield from self._walk_folder(real, place, (*above, real))
        elif stat.S_ISREG(status.st_mode):
            yield Entry(place, path, status.st_mode, size=status.st_size)

    def _inner_target(self, link: Path, place: str) -> str:
        """Return the link's target relative to the link, when it lies in the tree and is not left out."""
        real = Path(os.path.realpath(link))
        if not real.is_relative_to(self.root):
            return ""
        inside = real.relative_to(self.root)
        for number, part in enumerate(inside.parts, start=1):
            parent = PurePosixPath(*inside.parts[:number])
            if self._is_left_out(part, str(parent), self.root / parent):
                return ""
        return os.path.relpath(real, (self.root / place).parent)

    def _is_left_out(self, base: str, place: str, path: Path) -> bool:
        if base in _LEFT_OUT or any(_matches(pattern, base, place) for pattern in self._ignored):
            return True
        if self._left_out and Path(os.path.realpath(path)) in self._left_out:
            return True
        return base in {"venv", "env"} and (path / "pyvenv.cfg").exists()


def walk_files(folder: Path) -> Iterator[Path]:
    """Yield the regular files below the folder that belong to the material."""
    for entry in Tree(folder).walk():
        if not entry.is_folder and not entry.target:
            yield entry.source


def _matches(pattern: str, base: str, place: str) -> bool:
    return fnmatchcase(place, pattern) or fnmatchcase(base, pattern)


def _read_ignore_file(path: Path) -> tuple[str, ...]:
    try:
        lines = [line.strip().strip("/") for line in path.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return ()
    return tuple(line for line in lines if line and not line.startswith("#"))
