"""Which schema a journal has, and how it gets the one this wavegate knows.

The question is plain SQL, so that a command that only looks never pays for Alembic's import.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine, inspect, text

from wavegate.adapters.journal import failures
from wavegate.errors import WavegateError

VERSION_TABLE = "journal_version"
REVISIONS = ("0001",)
"""Every schema this wavegate knows, oldest first."""

MIGRATIONS = "wavegate.adapters.journal:migrations"


def find_revision(connection: Connection) -> str:
    """Return the journal's schema revision, "" for an empty database.

    Raise WavegateError `journal-not-a-journal` for a database that holds something else.
    """
    tables = inspect(connection).get_table_names()
    if VERSION_TABLE in tables:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar_one()  # noqa: S608
        return str(found)
    if tables:
        listed = ", ".join(sorted(tables)[:5])
        raise failures.NOT_A_JOURNAL.about(_name(connection.engine), f"it holds other tables: {listed}")
    return ""


def require_current(engine: Engine) -> None:
    """Raise WavegateError unless the journal has exactly the schema this wavegate reads and writes."""
    with engine.connect() as connection:
        found = find_revision(connection)
    if not found:
        raise failures.tell_missing(_name(engine))
    _refuse_newer(engine, found, REVISIONS)
    if found != REVISIONS[-1]:
        raise WavegateError(
            "journal-older",
            f"the journal {_name(engine)} was written by an older wavegate",
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
        _refuse_newer(engine, found, revisions)
        _run_steps(engine, migrations)


def _run_steps(engine: Engine, migrations: str) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", migrations)
    config.set_main_option("path_separator", "os")
    with engine.execution_options(writing=True).begin() as connection:
        # Alembic looks again inside this transaction, so of two processes one finds nothing to do.
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _refuse_newer(engine: Engine, found: str, revisions: Sequence[str]) -> None:
    if found and found not in revisions:
        why = f"its schema is {found}, this wavegate knows {revisions[0]} to {revisions[-1]}"
        raise failures.NEWER.about(_name(engine), why)


def _name(engine: Engine) -> str:
    return str(engine.get_execution_options()["journal"])
