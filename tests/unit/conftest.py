"""What several test files share: one PostgreSQL server for all of them, and journals in every database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgresql import NoServerError, Server, run_server
from wavegate.adapters.journal import open_journal


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real server for the whole session, with a database `migrated` to copy from."""
    try:
        with run_server() as server:
            server.execute("CREATE DATABASE migrated")
            open_journal(server.url("migrated")).close()
            yield server
    except NoServerError as error:
        if os.environ.get("CI"):
            pytest.fail(f"in CI the journal is tested on PostgreSQL, too: {error}")
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {error}")


@pytest.fixture(params=["file", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty journal: in a file, and on a server."""
    if request.param == "file":
        return str(tmp_path / "journal.db")
    server: Server = request.getfixturevalue("postgresql")
    return server.url(server.make_database("migrated"))
