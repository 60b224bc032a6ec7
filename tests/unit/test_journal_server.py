"""A journal on a real PostgreSQL server: what is said when it fails, and that nothing is lost or doubled."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.postgresql import Server, run_server
from tests.unit.journal_samples import STARTED, begin, make_plan, write_one_of_each
from tests.unit.scratch import Scratch
from wavegate.adapters.journal import look_into_journal, open_journal, server, store
from wavegate.adapters.journal.tables import metadata
from wavegate.core import events as ev
from wavegate.errors import ExitCode, WavegateError


@pytest.fixture
def url(postgresql: Server) -> str:
    """The URL of a new journal."""
    return postgresql.url(postgresql.make_database("migrated"))


@pytest.fixture(scope="module")
def fragile(postgresql: Server) -> Iterator[Server]:
    """A server of its own, which a test may end and start again."""
    with run_server() as own:
        yield own


def refused(location: str, **options: bool) -> WavegateError:
    with pytest.raises(WavegateError) as caught:
        open_journal(location, **options)
    error = caught.value
    assert error.hint
    for text in (error.what, error.why, error.hint):
        assert "not:a@secret" not in text
        assert "not%3Aa%40secret" not in text
    return error


def test_a_new_database_becomes_a_journal_and_looking_makes_nothing(postgresql: Server) -> None:
    name = postgresql.make_database()
    assert refused(postgresql.url(name), create=False).code == "no-rollouts"
    count = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    assert postgresql.execute(count, name) == [(0,)]
    with open_journal(postgresql.url(name)) as journal:
        write_one_of_each(journal)
    with look_into_journal(postgresql.url(name)) as reader:
        assert reader.verify("r1") == []
    assert postgresql.execute(count, name) == [(len(metadata.tables) + 1,)]  # and the schema's version


def test_the_login_is_checked_and_the_password_never_shown(postgresql: Server) -> None:
    name = postgresql.make_database("migrated")
    with open_journal(postgresql.tcp_url(name)) as journal:
        begin(journal)
        assert "***" in journal.location
    wrong = postgresql.tcp_url(name, password="wrong-not%3Aa%40secret")
    assert refused(wrong).code == "journal-login-refused"
    assert refused(postgresql.tcp_url(name, user="nobody-we-know")).code == "journal-login-refused"
    in_query = f"postgresql://postgres@127.0.0.1:{postgresql.port}/{name}?password=wrong-not%3Aa%40secret"
    assert refused(in_query).code == "journal-login-refused"


def test_a_missing_database_a_missing_server_and_a_strange_one_are_told_apart(postgresql: Server) -> None:
    assert refused(postgresql.url("nowhere")).code == "journal-no-database"
    assert refused("postgresql+psycopg://postgres@127.0.0.1:1/x").code == "journal-unreachable"
    name = postgresql.make_database()
    postgresql.execute("CREATE TABLE bookmarks (url text)", name)
    assert refused(postgresql.url(name)).code == "journal-not-a-journal"


@pytest.mark.parametrize("option", ["tiemout=3", "timeout=soon", "connect_timeout=soon"])
def test_an_option_that_cannot_be_used_is_told(postgresql: Server, option: str) -> None:
    url = f"{postgresql.url(postgresql.make_database('migrated'))}&{option}"
    assert refused(url).code in {"journal-location-invalid", "journal-unreachable"}


def test_a_missing_driver_says_how_to_get_it(postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.importlib.util, "find_spec", lambda _: None)
    error = refused(postgresql.tcp_url("x"))
    assert error.code == "journal-driver-missing"
    assert 'pip install "wavegate[postgresql]"' in error.hint


def test_a_server_that_only_answers_is_refused_before_anything_starts(postgresql: Server) -> None:
    name = postgresql.make_database("migrated")
    url = postgresql.url(name)
    with open_journal(url) as journal:
        begin(journal)
        journal.release("r1")
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert refused(url).code == "journal-not-writable"
    with look_into_journal(url) as reader:
        assert len(reader.rollouts()) == 1
    with open_journal(url, create=False) as journal, pytest.raises(WavegateError) as caught:
        journal.acquire("r1", 1.0)
    assert caught.value.code == "journal-not-writable"


def test_a_standby_is_looked_into_and_never_written(fragile: Server) -> None:
    name = fragile.make_database()
    with open_journal(fragile.url(name)) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    standby = fragile.make_standby()
    try:
        with look_into_journal(standby.url(name)) as reader:
            assert [row.id for row in reader.rollouts()] == ["r1"]
            assert reader.verify("r1") == []
        assert refused(standby.url(name)).code == "journal-not-writable"
        with open_journal(standby.url(name), create=False) as journal, pytest.raises(WavegateError) as caught:
            journal.acquire("r1", 1.0)
        assert caught.value.code == "journal-not-writable"
    finally:
        standby.stop()


def test_who_may_not_write_the_tables_is_told(postgresql: Server) -> None:
    name = postgresql.make_database("migrated")
    postgresql.execute("DROP ROLE IF EXISTS guest")
    postgresql.execute("CREATE ROLE guest LOGIN")
    postgresql.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest", name)
    url = postgresql.url(name).replace("//postgres@", "//guest@")
    with look_into_journal(url) as reader:
        assert reader.rollouts() == []
    with open_journal(url) as journal, pytest.raises(WavegateError) as caught:
        journal.create("r1", make_plan(), "f.yml", 1.0)
    assert caught.value.code == "journal-not-writable"
    postgresql.execute("DROP OWNED BY guest", name)
    postgresql.execute("DROP ROLE guest")


SET_FULL = "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE disk_full; END $$"


def test_a_full_disk_loses_nothing(postgresql: Server) -> None:
    name = postgresql.make_database("migrated")
    with open_journal(postgresql.url(name)) as journal:
        begin(journal)
        journal.append("r1", 0, [STARTED], 1)
        # The server's own error, raised where a real one is: in the middle of the write.
        postgresql.execute(SET_FULL, name)
        trigger = "CREATE TRIGGER fill BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fill()"
        postgresql.execute(trigger, name)
        with pytest.raises(WavegateError) as caught:
            journal.append("r1", 1, [ev.WaveStarted("pilot")], 2)
        assert caught.value.code == "journal-disk-full"
        postgresql.execute("DROP TRIGGER fill ON events", name)
        journal.append("r1", 1, [ev.WaveStarted("pilot")], 3)
        assert journal.verify("r1") == []


def test_a_stopped_transaction_keeps_others_waiting_only_for_a_while(url: str) -> None:
    with open_journal(f"{url}&timeout=1") as journal, open_journal(url) as other:
        begin(journal)
        with other.claiming(), other._writing.connect() as holder, holder.begin():
            holder.exec_driver_sql("SELECT 1 FROM rollouts FOR UPDATE")
            with pytest.raises(WavegateError) as caught:
                journal.append("r1", 0, [STARTED], 1)
        assert (caught.value.code, caught.value.exit_code) == ("journal-busy", ExitCode.LOCKED)
        journal.append("r1", 0, [STARTED], 1)
        with journal._reading.connect() as connection:
            limit = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
    assert limit == f"{server.STANDSTILL_SECONDS}s"


def test_commits_are_on_disk_when_they_return_whatever_the_server_is_set_to(postgresql: Server) -> None:
    name = postgresql.make_database("migrated")
    postgresql.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with open_journal(postgresql.url(name)) as journal, journal._writing.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_server_that_comes_back_finds_the_writer_waiting(fragile: Server) -> None:
    with open_journal(fragile.url(fragile.make_database())) as journal:
        begin(journal)
        journal.append("r1", 0, [STARTED], 1)
        fragile.stop()

        def go_on() -> None:
            journal.append("r1", 1, [ev.WaveStarted("pilot")], 2)
            journal.heartbeat("r1", 3)

        writer = threading.Thread(target=go_on)
        writer.start()
        writer.join(0.5)
        assert writer.is_alive()
        fragile.start()
        writer.join()
        assert [record.seq for record in journal.read("r1")] == [1, 2]
        assert journal.verify("r1") == []


def test_a_server_that_stays_away_is_an_error_that_resume_mends(
    fragile: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "RETRY_SECONDS", 0.3)
    with open_journal(fragile.url(fragile.make_database())) as journal:
        begin(journal)
        fragile.stop()
        try:
            with pytest.raises(WavegateError) as caught:
                journal.append("r1", 0, [STARTED], 1)
        finally:
            fragile.start()
        assert (caught.value.code, caught.value.exit_code) == ("journal-unreachable", ExitCode.INPUT)
        assert "wavegate resume" in caught.value.hint
        assert "INSERT" not in caught.value.why
        journal.append("r1", 0, [STARTED], 1)


@pytest.mark.parametrize("written", [True, False])
def test_a_commit_whose_answer_was_lost_is_found_out_about(
    url: str, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    with open_journal(url) as journal:
        begin(journal)
        real, failed = journal._engine.dialect.do_commit, []

        def lose_answer(connection: object) -> None:
            if not failed:
                failed.append(True)
                if written:
                    real(connection)
                connection.driver_connection.close()  # type: ignore[attr-defined]
            real(connection)

        monkeypatch.setattr(journal._engine.dialect, "do_commit", lose_answer)
        told = journal.append("r1", 0, [STARTED, ev.WaveStarted("pilot")], 1)
        assert failed
        assert list(told) == list(journal.read("r1"))
        assert journal.verify("r1") == []


def test_of_eight_writers_in_eight_connections_one_wins_each_turn(url: str) -> None:
    with open_journal(url) as journal:
        begin(journal)
        for turn in range(10):
            barrier, results = threading.Barrier(4), []

            def race(turn: int, number: int, barrier: threading.Barrier, results: list[str]) -> None:
                barrier.wait()
                try:
                    journal.append("r1", turn, [ev.WaveStarted(f"{turn}-{number}")], turn)
                    results.append("won")
                except WavegateError as error:
                    results.append(error.code)

            threads = [
                threading.Thread(target=race, args=(turn, number, barrier, results)) for number in range(4)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert sorted(results) == ["lease-lost"] * 3 + ["won"]
        assert journal.verify("r1") == []


TAKE = """
import sys, time
from wavegate.adapters.journal import open_journal
from wavegate.errors import WavegateError
journal = open_journal(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    journal.acquire("r1", time.time())
    print("won", flush=True)
    sys.stdin.readline()
except WavegateError as error:
    print(error.code, flush=True)
"""


def test_of_several_processes_that_reach_for_a_lease_one_gets_it(location: str) -> None:
    with open_journal(location) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", TAKE, location]
    several = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(4)]
    streams = [(process.stdin, process.stdout) for process in several]
    for _, told in streams:
        assert told
        assert told.readline() == "ready\n"
    for start, _ in streams:
        assert start
        start.write("\n")
        start.flush()
    results = [told.readline().strip() for _, told in streams if told]
    for process in several:
        process.communicate("\n")
    assert sorted(results) == ["rollout-locked"] * 3 + ["won"]


def test_claims_take_turns_and_leave_nothing_when_they_fail(location: str) -> None:
    with open_journal(location) as one, open_journal(location) as two:
        begun, order = threading.Event(), []

        def claim_second() -> None:
            begun.wait()
            with two.claiming():
                order.append([row.id for row in two.rollouts()])

        thread = threading.Thread(target=claim_second)
        thread.start()
        with one.claiming():
            begun.set()
            assert one.rollouts() == []
            thread.join(0.2)  # the other one gets nowhere
            one.create("r1", make_plan(), "f.yml", 1)
            one.acquire("r1", 1)
            order.append("first")
        thread.join()
        assert order == ["first", ["r1"]]
        one.append("r1", 0, [STARTED], 1)
        with suppress(KeyError), two.claiming():
            two.create("r2", make_plan(), "f.yml", 1)
            two.acquire("r2", 1)
            raise KeyError
        assert [row.id for row in one.rollouts()] == ["r1"]
        with pytest.raises(WavegateError, match="no rollout"):
            two.append("r2", 0, [STARTED], 1)


def project_in(folder: Path, name: str = "hello") -> Scratch:
    """Return a new project with one rollout file of that name, as `wavegate init` makes it."""
    folder.mkdir()
    scratch = Scratch(folder)
    scratch.wavegate("init")
    text = (folder / "rollouts/hello.yml").read_text()
    (folder / "rollouts/hello.yml").write_text(text.replace("name: hello", f"name: {name}"))
    return scratch


def test_two_operators_and_a_ci_job_share_a_journal(postgresql: Server, tmp_path: Path) -> None:
    url = postgresql.tcp_url(postgresql.make_database())
    shared = {"WAVEGATE_JOURNAL": url}
    ann, bob = project_in(tmp_path / "ann"), project_in(tmp_path / "bob", "other")
    environment = {**os.environ, **shared}
    command = [sys.executable, "-m", "wavegate", "run", "rollouts/hello.yml"]
    pipe = subprocess.PIPE
    first = subprocess.Popen(
        command, cwd=ann.folder, env=environment, stdout=pipe, stderr=pipe, text=True, errors="replace"
    )
    assert first.stderr
    first.stderr.readline()  # its first event is durable from here on
    seen = bob.json("status", "--json", **shared)
    refused_one = bob.wavegate("run", "rollouts/hello.yml", code=41, **shared)
    leases = bob.json("lock", "show", "--json", **shared)["leases"]
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    out, talk = first.communicate(timeout=120)
    assert first.returncode == 0, talk
    assert (seen["name"], seen["status"], seen["died"]) == ("hello", "running", False)
    assert "on hosts that this one has too: north-1, north-2, pilot-1" in refused_one.stderr
    known = [(lease["held"], lease["alive"], lease["known_by"]) for lease in leases]
    assert known == [(True, True, "process")]
    audit = bob.json("audit", "verify", "--json", **shared)
    assert audit["sound"]
    assert [one["status"] for one in audit["rollouts"]] == ["completed"]
    shown = [out, talk, refused_one.stderr, listing]
    kept = [path for path in (ann.folder / ".wavegate").rglob("*") if path.is_file()]
    assert kept
    shown += [path.read_text(errors="replace") for path in kept]
    assert not [text for text in shown if "not%3Aa%40secret" in text or "not:a@secret" in text]
