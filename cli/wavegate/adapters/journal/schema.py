"""Which schema a journal has, and how it gets the one this wavegate knows.

The question is plain SQL, so that a command that only looks never pays for Alembic's import.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from wavegate.adapters.journal import failures
from wavegate.errors import WavegateError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

VERSION_TABLE = "journal_version"
FIND_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - a constant
REVISIONS = ("0001", "0002")
"""Every schema this wavegate knows, oldest first."""

MIGRATIONS = "wavegate.adapters.journal:migrations"
_LOCK = 0x7761_7665_6761_7465
"""The number of the journal's one lock on a server: "wavegate" in ASCII."""


def find_revision(connection: Connection) -> str:
    """Return the journal's schema revision, "" for an empty database.

    Raise WavegateError `journal-not-a-journal` for a database that holds something else.
    """
    from sqlalchemy import inspect

    tables = inspect(connection).get_table_names()
    if is_journal(_name(connection.engine), tables):
        return str(connection.exec_driver_sql(FIND_VERSION).scalar_one())
    return ""


def is_journal(name: str, tables: Iterable[str]) -> bool:
    """Return whether the tables are a journal's, False when there are none.

    Raise WavegateError `journal-not-a-journal` for tables of something else.
    """
    found = sorted(tables)
    if found and VERSION_TABLE not in found:
        raise failures.NOT_A_JOURNAL.about(name, f"it holds other tables: {', '.join(found[:5])}")
    return bool(found)


def require_current(name: str, found: str) -> None:
    """Raise WavegateError unless `found` is exactly the schema this wavegate reads and writes."""
    if not found:
        raise failures.tell_missing(name)
    _refuse_newer(name, found, REVISIONS)
    if found != REVISIONS[-1]:
        raise WavegateError(
            "journal-older",
            f"the journal {name} was written by an older wavegate",
            why=f"its schema is {found}, this wavegate's is {REVISIONS[-1]}",
            hint="the next `wavegate run` or `wavegate resume` upgrades it and keeps its data",
        )


def migrate(engine: Engine, revisions: Sequence[str] = REVISIONS, migrations: str = MIGRATIONS) -> None:
    """Bring the journal to the newest schema in one transaction, keeping its data; do nothing if it has it.

    Raise WavegateError `journal-newer`, and change nothing, when this wavegate does not know its schema.
    """
    with engine.connect() as connection:
        found = find_revision(connection)
    if found != revisions[-1]:
        _refuse_newer(_name(engine), found, revisions)
        _run_steps(engine, migrations)


def take_turns(connection: Connection) -> None:
    """Let one process at a time go on from here, until the end of its transaction.

    SQLite has one writer anyhow; a server gets told.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _run_steps(engine: Engine, migrations: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", migrations)
    config.set_main_option("path_separator", "os")
    with engine.execution_options(writing=True).begin() as connection:
        take_turns(connection)
        # Alembic looks again inside this transaction, so of two processes one finds nothing to do.
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_newer(name: str, found: str, revisions: Sequence[str]) -> None:
    if found and found not in revisions:
        why = f"its schema is {found}, this wavegate knows {revisions[0]} to {revisions[-1]}"
        raise failures.NEWER.about(name, why)


def _name(engine: Engine) -> str:
    return str(engine.get_execution_options()["journal"])
