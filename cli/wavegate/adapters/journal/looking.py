"""Look into a journal without being able to change it: a file by SQLite alone, which starts at once."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wavegate.adapters.journal import failures, schema
from wavegate.adapters.journal.location import Place, locate
from wavegate.adapters.journal.reader import JournalReader, Query

_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def look_into_journal(location: str) -> JournalReader:
    """Return the journal at a path or URL for reading; nothing is made, a missing one is `no-rollouts`.

    One with an older schema is upgraded first, as by every other verb.
    """
    place = locate(location)
    if place.file is None:
        from wavegate.adapters.journal.opening import open_journal

        return open_journal(location, create=False)
    require_readable(place, place.file)
    reader = FileReader(place, place.file)
    found = reader.find_revision()
    if found in schema.REVISIONS[:-1]:
        from wavegate.adapters.journal.opening import open_journal

        reader.close()
        return open_journal(location, create=False)
    schema.require_current(str(place), found)
    return reader


class FileReader(JournalReader):
    """A journal in a file, over one connection of Python's own SQLite module."""

    def __init__(self, place: Place, path: Path) -> None:
        super().__init__(str(place), self._begin, time.time)
        with self._explained():
            uri = name_file(path)
            self._connection = sqlite3.connect(
                uri, uri=True, timeout=place.busy_seconds, isolation_level=None
            )
            self._connection.execute("PRAGMA query_only = ON")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def find_revision(self) -> str:
        """Return the journal's schema revision, "" for an empty file; raise WavegateError otherwise."""
        with self._explained():
            if schema.is_journal(self.location, (name for (name,) in self._connection.execute(_TABLES))):
                return str(self._connection.execute(schema.FIND_VERSION).fetchone()[0])
        return ""

    @contextmanager
    def _begin(self) -> Iterator[Query]:
        with self._explained():
            nested = self._connection.in_transaction
            if not nested:
                self._connection.execute("BEGIN")
            try:
                yield self._query
            finally:
                if not nested:
                    self._connection.execute("ROLLBACK")

    def _query(self, sql: str, *values: object) -> Iterable[Any]:
        return self._connection.execute(sql, values)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if failure := failures.find_failure(error):
                raise failure.about(self.location, str(error)) from error
            raise


def require_readable(place: Place, path: Path) -> None:
    """Raise WavegateError unless the file is there and may be read."""
    if path.is_dir():
        raise failures.tell_folder(path)
    if not path.exists():
        raise failures.tell_missing(str(place))
    if not os.access(path, os.R_OK):
        raise failures.NOT_READABLE.about(str(place), "you may not read the file")


def name_file(path: Path) -> str:
    """Return the URI of a file that exists and is never made by SQLite itself, which would ignore its rights.

    Where nobody can write (a read-only file system) and nothing is pending, SQLite must be told so to read.
    """
    immutable = not os.access(path.parent, os.W_OK) and not Path(f"{path}-wal").exists()
    # https://www.sqlite.org/uri.html#the_uri_path; quoting more would cost an import.
    quoted = str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return f"file:{quoted}?{'immutable=1' if immutable else 'mode=rw'}"
