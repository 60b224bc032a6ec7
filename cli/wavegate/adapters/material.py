"""The material of a rollout: digests that a plan is bound to, and a frozen copy that batches work from."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from wavegate.adapters.tree import IGNORE_FILE, Entry, Tree
from wavegate.errors import WavegateError

MOST_BYTES = 1024**3


def digest(
    project: Path, rollout_file: Path, extra_paths: Mapping[str, Path], left_out: Iterable[Path] = ()
) -> dict[str, str]:
    """Return the sha256 of `rollout file`, of the `project` tree and of each extra path, by its label.

    Content, names and who may execute count; times, owners and other permissions do not. `left_out` are
    password files, which are no part of the material. Raise WavegateError `project-too-large` beyond 1 GiB.
    """
    outside = frozenset(left_out)
    digests = {
        "rollout file": _digest_file(rollout_file),
        "project": _digest_tree(_entries(project, outside)),
    }
    for label, path in sorted(extra_paths.items()):
        digests[label] = _digest_extra(path)
    return digests


def digest_folder(folder: Path) -> str:
    """Return the sha256 of a folder of the material, by the same rules as the project's."""
    return _digest_tree(_entries(folder, frozenset()))


def freeze(project: Path, store: Path, digests: Mapping[str, str], left_out: Iterable[Path] = ()) -> Path:
    """Return a copy of the project below `store` that has exactly the digest `digests["project"]`.

    An equal copy that is there already is used again. Raise WavegateError `project-changed` when the project
    is not, or does not stay, what the digest says.
    """
    wanted = digests["project"]
    store.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in count(1):
        # A copy that a playbook wrote into may still be in use, so another one is made beside it.
        place = store / (wanted if number == 1 else f"{wanted}-{number}")
        if not place.exists():
            return _make_copy(project, place, wanted, frozenset(left_out))
        if _digest_tree(_entries(place, frozenset())) == wanted:
            return place
    raise AssertionError("count() does not end")


def external_paths(settings: Mapping[str, Any], project: Path) -> dict[str, Path]:
    """Return what lies outside the project and is used by it, for `digest`: label to existing path.

    `settings` is what Ansible answered; roles, collections and inventories count.
    """
    root = Path(os.path.realpath(project))
    found: dict[str, Path] = {}
    for kind, name in (("roles", "DEFAULT_ROLES_PATH"), ("collections", "COLLECTIONS_PATHS")):
        for text in settings.get(name, {}).get("value") or ():
            found[f"{kind} {text}"] = Path(text)
    for text in settings.get("DEFAULT_HOST_LIST", {}).get("value") or ():
        if "," not in text:
            for path in _inventory_paths(root / text):
                found[f"inventory {path}"] = path
    return {
        label: path
        for label, path in found.items()
        if path.exists() and not Path(os.path.realpath(path)).is_relative_to(root)
    }


def _inventory_paths(source: Path) -> Iterator[Path]:
    yield source
    if not source.is_dir():
        yield from (source.parent / name for name in ("group_vars", "host_vars"))


def _entries(root: Path, left_out: frozenset[Path]) -> Iterator[Entry]:
    """Yield the tree's entries; raise when there is too much of it or a folder cannot be read."""
    sizes: Counter[str] = Counter()
    try:
        for entry in Tree(root, left_out).walk():
            sizes[entry.name.partition("/")[0]] += entry.size
            if sizes.total() > MOST_BYTES:
                raise _too_large(root, sizes)
            yield entry
    except PermissionError as error:
        raise _unreadable(root, error) from error


def _digest_tree(entries: Iterable[Entry]) -> str:
    total = hashlib.sha256()
    for entry in entries:
        content = f"link {entry.target}" if stat.S_ISLNK(entry.mode) else "folder"
        if stat.S_ISREG(entry.mode):
            executable = "x" if entry.mode & stat.S_IXUSR else "-"
            content = f"file {executable} {_digest_file(entry.source)}"
        total.update(f"{entry.name}\0{content}\0".encode(errors="surrogateescape"))
    return total.hexdigest()


