"""Holds an evidence bundle against itself. Whoever made the file is not trusted: nothing is unpacked to disk.

What this finds: anything changed, missing, added or moved, as long as not everything was made anew. Whoever
makes a whole bundle anew, with all of its hashes, has another last hash and another checksum: write those
down elsewhere, where it matters.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from msgspec import Struct

from wavegate.adapters.journal.bundle import EVENTS, FILES, FORMAT, KIND, MANIFEST, PLAN, SUMS
from wavegate.adapters.journal.chain import Finding, Link, check_links
from wavegate.errors import WavegateError

LARGEST = 4 << 30
"""How many bytes a bundle's files may unpack to: a million events are half a gigabyte."""

LARGEST_PIECE = 256 << 20
"""How long what is held in memory may be: a manifest, a plan, one event."""

_MOST_ENTRIES = 64
_CHUNK = 1 << 20


class Checked(Struct, frozen=True):
    """What a bundle says it is, and what is wrong with it. A finding's `seq` is 0 when it is about a file."""

    rollout_id: str
    name: str
    status: str
    events: int
    last_hash: str
    findings: tuple[Finding, ...]


class _Bad(Exception):  # noqa: N818 - not an error of this program
    """A file of the bundle makes no sense, and why."""


def check_bundle(path: Path) -> Checked:
    """Return what the bundle says, and everything in it that is not as it was written.

    Raise WavegateError `bundle-unreadable` for what is no bundle at all, or one that is not safe to read, and
    `bundle-newer` for a format of a later wavegate.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_unsafe(path, archive)
            return _check(path, archive)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, _Bad) as error:
        raise _refuse(path, str(error)) from error
    except OSError as error:
        raise _refuse(path, error.strerror or str(error)) from error


def _refuse(path: Path, why: str) -> WavegateError:
    return WavegateError(
        "bundle-unreadable",
        f"{path} is no evidence bundle that can be read",
        why=why,
        hint="name a file that `wavegate audit export` wrote; get it again if it was cut off on its way",
    )


def _refuse_unsafe(path: Path, archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > _MOST_ENTRIES:
        raise _refuse(path, f"it holds {len(entries)} files")
    names = [entry.filename for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise _refuse(path, f"it holds two files of one name: {twice[0]!r}")
    if outside := [name for name in names if name.startswith("/") or "\\" in name or ".." in name.split("/")]:
        raise _refuse(path, f"the name of a file in it leads elsewhere: {outside[0]!r}")
    if sum(entry.file_size for entry in entries) > LARGEST:
        raise _refuse(path, f"its files would unpack to more than {LARGEST >> 30} GiB")
    if any(entry.flag_bits & 0x1 for entry in entries):
        raise _refuse(path, "a file in it is encrypted")


def _check(path: Path, archive: zipfile.ZipFile) -> Checked:
    held = archive.namelist()
    if MANIFEST not in held:
        raise _refuse(path, f"it has no {MANIFEST}")
    manifest = _read_manifest(path, archive)
    rollout_id, told = str(manifest["rollout"]["id"]), str(manifest["rollout"]["plan_hash"])
    findings = [Finding(rollout_id, 0, f"file {name} is missing") for name in FILES if name not in held]
    findings += [Finding(rollout_id, 0, f"file {name!r} was added") for name in held if name not in FILES]
    if SUMS in held:
        findings += _check_sums(archive, rollout_id)
    if PLAN in held and _digest(archive, PLAN) != told:
        findings.append(Finding(rollout_id, 0, "the plan is not the one of this rollout"))
    if EVENTS in held:
        try:
            links = _read_links(archive, rollout_id)
            findings += check_links(rollout_id, links, told, manifest["events"], manifest["last_hash"])
        except _Bad as error:
            findings.append(Finding(rollout_id, 0, str(error)))
    return Checked(
        rollout_id,
        str(manifest["rollout"]["name"]),
        str(manifest["status"]),
        int(manifest["events"]),
        str(manifest["last_hash"]),
        tuple(findings),
    )


def _read_manifest(path: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest = json.loads(_read(archive, MANIFEST))
        if manifest["kind"] != KIND:
            raise _Bad(f"its {MANIFEST} is of something else")
        if manifest["format"] > FORMAT:
            raise WavegateError(
                "bundle-newer",
                f"the bundle {path} was written by a newer wavegate ({manifest['wavegate']})",
                why=f"its format is {manifest['format']}, this wavegate knows {FORMAT}",
                hint="verify it with at least the wavegate that wrote it",
            )
        said = (manifest["rollout"]["id"], manifest["rollout"]["plan_hash"], manifest["last_hash"])
        rest = (manifest["rollout"]["name"], manifest["status"])
        if type(manifest["events"]) is not int or not all(isinstance(text, str) for text in (*said, *rest)):
            raise _Bad(f"its {MANIFEST} makes no sense")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Bad(f"its {MANIFEST} makes no sense: {error}") from error
    return dict(manifest)


def _check_sums(archive: zipfile.ZipFile, rollout_id: str) -> Iterator[Finding]:
    lines = _read(archive, SUMS).decode(errors="replace").splitlines()
    sums = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in FILES:
        if name in archive.namelist() and name != SUMS:
            if name not in sums:
                yield Finding(rollout_id, 0, f"{SUMS} does not name {name}")
            elif sums[name] != _digest(archive, name):
                yield Finding(rollout_id, 0, f"file {name} was changed")
    if len(lines) != len(FILES) - 1 or set(sums) - set(FILES):
        yield Finding(rollout_id, 0, f"{SUMS} does not list exactly the files of a bundle")


def _read_links(archive: zipfile.ZipFile, rollout_id: str) -> Iterator[Link]:
    with archive.open(EVENTS) as file:
        for number, line in enumerate(_lines(file), start=1):
            try:
                link = Link(rollout_id=rollout_id, **json.loads(line))
            except (ValueError, TypeError, RecursionError) as error:
                raise _Bad(f"line {number} of {EVENTS} makes no sense: {error}") from error
            if not _is_sound(link):
                raise _Bad(f"line {number} of {EVENTS} makes no sense: a value is of the wrong type")
            yield link


def _is_sound(link: Link) -> bool:
    """Return whether every value is of the type that the chain was made of."""
    texts = (link.kind, link.body, link.previous_hash, link.hash)
    return (
        type(link.seq) is int
        and type(link.at) in {int, float}
        and all(isinstance(text, str) for text in texts)
    )


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LARGEST_PIECE):
        if len(line) >= LARGEST_PIECE:
            raise _Bad(f"a line of {EVENTS} is longer than {LARGEST_PIECE >> 20} MiB")
        yield line


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a small file of the archive."""
    with archive.open(name) as file:
        data = file.read(LARGEST_PIECE + 1)
    if len(data) > LARGEST_PIECE:
        raise _Bad(f"{name} is larger than {LARGEST_PIECE >> 20} MiB")
    return data


def _digest(archive: zipfile.ZipFile, name: str) -> str:
    """Return the sha256 of a file of any size; zipfile never unpacks more than its entry says."""
    digest = hashlib.sha256()
    with archive.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
