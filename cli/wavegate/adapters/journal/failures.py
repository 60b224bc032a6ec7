"""What a database's own errors mean to a person; whatever is not listed here is a bug, and crashes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from wavegate.errors import ExitCode, WavegateError

if TYPE_CHECKING:
    from sqlalchemy.engine import ExceptionContext

KEPT = "what was written before is kept"


class Failure(Struct, frozen=True):
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
    "make it writable for you (a file with its folder; a database with its tables), "
    "or put the journal elsewhere with WAVEGATE_JOURNAL",
)
NOT_READABLE = Failure(
    "journal-not-readable",
    "the journal {journal} cannot be read",
    "ask its owner, or look at another one with WAVEGATE_JOURNAL",
)
BUSY = Failure(
    "journal-busy",
    "the journal {journal} stayed locked by another process",
    "try again; if it stays so, look for who holds it (a file: `fuser -v` on it; a server: pg_stat_activity)",
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

LOST = Failure(
    "journal-unreachable",
    "the database of the journal {journal} cannot be reached",
    f"look whether the server runs and can be reached from here, then try again (`wavegate resume` for a "
    f"rollout that had begun); {KEPT}",
)
LOGIN_REFUSED = Failure(
    "journal-login-refused",
    "the database of the journal {journal} refuses the login",
    "check the user in WAVEGATE_JOURNAL and its password, best kept in ~/.pgpass or PGPASSFILE",
)
BAD_OPTION = Failure(
    "journal-location-invalid",
    "the URL of the journal {journal} has an option that cannot be used",
    "correct WAVEGATE_JOURNAL; what may follow its `?` is in PostgreSQL's manual, under libpq's parameters",
)
NO_DATABASE = Failure(
    "journal-no-database",
    "there is no database for the journal {journal}",
    "check the name in WAVEGATE_JOURNAL, or make the database (`createdb`); wavegate makes its tables itself",
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


_SQLSTATES = {
    "53100": FULL,
    "25006": NOT_WRITABLE,  # a standby, or a database set to read-only
    "42501": NOT_WRITABLE,
    "55P03": BUSY,
    "40P01": BUSY,
    "40001": BUSY,
    "53300": BUSY,
    "58030": UNREADABLE,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
    "3D000": NO_DATABASE,
    "28000": LOGIN_REFUSED,
    "28P01": LOGIN_REFUSED,
    "25P03": LOST,  # this process stood still in a transaction for too long, and the server ended it
    "57P01": LOST,
    "57P02": LOST,
    "57P03": LOST,
    "57P05": LOST,
}
_LOST_CLASS = "08"

_AT_THE_DOOR = (
    # What libpq says before there is a connection carries no code, only the server's words.
    (("password authentication failed", "no password supplied", "no pg_hba.conf entry"), LOGIN_REFUSED),
    (("role", "does not exist"), LOGIN_REFUSED),
    (("database", "does not exist"), NO_DATABASE),
    (("too many clients", "remaining connection slots"), BUSY),
)


def explain_failures(journal: str) -> Callable[[ExceptionContext], None]:
    """Return a listener for SQLAlchemy's `handle_error` that raises the WavegateError a failure means."""

    def explain(context: ExceptionContext) -> None:
        if failure := find_failure(context.original_exception):
            raise failure.about(journal, _first_lines(context.original_exception)) from None

    return explain


def find_failure(error: BaseException) -> Failure | None:
    """Return what a driver's own error means; None when it is a bug."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code) or _SQLITE.get(code & 0xFF)
    if type(error).__module__.partition(".")[0] != "psycopg":
        return None
    state = getattr(error, "sqlstate", None)
    if state:
        return LOST if state.startswith(_LOST_CLASS) else _SQLSTATES.get(state)
    if type(error).__name__ == "ProgrammingError":
        return BAD_OPTION
    return _at_the_door(str(error)) if type(error).__name__ in _CONNECTION_TROUBLE else None


_CONNECTION_TROUBLE = {"OperationalError", "ConnectionTimeout", "InterfaceError", "InternalError"}


def _at_the_door(said: str) -> Failure:
    """Return what a connection that never was, or is no more, means."""
    for words, failure in _AT_THE_DOOR:
        together = words[1:] == ("does not exist",)
        if all(word in said for word in words) if together else any(word in said for word in words):
            return failure
    return LOST


def _first_lines(error: BaseException) -> str:
    """Return what the driver says, which never repeats a password, without the statement and its place."""
    return " ".join(str(error).split("\nLINE ")[0].split())


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
