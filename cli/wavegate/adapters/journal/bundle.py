"""The evidence bundle: everything that a rollout's journal says, in one file that proves itself.

A zip of a known list of files. The same journal makes the same bytes (with the same zlib), so that a bundle
can be known by its checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec.structs import asdict

from wavegate import __version__
from wavegate.adapters.journal.chain import Link, to_canonical_json
from wavegate.adapters.journal.reader import JournalReader
from wavegate.errors import WavegateError
from wavegate.ports import RolloutRow

FORMAT = 1
KIND = "wavegate evidence bundle"
MANIFEST, PLAN, EVENTS, SUMS = "manifest.json", "plan.json", "events.jsonl", "SHA256SUMS"
REPORTS = ("report.html", "report.json", "report.txt")
FILES = (MANIFEST, PLAN, EVENTS, *REPORTS, SUMS)
"""Every file of a bundle, in its order."""

_NO_TIME = (1980, 1, 1, 0, 0, 0)
"""A zip's earliest time: when a bundle was made is no part of it."""

_OWNER_ONLY = (stat.S_IFREG | 0o600) << 16


def write_bundle(
    journal: JournalReader, row: RolloutRow, reports: Mapping[str, str], output: Path
) -> tuple[str, int]:
    """Write the rollout's bundle, readable by its owner only; return its sha256 and the number of events.

    The file is there as a whole or not at all. Raise WavegateError `bundle-not-written`.
    """
    try:
        handle, name = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        part = Path(name)
        try:
            with os.fdopen(handle, "w+b") as file:
                with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                    count = _fill(archive, journal, row, reports)
                file.flush()
                os.fsync(file.fileno())
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            part.replace(output)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise WavegateError(
            "bundle-not-written",
            f"the evidence bundle cannot be written to {output}",
            why=error.strerror or str(error),
            hint="name a file in a folder that exists, has room, and that you may write to",
        ) from error
    return digest, count


def _fill(
    archive: zipfile.ZipFile, journal: JournalReader, row: RolloutRow, reports: Mapping[str, str]
) -> int:
    """Write the files and what sums them up; return the number of events."""
    sums: dict[str, str] = {}
    last = Link(row.id, 0, 0.0, "", "", "", row.plan_hash)

    def events() -> Iterator[str]:
        nonlocal last
        for last in journal.links(row.id):
            yield to_canonical_json(to_line(last)) + "\n"

    sums[PLAN] = _add(archive, PLAN, [journal.plan_text(row.id)])
    sums[EVENTS] = _add(archive, EVENTS, events())
    for name in REPORTS:
        sums[name] = _add(archive, name, [reports[name]])
    manifest = {
        "kind": KIND,
        "format": FORMAT,
        "wavegate": __version__,
        "rollout": {name: getattr(row, name) for name in ("id", "name", "file", "plan_hash", "created_at")},
        "status": row.status,
        "events": last.seq,
        "last_hash": last.hash,
    }
    sums[MANIFEST] = _add(archive, MANIFEST, [json.dumps(manifest, indent=2) + "\n"])
    _add(archive, SUMS, (f"{digest}  {name}\n" for name, digest in sorted(sums.items())))
    return last.seq


def to_line(link: Link) -> dict[str, object]:
    """Return what a line of the events file says: all that the chain covers, the body as it was hashed."""
    line = asdict(link)
    del line["rollout_id"]
    return line


def _add(archive: zipfile.ZipFile, name: str, texts: Iterable[str]) -> str:
    """Write one file of the archive piece by piece; return the sha256 of what it holds."""
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, _OWNER_ONLY, 3
    digest = hashlib.sha256()
    with archive.open(entry, "w", force_zip64=True) as file:
        for text in texts:
            data = text.encode("utf-8", "backslashreplace")
            digest.update(data)
            file.write(data)
    return digest.hexdigest()