def _digest_file(path: Path) -> str:
    try:
        with path.open("rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except PermissionError as error:
        raise _unreadable(path.parent, error) from error


def _digest_extra(path: Path) -> str:
    """Return the digest of a file or a tree; an installed collection counts by its own list of checksums."""
    if path.is_file():
        return _digest_file(path)
    collections = path / "ansible_collections"
    if not collections.is_dir():
        return _digest_tree(_entries(path, frozenset()))
    total = hashlib.sha256()
    for collection in sorted(collections.glob("*/*")):
        lists = [collection / name for name in ("MANIFEST.json", "FILES.json")]
        if all(file.is_file() for file in lists):
            content = " ".join(_digest_file(file) for file in lists)
        elif collection.is_dir():
            content = _digest_tree(_entries(collection, frozenset()))
        else:
            continue
        total.update(f"{collection.relative_to(collections)}\0{content}\0".encode())
    return total.hexdigest()


def _make_copy(project: Path, place: Path, wanted: str, left_out: frozenset[Path]) -> Path:
    for _ in range(2):
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=place.parent))
        try:
            if _copy(project, draft, left_out) and _digest_tree(_entries(draft, frozenset())) == wanted:
                return _settle(draft, place)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    raise WavegateError(
        "project-changed",
        f"the project {project} is no longer what was planned",
        why="files were changed, added or removed after the plan was made, or while they were copied",
        hint="plan again; leave out files that change all the time by naming them in " + IGNORE_FILE,
    )


def _copy(project: Path, draft: Path, left_out: frozenset[Path]) -> bool:
    """Copy the tree; return False when an entry vanished on the way."""
    modes: list[tuple[Path, int]] = []
    try:
        for entry in _entries(project, left_out):
            place = draft / entry.name
            if stat.S_ISLNK(entry.mode):
                place.symlink_to(entry.target)
            elif entry.is_folder:
                place.mkdir(mode=0o700)
                modes.append((place, entry.mode))
            else:
                shutil.copyfile(entry.source, place)
                place.chmod(stat.S_IMODE(entry.mode))
    except FileNotFoundError:
        return False
    for place, mode in reversed(modes):
        place.chmod(stat.S_IMODE(mode))
    return True


def _settle(draft: Path, place: Path) -> Path:
    """Give the finished copy its name; another process may have been quicker with an equal one."""
    try:
        draft.rename(place)
    except OSError:
        if not place.is_dir():
            raise
    return place


def _too_large(root: Path, sizes: Counter[str]) -> WavegateError:
    largest = ", ".join(f"{name} ({size // 1024**2} MiB)" for name, size in sizes.most_common(5))
    return WavegateError(
        "project-too-large",
        f"{root} holds more than {MOST_BYTES // 1024**2} MiB, too much to freeze for a rollout",
        why=f"largest so far: {largest}",
        hint=f"name what no playbook needs in {root / IGNORE_FILE}, one pattern a line (`images/`, `*.iso`)",
    )


def _unreadable(root: Path, error: OSError) -> WavegateError:
    return WavegateError(
        "project-unreadable",
        f"{error.filename} cannot be read",
        why=str(error),
        hint=f"make it readable, or name it in {root / IGNORE_FILE}",
    )


_MOST_FILES = 20


def compare_copies(old: Path, new: Path) -> tuple[str, ...]:
    """Return a sentence for each file that two copies of a project do not share; of many, how many more."""
    files = [{str(path.relative_to(root)): path for path in _files(root)} for root in (old, new)]
    told = [f"file added: {name}" for name in sorted(files[1].keys() - files[0].keys())]
    told += [f"file gone: {name}" for name in sorted(files[0].keys() - files[1].keys())]
    shared = sorted(files[0].keys() & files[1].keys())
    told += [
        f"file changed: {name}"
        for name in shared
        if _digest_file(files[0][name]) != _digest_file(files[1][name])
    ]
    more = len(told) - _MOST_FILES
    return (*told[:_MOST_FILES], *((f"and {more} files more",) if more > 0 else ()))


def _files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
