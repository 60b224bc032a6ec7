"""A journal on a PostgreSQL server: connections that notice a lost server, and that it can be written."""

from __future__ import annotations

import importlib.util
from typing import Any

from sqlalchemy import Engine, create_engine, event

from wavegate.adapters.journal import failures
from wavegate.adapters.journal.location import Place
from wavegate.errors import WavegateError

CONNECT_SECONDS = 10
STANDSTILL_SECONDS = 20
"""A process that was stopped in the middle of a transaction keeps others waiting for this long, no longer."""

_LIBPQ: dict[str, Any] = {
    "connect_timeout": CONNECT_SECONDS,
    "application_name": "wavegate",
    # A server whose machine vanished is noticed in half a minute, not in the kernel's two hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def make_server_engine(place: Place) -> Engine:
    """Return the engine for a place on a server; raise WavegateError `journal-driver-missing`."""
    if importlib.util.find_spec("psycopg") is None:
        raise WavegateError(
            "journal-driver-missing",
            f"the journal {place} needs the PostgreSQL driver, which is not installed",
            hint='pip install "wavegate[postgresql]" in the environment that wavegate runs in',
        )
    assert place.url is not None  # noqa: S101 - what a place on a server is
    given = place.url.query
    options = {name: value for name, value in _LIBPQ.items() if name not in given}
    try:
        engine = create_engine(
            place.url,
            connect_args=options,
            pool_pre_ping=True,
            # Statements and their values stay out of every message.
            hide_parameters=True,
            execution_options={"journal": str(place)},
        )
    except ImportError as error:
        raise WavegateError(
            "journal-driver-missing",
            "the PostgreSQL driver is installed, but cannot be used",
            why=str(error),
            hint='pip install "psycopg[binary]>=3.2,<4" brings one that needs no library of the system',
        ) from error
    waiting = int(place.busy_seconds * 1000)
    event.listen(engine, "connect", lambda connection, _: _set_up(connection, waiting))
    event.listen(engine, "handle_error", failures.explain_failures(str(place)))
    return engine


def _set_up(connection: Any, waiting: int) -> None:
    """Bound every wait, and make sure that a commit is on disk when it returns, whatever the server's own."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {waiting}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{STANDSTILL_SECONDS}s'")
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":
            cursor.execute("SET synchronous_commit = on")
    connection.commit()


def require_writable(engine: Engine, place: Place) -> None:
    """Raise WavegateError `journal-not-writable` where the server only answers (a standby)."""
    with engine.connect() as connection:
        if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on":
            why = "its server only lets it be read (a standby, or default_transaction_read_only)"
            raise failures.NOT_WRITABLE.about(str(place), why)
