"""What a database's own errors mean to a person; whatever is not listed here is a bug, and crashes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import ExceptionContext

from wavegate.errors import ExitCode, WavegateError

KEPT = "what was written before is kept"


@dataclass(frozen=True, slots=True)
class Failure:
    """The wording of one kind of trouble; `what` is about {journal}."""

    code: str
    what: str
    hint: str
    exit_code: ExitCode = ExitCode.INPUT

    def about(self, journal: str, why: str) -> WavegateError:
        """Return the error for one journal."""
        what = self.what.format(journal=journal)
        return WavegateError(self.code, what, why=why, hint=self.hint, exit_code=self.exit_code)


FULL = Failure(
    "journal-disk-full",
    "the journal {journal} cannot grow: its disk is full",
    f"free some space there, then try again (`wavegate resume` for a rollout that had begun); {KEPT}",
)
NOT_WRITABLE = Failure(
    "journal-not-writable",
    "the journal {journal} cannot be written",
    "make the file and its folder writable for you, or put the journal elsewhere with WAVEGATE_JOURNAL",
)
NOT_READABLE = Failure(
    "journal-not-readable",
    "the journal {journal} cannot be read",
    "ask its owner, or look at another one with WAVEGATE_JOURNAL",
)
BUSY = Failure(
    "journal-busy",
    "the journal {journal} stayed locked by another process",
    "try again; if it stays so, look for a process that holds the file open (`fuser -v` on it)",
    ExitCode.LOCKED,
)
UNREADABLE = Failure(
    "journal-unreadable",
    "the disk under the journal {journal} reports an error",
    f"look at the disk and its mount (`dmesg`), then try again; {KEPT} as far as the disk kept it",
)
DAMAGED = Failure(
    "journal-damaged",
    "the journal {journal} is damaged",
    "keep a copy of the file as it is, then put back a good one from a backup, "
    "or move it away to start with an empty journal",
)
NOT_A_JOURNAL = Failure(
    "journal-not-a-journal",
    "{journal} is not a wavegate journal",
    "check the path (WAVEGATE_JOURNAL); move the file away if it should be a journal and is not",
)
NEWER = Failure(
    "journal-newer",
    "the journal {journal} was written by a newer wavegate",
    "upgrade wavegate to at least the version that wrote it; nothing was changed",
)

_SQLITE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_CANTOPEN: NOT_WRITABLE,
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_IOERR: UNREADABLE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: NOT_A_JOURNAL,
    # The index file beside the journal could not grow, which SQLite does not call "full".
    sqlite3.SQLITE_IOERR_SHMSIZE: FULL,
}


def explain_failures(journal: str) -> Callable[[ExceptionContext], None]:
    """Return a listener for SQLAlchemy's `handle_error` that raises the WavegateError a failure means."""

    def explain(context: ExceptionContext) -> None:
        original = context.original_exception
        code = getattr(original, "sqlite_errorcode", None)
        if code is None:
            return
        failure = _SQLITE.get(code) or _SQLITE.get(code & 0xFF)
        if failure:
            raise failure.about(journal, str(original)) from original

    return explain


def tell_missing(journal: str) -> WavegateError:
    """Return the error for a journal that nobody wrote yet."""
    return WavegateError(
        "no-rollouts",
        "there is no rollout yet",
        why=f"there is no journal at {journal}",
        hint="start one with `wavegate run FILE`, or go to the folder of the project you mean",
    )


def tell_folder(path: Path) -> WavegateError:
    """Return the error for a journal whose path is a folder."""
    hint = f"name a file in it, such as {path / 'journal.db'}"
    return WavegateError("journal-location-invalid", f"the journal {path} is a folder", hint=hint)
