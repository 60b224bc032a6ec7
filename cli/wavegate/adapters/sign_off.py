"""Keeps the evidence of sign-offs beside a rollout, for its owner only, each file under its SHA-256."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO

from wavegate.adapters.executor.private import make_private_folder
from wavegate.errors import WavegateError

FOLDER = "evidence"
"""Below the rollout's own folder."""
_CHUNK = 1024 * 1024


def digest_evidence(case: str, file: Path) -> str:
    """Return the file's SHA-256; raise WavegateError `evidence-missing` when it cannot be read."""
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _refuse(case, f"cannot be read: {file}", str(error.strerror)) from error


def keep_evidence(work: Path, case: str, file: Path, sha256: str) -> None:
    """Copy the file, which must still be the one with this checksum; else raise `evidence-missing`."""
    target = make_private_folder(work / FOLDER) / f"{sha256}-{file.name}"
    part = target.with_name(f"{target.name}.part")
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream, _open_private(part) as copy:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() != sha256:
            raise _refuse(case, f"was changed while the vote was made: {file}")
        part.rename(target)
    except OSError as error:
        raise _refuse(case, f"cannot be kept below {work}", str(error.strerror)) from error
    finally:
        part.unlink(missing_ok=True)


def _open_private(path: Path) -> IO[bytes]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _refuse(case: str, what: str, why: str = "") -> WavegateError:
    return WavegateError(
        "evidence-missing",
        f"the evidence of {case!r} {what}",
        why=why,
        hint="the vote was not cast; name the file once more",
    )
