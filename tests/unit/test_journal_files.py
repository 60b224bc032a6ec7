"""Where the journal's file is, who can read it, and what is said when it cannot be used."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.unit.journal_samples import STARTED, begin, make_plan, write_one_of_each
from wavegate.adapters.journal import SqlJournal, journal_location, open_journal
from wavegate.core import events as ev
from wavegate.errors import ExitCode, WavegateError

NOBODY = 65534


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def as_nobody(verb: Callable[[str], str], path: Path) -> str:
    """Return what the verb says when it is not root who asks."""
    # A plain fork: nobody could not start this Python anew, and a pool's threads would be forked along.
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            become_nobody()
            os.write(write, verb(str(path)).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, encoding="utf-8") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    return answer


def become_nobody() -> None:
    if os.geteuid() == 0:
        os.setuid(NOBODY)


def try_to_write(path: str) -> str:
    try:
        open_journal(path).close()
    except WavegateError as error:
        return f"{error.code} {error.exit_code}"
    return "opened"


def count_rollouts(path: str) -> str:
    try:
        with open_journal(path, create=False) as journal:
            return str(len(journal.rollouts()))
    except WavegateError as error:
        return f"{error.code} {error.exit_code}"


def code_of(path: Path, **options: bool) -> str:
    with pytest.raises(WavegateError) as caught:
        open_journal(str(path), **options)
    assert caught.value.hint
    assert caught.value.exit_code == ExitCode.INPUT
    return caught.value.code


def test_the_journal_is_in_the_project_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    told = {}
    for given in ("", "team/j.db", "/srv/j.db", "~/j.db", "sqlite:////srv/j.db"):
        monkeypatch.setenv("WAVEGATE_JOURNAL", given)
        told[given] = journal_location(tmp_path)
    monkeypatch.delenv("WAVEGATE_JOURNAL")
    assert journal_location(tmp_path) == told[""] == str(tmp_path / ".wavegate" / "journal.db")
    assert told["team/j.db"] == str(tmp_path / "team" / "j.db")
    assert told["/srv/j.db"] == "/srv/j.db"
    assert told["~/j.db"] == "/home/ann/j.db"
    assert told["sqlite:////srv/j.db"] == "sqlite:////srv/j.db"


def test_only_the_owner_can_read_the_journal(tmp_path: Path) -> None:
    folder, before = tmp_path / ".wavegate", os.umask(0)
    try:
        with open_journal(str(folder / "journal.db")) as journal:
            begin(journal)
            rights = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert rights == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}


def test_somebody_s_own_folder_keeps_its_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    open_journal(str(tmp_path / "journal.db")).close()
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o750


@pytest.mark.parametrize("name", ["a b", "50%", "who?", "#1", "größe", "file:x", "a&mode=ro"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with open_journal(str(tmp_path / name / name)) as journal:
        begin(journal)
    assert (tmp_path / name / name).stat().st_size > 0
    assert count_rollouts(str(tmp_path / name / name)) == "1"


def test_a_url_names_the_same_file_as_its_path(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/journal.db") as journal:
        begin(journal)
    assert count_rollouts(str(tmp_path / "journal.db")) == "1"


def test_every_write_is_synced_and_readers_do_not_wait(tmp_path: Path) -> None:
    with open_journal(str(tmp_path / "journal.db")) as journal, journal._reading.connect() as connection:
        pragma = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragma == {"journal_mode": "wal", "synchronous": 3, "foreign_keys": 1, "busy_timeout": 10_000}


def test_looking_at_a_missing_journal_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".wavegate" / "journal.db"
    assert code_of(path, create=False) == "no-rollouts"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_made_and_never_written_is_no_journal_yet(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.touch()
    assert code_of(path, create=False) == "no-rollouts"
    assert path.stat().st_size == 0
    open_journal(str(path)).close()
    assert count_rollouts(str(path)) == "0"


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    assert code_of(tmp_path) == "journal-location-invalid"


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert code_of(tmp_path / "file" / "journal.db") == "journal-not-writable"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_text("these are my notes, not a database; " * 100)
    assert code_of(path) == "journal-not-a-journal"
    assert code_of(path, create=False) == "journal-not-a-journal"
    assert path.read_text().startswith("these are my notes")


def test_somebody_else_s_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url)")
    assert code_of(path) == "journal-not-a-journal"
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]


def test_a_damaged_journal_is_told_from_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(WavegateError) as caught, open_journal(str(path)) as journal:
        journal.rollouts()
    assert caught.value.code == "journal-damaged"
    assert "backup" in caught.value.hint


@pytest.mark.parametrize(
    "location", ["mysql://ann:secret@db/x", "postgresql+asyncpg://ann:secret@db/x", "ht!tp://secret"]
)
def test_a_database_that_cannot_be_used_is_refused_without_showing_its_password(location: str) -> None:
    with pytest.raises(WavegateError) as caught:
        open_journal(location)
    error = caught.value
    assert error.code == "journal-location-invalid"
    assert "secret" not in error.what + error.why + error.hint


def fill(journal: SqlJournal) -> None:
    for seq in range(1, 1000):
        journal.append("r1", seq, [ev.BatchEnded("pilot.1", "ended", "x" * 2000)], 1)


def test_a_full_disk_loses_nothing_and_the_journal_goes_on_when_there_is_space(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        begin(journal)
        journal.append("r1", 0, [STARTED], 1)

        def limit(connection: sqlite3.Connection, *_: object) -> None:
            connection.execute("PRAGMA max_page_count = 20")  # makes SQLite say that the disk is full

        event.listen(journal._reading, "checkout", limit)
        with pytest.raises(WavegateError) as caught:
            fill(journal)
        written = journal.read("r1")
        assert (caught.value.code, caught.value.exit_code) == ("journal-disk-full", ExitCode.INPUT)
        assert "wavegate resume" in caught.value.hint
        assert journal.verify("r1") == []
        event.remove(journal._reading, "checkout", limit)
        event.listen(journal._reading, "checkout", lambda c, *_: c.execute("PRAGMA max_page_count = 1000000"))
        journal.append("r1", len(written), [ev.WaveStarted("pilot")], 2)
        assert journal.verify("r1") == []


def test_a_journal_that_stays_locked_is_told_after_the_wait(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(f"sqlite:///{path}?timeout=0.05") as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        with pytest.raises(WavegateError) as caught:
            journal.acquire("r1", 1)
        assert (caught.value.code, caught.value.exit_code) == ("journal-busy", ExitCode.LOCKED)
        assert journal.find("r1").id == "r1"  # readers never wait
        blocker.execute("ROLLBACK")
        blocker.close()
        journal.acquire("r1", 1)


def test_a_folder_that_may_not_be_written_is_told_before_anything_starts(public_folder: Path) -> None:
    public_folder.chmod(0o555)
    assert as_nobody(try_to_write, public_folder / ".wavegate" / "journal.db") == "journal-not-writable 40"


def test_somebody_else_s_readable_journal_can_be_looked_at_but_not_written(public_folder: Path) -> None:
    path = public_folder / "journal.db"
    with open_journal(str(path)) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    path.chmod(0o444)
    public_folder.chmod(0o555)
    assert as_nobody(try_to_write, path) == "journal-not-writable 40"
    assert as_nobody(count_rollouts, path) == "1"
    assert [found.name for found in public_folder.iterdir()] == ["journal.db"]


def test_somebody_else_s_journal_is_not_readable_at_all(public_folder: Path) -> None:
    path = public_folder / "journal.db"
    open_journal(str(path)).close()
    if os.geteuid() != 0:
        path.chmod(0)
    assert as_nobody(count_rollouts, path) == "journal-not-readable 40"
    assert as_nobody(try_to_write, path) == "journal-not-writable 40"


def test_looking_never_imports_what_only_a_migration_needs(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        begin(journal)
    script = (
        "import sys; from wavegate.adapters.journal import open_journal; "
        "journal = open_journal(sys.argv[1], create=sys.argv[2] == 'write'); journal.read('r1'); "
        "print(*[name for name in ('alembic', 'sqlalchemy.orm', 'psutil') if name in sys.modules])"
    )
    for verb in ("read", "write"):
        told = subprocess.run(
            [sys.executable, "-c", script, str(path), verb], capture_output=True, text=True, check=True
        )
        assert told.stdout.strip() == ""
