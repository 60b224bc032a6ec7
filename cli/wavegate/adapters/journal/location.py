"""Where a journal is: a file, one in memory, or a database on a server. Touches nothing, imports little."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from wavegate.errors import WavegateError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

VARIABLE = "WAVEGATE_JOURNAL"
BUSY_SECONDS = 10.0
"""How long a connection waits for another one's transaction; one commit takes a millisecond."""

_SQLITE = {"sqlite", "sqlite+pysqlite"}
_SERVERS = {"postgresql", "postgresql+psycopg"}
_SECRET = ("password", "sslpassword")


class Place(Struct, frozen=True):
    """A journal's file (None for one in memory or on a server), its URL, and its name for people."""

    file: Path | None
    url: URL | None = None
    busy_seconds: float = BUSY_SECONDS

    @property
    def on_server(self) -> bool:
        """Whether the journal is kept by a database server."""
        return self.url is not None and self.url.drivername in _SERVERS

    def __str__(self) -> str:
        """Return the path, or the URL without anything secret in it."""
        if self.file or self.url is None:
            return str(self.file)
        return self.url.difference_update_query(_SECRET).render_as_string(hide_password=True)


def journal_location(project: Path) -> str:
    """Return the project's journal: WAVEGATE_JOURNAL, else `.wavegate/journal.db`.

    A relative path in the variable is taken from the project's folder, so that it names the same journal
    wherever in the project a command is typed.
    """
    given = os.environ.get(VARIABLE, "")
    if "://" in given:
        return given
    return str(project / Path(given).expanduser()) if given else str(project / ".wavegate" / "journal.db")


def locate(location: str) -> Place:
    """Return the place that a path or an URL names; raise WavegateError `journal-location-invalid`."""
    if "://" not in location:
        return Place(Path(location).absolute())
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:
        # The URL itself may hold a password and is not repeated.
        raise _refuse("the journal's URL cannot be read") from error
    if url.drivername not in _SQLITE | _SERVERS:
        raise _refuse(
            f"a journal cannot be kept in {url.drivername}", "wavegate keeps it in SQLite or PostgreSQL"
        )
    seconds = _read_timeout(url)
    if url.drivername in _SERVERS:
        rest = url.difference_update_query(["timeout"])
        return Place(None, rest.set(drivername="postgresql+psycopg"), seconds)
    if not url.database or url.database == ":memory:":
        return Place(None, url, seconds)
    return Place(Path(url.database).absolute(), url, seconds)


def _read_timeout(url: URL) -> float:
    """Return what `?timeout=` says in seconds: how long to wait for another process's transaction."""
    try:
        return float(str(url.query.get("timeout", BUSY_SECONDS)))
    except ValueError as error:
        raise _refuse("the timeout in the journal's URL is no number of seconds") from error


def _refuse(what: str, why: str = "") -> WavegateError:
    hint = (
        f"set {VARIABLE} to the path of a file or to postgresql+psycopg://USER@HOST/DATABASE, "
        "or unset it to use .wavegate/journal.db in the project"
    )
    return WavegateError("journal-location-invalid", what, why=why, hint=hint)
