"""Open a journal: its file with its rights, its connections, its schema."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool, StaticPool

from wavegate.adapters.journal import failures
from wavegate.adapters.journal.location import Place, locate
from wavegate.adapters.journal.owner import Owner, this_process
from wavegate.adapters.journal.schema import migrate, require_current
from wavegate.adapters.journal.store import SqlJournal

BUSY_SECONDS = 10.0
"""How long a connection waits for another one's transaction; one commit takes a millisecond."""


def open_journal(
    location: str, *, create: bool = True, upgrade: bool = True, owner: Owner | None = None
) -> SqlJournal:
    """Return the journal at a path or SQLAlchemy URL; `sqlite://` is one in memory, for tests.

    With `create`, a missing one is made (folder 0700, files 0600) and one that cannot be written is refused
    at once; without it, nothing is made, and a missing one is the WavegateError `no-rollouts`.
    With `upgrade`, an older schema is brought up to date; without it, it is refused. `owner` is whom leases
    are taken for, by default this process.
    """
    place = locate(location)
    if place.file:
        _prepare_file(place, place.file, create=create)
    engine = _make_engine(place)
    try:
        if upgrade and (create or _has_content(place)):
            if create and place.file:
                _prefer_wal(engine, place.file)
            migrate(engine)
        else:
            require_current(engine)
    except BaseException:
        engine.dispose()
        raise
    # All threads share the one connection of a journal in memory, so they take turns.
    guard: AbstractContextManager[Any] = nullcontext() if place.file else RLock()
    return SqlJournal(engine, str(place), owner or this_process(), guard)


def _prepare_file(place: Place, path: Path, *, create: bool) -> None:
    """Make the file, readable by its owner only, or check that it can be used as asked."""
    if path.is_dir():
        raise failures.tell_folder(path)
    try:
        if not path.exists():
            if not create:
                raise failures.tell_missing(str(place))
            _make_folder(path.parent)
            # SQLite gives the files it makes beside this one (-wal, -shm) the same rights.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        failure = failures.FULL if full else failures.NOT_WRITABLE
        raise failure.about(str(place), str(error)) from error
    if create and not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)):
        raise failures.NOT_WRITABLE.about(str(place), "you may not write the file or its folder")
    if not os.access(path, os.R_OK):
        raise failures.NOT_READABLE.about(str(place), "you may not read the file")


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _has_content(place: Place) -> bool:
    """Return whether there is anything to upgrade: a file that was made and never written is no journal."""
    return place.file is None or place.file.stat().st_size > 0


def _make_engine(place: Place) -> Engine:
    options: dict[str, Any] = {"execution_options": {"journal": str(place)}}
    if place.file:
        timeout = float(str(place.url.query.get("timeout", BUSY_SECONDS)))
        engine = create_engine(
            _name_file(place.file), poolclass=QueuePool, connect_args={"timeout": timeout}, **options
        )
    else:
        shared = {"check_same_thread": False}
        engine = create_engine(place.url, poolclass=StaticPool, connect_args=shared, **options)
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", failures.explain_failures(str(place)))
    return engine


def _name_file(path: Path) -> URL:
    """Return the URL of a file that exists and is never made by SQLite itself, which would ignore its rights.

    Where nobody can write (a read-only file system) and nothing is pending, SQLite must be told so to read.
    """
    query = {"uri": "true", "mode": "rw"}
    if not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists():
        query = {"uri": "true", "immutable": "1"}
    return URL.create("sqlite", database=f"file:{quote(str(path))}", query=query)


def _set_up_connection(connection: sqlite3.Connection, _record: object) -> None:
    # None: the driver opens no transactions of its own, which it does too late and never for DDL.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # EXTRA is FULL where the journal is in WAL mode, and safe as well where a file system has no WAL.
    connection.execute("PRAGMA synchronous = EXTRA")


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("outside_transaction"):
        return
    # A writer takes the lock at once: a transaction that begins by reading cannot always become one.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")


def _prefer_wal(engine: Engine, path: Path) -> None:
    """Let readers and the writer not wait for each other; the file remembers it."""
    with path.open("rb") as file:
        modes = file.read(20)[18:]  # https://www.sqlite.org/fileformat.html#file_format_version_numbers
    if modes != b"\x02\x02":
        with engine.execution_options(outside_transaction=True).connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
