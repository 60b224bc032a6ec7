"""Where a journal is: a path, or an SQLAlchemy URL. Touches nothing."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from wavegate.errors import WavegateError

VARIABLE = "WAVEGATE_JOURNAL"


@dataclass(frozen=True, slots=True)
class Place:
    """A journal's URL, its file (None for one in memory), and its name as people may see it."""

    url: URL
    file: Path | None

    def __str__(self) -> str:
        """Return the path, or the URL without its password."""
        return str(self.file) if self.file else self.url.render_as_string(hide_password=True)


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
        path = Path(location).absolute()
        return Place(URL.create("sqlite", database=str(path)), path)
    try:
        url = make_url(location)
    except (ArgumentError, ValueError) as error:
        # The URL itself may hold a password and is not repeated.
        raise _refuse("the journal's URL cannot be read") from error
    if url.drivername not in {"sqlite", "sqlite+pysqlite"}:
        raise _refuse(f"a journal cannot be kept in {url.drivername}", "this wavegate keeps it in SQLite")
    if not url.database or url.database == ":memory:":
        return Place(url, None)
    return Place(url, Path(url.database).absolute())


def _refuse(what: str, why: str = "") -> WavegateError:
    hint = f"set {VARIABLE} to the path of a file, or unset it to use .wavegate/journal.db in the project"
    return WavegateError("journal-location-invalid", what, why=why, hint=hint)
