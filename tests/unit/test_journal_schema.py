"""The schema's history: complete, in order, in one transaction, and never guessed at."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from tests.postgresql import Server
from tests.unit.journal_samples import ONE_OF_EACH, write_one_of_each
from wavegate.adapters.journal import look_into_journal, migrations, open_journal, schema
from wavegate.adapters.journal.tables import metadata
from wavegate.errors import WavegateError

NEXT = """
import sqlalchemy as sa
from alembic import op
revision = "0003"
down_revision = "0002"
def upgrade():
    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("rollouts", sa.Column("colour", sa.Text, nullable=False, server_default="green"))
"""


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations as a later wavegate may have them: one step more."""
    folder = tmp_path / "migrations"
    shutil.copytree(Path(migrations.__path__[0]), folder)
    (folder / "versions" / "v0003_colour.py").write_text(NEXT)
    return folder


@pytest.fixture
def written(location: str) -> str:
    """A journal with a rollout in it, in a file and on a server."""
    with open_journal(location) as journal:
        write_one_of_each(journal)
    return location


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with a rollout in it."""
    with open_journal(str(tmp_path / "journal.db")) as journal:
        write_one_of_each(journal)
    return tmp_path / "journal.db"


def set_revision(path: Path, revision: str) -> None:
    with sqlite3.connect(path) as connection:
        assert (
            connection.execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{revision}'").rowcount == 1
        )


def test_the_revisions_known_without_alembic_are_the_ones_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", schema.MIGRATIONS)
    config.set_main_option("path_separator", "os")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(steps)) == schema.REVISIONS


def test_the_migrations_lead_to_the_tables_that_the_code_uses(location: str) -> None:
    with open_journal(location) as journal, journal._reading.connect() as connection:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_every_migration_says_what_it_is_for() -> None:
    for number, revision in enumerate(schema.REVISIONS, start=1):
        found = list(Path(migrations.__path__[0], "versions").glob(f"v{revision}_*.py"))
        assert [int(file.stem[1:5]) for file in found] == [number]
        step = import_module(f"{migrations.__name__}.versions.{found[0].stem}")
        assert step.__doc__


def test_an_older_journal_is_upgraded_and_keeps_its_data(written: str, later: Path) -> None:
    with open_journal(written) as journal:
        schema.migrate(journal._reading, ("0001", "0002", "0003"), str(later))
        assert [record.event for record in journal.read("r1")] == list(ONE_OF_EACH)
        assert journal.verify("r1") == []
        with journal._reading.connect() as connection:
            assert schema.find_revision(connection) == "0003"
            assert connection.exec_driver_sql("SELECT colour FROM rollouts").scalars().all() == ["green"]


def test_a_step_that_fails_halfway_leaves_the_journal_as_it_was(written: str, later: Path) -> None:
    step = later / "versions" / "v0003_colour.py"
    step.write_text(NEXT + '    raise RuntimeError("the lights went out")\n')
    before = describe(written)
    with open_journal(written) as journal, pytest.raises(RuntimeError, match="lights"):
        schema.migrate(journal._reading, ("0001", "0002", "0003"), str(later))
    assert describe(written) == before
    with open_journal(written) as journal:
        assert journal.verify("r1") == []


def describe(location: str) -> list[object]:
    """Return every column of the journal's tables, and its revision."""
    with open_journal(location) as journal, journal._reading.connect() as connection:
        seen = inspect(connection)
        columns = [
            (table, column["name"], str(column["type"]))
            for table in seen.get_table_names()
            for column in seen.get_columns(table)
        ]
        return [*columns, schema.find_revision(connection)]


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("upgrade", [True, False])
def test_a_newer_journal_is_refused_and_left_alone(path: Path, create: bool, upgrade: bool) -> None:
    set_revision(path, "0999")
    before = path.read_bytes()
    with pytest.raises(WavegateError) as caught:
        open_journal(str(path), create=create, upgrade=upgrade)
    assert caught.value.code == "journal-newer"
    assert "0999" in caught.value.why
    assert "upgrade wavegate" in caught.value.hint
    assert path.read_bytes() == before


def test_looking_into_a_newer_journal_is_refused_too(written: str) -> None:
    with open_journal(written) as journal, journal._writing.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0999'")
    for door in (look_into_journal, open_journal):
        with pytest.raises(WavegateError) as caught:
            door(written)
        assert caught.value.code == "journal-newer"


def test_looking_into_an_older_journal_upgrades_it_first(
    written: str, later: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", ("0001", "0002", "0003"))
    monkeypatch.setattr(schema.migrate, "__defaults__", (("0001", "0002", "0003"), str(later)))
    with look_into_journal(written) as reader:
        assert [record.event for record in reader.read("r1")] == list(ONE_OF_EACH)
    with look_into_journal(written) as reader:  # it has the newest schema by now
        assert reader.verify("r1") == []


def test_an_older_journal_that_may_not_be_upgraded_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "REVISIONS", ("0001", "0002", "0003"))
    with pytest.raises(WavegateError) as caught:
        open_journal(str(path), create=False, upgrade=False)
    assert caught.value.code == "journal-older"


def test_a_journal_of_the_first_schema_becomes_one_of_the_newest_with_all_that_is_in_it(
    places: list[str], tmp_path: Path
) -> None:
    first = tmp_path / "first"
    shutil.copytree(Path(migrations.__path__[0]), first)
    for step in first.glob("versions/v*.py"):
        if not step.name.startswith("v0001_"):
            step.unlink()
    for place in places:
        with pytest.MonkeyPatch.context() as then:
            then.setattr(schema, "REVISIONS", ("0001",))
            then.setattr(schema.migrate, "__defaults__", (("0001",), str(first)))
            with open_journal(place) as journal:
                write_one_of_each(journal)
                journal.release("r1")
        with open_journal(place) as journal, journal._reading.connect() as connection:
            assert schema.find_revision(connection) == schema.REVISIONS[-1]
            assert tuple(record.event for record in journal.read("r1")) == ONE_OF_EACH
            assert journal.verify("r1") == []
            journal.acquire("r1", 1)


OPEN_AND_COUNT = """
import sys
from wavegate.adapters.journal import open_journal
with open_journal(sys.argv[1]) as journal:
    print(len(journal.rollouts()), end="")
"""


@pytest.fixture(params=["file", "postgresql"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Three journals that nobody made yet."""
    if request.param == "file":
        return [str(tmp_path / str(turn) / "journal.db") for turn in range(3)]
    server: Server = request.getfixturevalue("postgresql")
    return [server.url(server.make_database()) for _ in range(3)]


def test_processes_that_make_the_same_journal_at_once_all_get_it(places: list[str]) -> None:
    for place in places:
        command = [sys.executable, "-c", OPEN_AND_COUNT, place]
        pipe = subprocess.PIPE
        together = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) for _ in range(6)]
        assert [process.communicate(timeout=60) for process in together] == [("0", "")] * 6
