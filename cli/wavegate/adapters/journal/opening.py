"""Open a journal to write it: its file with its rights, its connections, its schema."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from threading import RLock
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import QueuePool, StaticPool

from wavegate.adapters.journal import failures
from wavegate.adapters.journal.location import Place, locate
from wavegate.adapters.journal.looking import name_file, require_readable
from wavegate.adapters.journal.owner import Owner, this_process
from wavegate.adapters.journal.schema import find_revision, migrate, require_current
from wavegate.adapters.journal.store import SqlJournal


def open_journal(
    location: str, *, create: bool = True, upgrade: bool = True, owner: Owner | None = None
) -> SqlJournal:
    """Return the journal at a path or SQLAlchemy URL; `sqlite://` is one in memory, for tests.

    With `create`, a missing one is made (folder 0700, files 0600; a server's database must be there) and one
    that cannot be written is refused at once; without it, nothing is made, and a missing one is the
    WavegateError `no-rollouts`. With `upgrade`, an older schema is brought up to date; without it, it is
    refused. `owner` is whom leases are taken for, by default this process.
    """
    place = locate(location)
    if place.file:
        _prepare_file(place, place.file, create=create)
    engine = _make_engine(place)
    try:
        if create and place.on_server:
            _require_writable(engine, place)
        if upgrade and (create or _has_content(engine, place)):
            if create and place.file:
                _prefer_wal(engine, place.file)
            migrate(engine)
        else:
            with engine.connect() as connection:
                found = find_revision(connection)
            require_current(str(place), found)
    except BaseException:
        engine.dispose()
        raise
    # All threads share the one connection of a journal in memory, so they take turns.
    shared = place.file is None and not place.on_server
    guard: AbstractContextManager[Any] = RLock() if shared else nullcontext()
    return SqlJournal(engine, str(place), owner or this_process(), guard)


def _prepare_file(place: Place, path: Path, *, create: bool) -> None:
    """Make the file, readable by its owner only, or check that it can be used as asked."""
    try:
        if create and not path.exists():
            _make_folder(path.parent)
            # SQLite gives the files it makes beside this one (-wal, -shm) the same rights.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        failure = failures.FULL if full else failures.NOT_WRITABLE
        raise failure.about(str(place), str(error)) from error
    writable = os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)
    if create and not path.is_dir() and not writable:
        raise failures.NOT_WRITABLE.about(str(place), "you may not write the file or its folder")
    require_readable(place, path)


def _make_folder(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def _has_content(engine: Engine, place: Place) -> bool:
    """Return whether there is anything to upgrade: a file that was made and never written is no journal."""
    if not place.on_server:
        return place.file is None or place.file.stat().st_size > 0
    with engine.connect() as connection:
        return bool(find_revision(connection))


def _make_engine(place: Place) -> Engine:
    if place.on_server:
        from wavegate.adapters.journal.server import make_server_engine

        return make_server_engine(place)
    options: dict[str, Any] = {"execution_options": {"journal": str(place)}}
    if place.file:
        engine = create_engine(
            URL.create("sqlite"),
            creator=lambda: _connect(place),
            poolclass=QueuePool,
            **options,
        )
    else:
        shared = {"check_same_thread": False}
        engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=shared, **options)
    event.listen(engine, "connect", _set_up_connection)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", failures.explain_failures(str(place)))
    return engine


def _connect(place: Place) -> sqlite3.Connection:
    assert place.file is not None  # noqa: S101 - what this is called for
    return sqlite3.connect(
        name_file(place.file), uri=True, timeout=place.busy_seconds, check_same_thread=False
    )


def _require_writable(engine: Engine, place: Place) -> None:
    from wavegate.adapters.journal.server import require_writable

    require_writable(engine, place)


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
