"""What every journal promises, whatever database it is kept in."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.postgresql import Server
from tests.unit.journal_samples import ONE_OF_EACH, STARTED, begin, build_events, make_plan, write_one_of_each
from wavegate.adapters.journal import SqlJournal, open_journal, status_after
from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.core.folding import fold
from wavegate.core.outcomes import Status
from wavegate.core.state import State
from wavegate.errors import ExitCode, WavegateError


@pytest.fixture(params=["file", "memory", "postgresql"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlJournal]:
    location = str(tmp_path / "journal.db") if request.param == "file" else "sqlite://"
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        location = server.url(server.make_database("migrated"))
    with open_journal(location) as opened:
        yield opened


def test_a_plan_comes_back_equal_and_with_the_same_hash(journal: SqlJournal) -> None:
    journal.create("r1", make_plan(), "rollouts/patch.yml", 5)
    assert journal.plan("r1") == make_plan()
    assert journal.plan("r1").hash == journal.find("r1").plan_hash


def test_two_rollouts_may_share_a_plan(journal: SqlJournal) -> None:
    for rollout_id in ("r1", "r2"):
        journal.create(rollout_id, make_plan(), "rollouts/patch.yml", 5)
    assert journal.plan("r1") == journal.plan("r2")


def test_a_new_rollout_is_planned_and_belongs_to_nobody(journal: SqlJournal) -> None:
    journal.create("r1", make_plan(), "rollouts/patch.yml", 5)
    row = journal.find("r1")
    assert (row.name, row.file, row.created_at) == ("patch-intranet", "rollouts/patch.yml", 5.0)
    assert (row.status, row.owner, row.owner_pid) == (Status.PLANNED, "", 0)


def test_a_file_name_that_is_no_text_is_kept_readable(journal: SqlJournal) -> None:
    journal.create("r1", make_plan(), "roll\udcffout.yml", 5)
    assert journal.find("r1").file == "roll\\udcffout.yml"


def test_history_is_newest_first(journal: SqlJournal) -> None:
    for at, rollout_id in enumerate(("old", "closed", "new")):
        journal.create(rollout_id, make_plan(), "f.yml", at)
    journal.acquire("closed", 5)
    journal.append("closed", 0, [STARTED, ev.RolloutEnded(Status.COMPLETED, "all done")], 6)
    assert [row.id for row in journal.rollouts()] == ["new", "closed", "old"]


FOUND = [
    # prefix, the id it means
    ("abc123", "abc123"),
    ("abd", "abd777"),
    ("abc", "abc"),  # a whole id wins over being the start of another
    ("A", "Abc"),  # upper case is not lower case
    ("x_", "x_1"),
    ("x%", "x%1"),
]


@pytest.mark.parametrize(("prefix", "rollout_id"), FOUND)
def test_an_id_may_be_shortened(journal: SqlJournal, prefix: str, rollout_id: str) -> None:
    for name in ("abc", "abc123", "abd777", "Abc", "x_1", "x%1", "xx1"):
        journal.create(name, make_plan(), "f.yml", 1)
    assert journal.find(prefix).id == rollout_id


def test_an_unknown_id_says_where_ids_are_listed(journal: SqlJournal) -> None:
    journal.create("abc", make_plan(), "f.yml", 1)
    with pytest.raises(WavegateError, match="'zzz'") as caught:
        journal.find("zzz")
    assert (caught.value.code, caught.value.exit_code) == ("rollout-unknown", ExitCode.INPUT)
    assert "wavegate history" in caught.value.hint


@pytest.mark.parametrize("verb", ["plan", "verify"])
def test_reading_an_unknown_rollout_is_an_error(journal: SqlJournal, verb: str) -> None:
    with pytest.raises(WavegateError) as caught:
        getattr(journal, verb)("zzz")
    assert caught.value.code == "rollout-unknown"


def test_an_ambiguous_id_lists_the_candidates(journal: SqlJournal) -> None:
    for name in ("abc", "abd", "b"):
        journal.create(name, make_plan(), "f.yml", 1)
    with pytest.raises(WavegateError) as caught:
        journal.find("ab")
    assert caught.value.code == "rollout-ambiguous"
    assert "abc (patch-intranet, planned), abd (patch-intranet, planned)" in caught.value.why


def test_one_of_each_kind_is_among_the_samples() -> None:
    assert {type(event) for event in ONE_OF_EACH} == set(ev.Event.__args__)


def test_events_come_back_in_order_with_their_times(journal: SqlJournal) -> None:
    write_one_of_each(journal)
    records = journal.read("r1")
    assert [record.seq for record in records] == list(range(1, len(ONE_OF_EACH) + 1))
    assert tuple(record.event for record in records) == ONE_OF_EACH
    assert [record.at for record in records] == [100.0 + n for n in range(len(ONE_OF_EACH))]
    assert journal.read("r1", after=3) == records[3:]


def test_append_returns_what_read_will_return(journal: SqlJournal) -> None:
    begin(journal)
    written = journal.append("r1", 0, ONE_OF_EACH, 7)
    assert list(written) == list(journal.read("r1"))


def test_the_journal_of_one_rollout_does_not_show_in_another(journal: SqlJournal) -> None:
    write_one_of_each(journal, "r1")
    begin(journal, "r2")
    assert journal.read("r2") == []
    journal.append("r2", 0, [STARTED], 1)
    assert len(journal.read("r2")) == 1


@pytest.mark.parametrize("cls", ev.Event.__args__, ids=kind_of)
def test_every_event_round_trips(cls: type) -> None:
    with open_journal("sqlite://") as journal:
        # The first text that hypothesis draws on a machine makes it read the whole of Unicode.
        @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
        @given(events=st.lists(build_events(cls), max_size=3))
        def round_trip(events: list[ev.Event]) -> None:
            rollout_id = f"r{len(journal.rollouts())}"
            begin(journal, rollout_id)
            journal.append(rollout_id, 0, events, 1)
            assert [record.event for record in journal.read(rollout_id)] == events
            assert journal.verify(rollout_id) == []

        round_trip()


@pytest.mark.parametrize("expected_seq", [0, 2, -1])
def test_a_writer_that_has_not_seen_the_last_event_is_refused(journal: SqlJournal, expected_seq: int) -> None:
    begin(journal)
    journal.append("r1", 0, [STARTED], 1)
    with pytest.raises(WavegateError) as caught:
        journal.append("r1", expected_seq, [ev.WaveStarted("pilot")], 2)
    assert (caught.value.code, caught.value.exit_code) == ("lease-lost", ExitCode.LOCKED)
    assert len(journal.read("r1")) == 1
    assert journal.verify("r1") == []


def test_of_eight_threads_that_saw_the_same_last_event_one_wins(journal: SqlJournal) -> None:
    begin(journal)
    for turn in range(5):
        barrier, results = threading.Barrier(8), []

        def race(number: int, turn: int, barrier: threading.Barrier, results: list[str]) -> None:
            barrier.wait()
            try:
                journal.append("r1", turn, [ev.WaveStarted(f"{turn}-{number}")], turn)
                results.append("won")
            except WavegateError as error:
                results.append(error.code)

        threads = [threading.Thread(target=race, args=(n, turn, barrier, results)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["lease-lost"] * 7 + ["won"]
    assert len(journal.read("r1")) == 5
    assert journal.verify("r1") == []


def test_heartbeats_from_another_thread_disturb_no_writer(journal: SqlJournal) -> None:
    begin(journal)
    stop, failures = threading.Event(), []

    def beat() -> None:
        try:
            while not stop.is_set():
                journal.heartbeat("r1", 500.0)
        except WavegateError as error:
            failures.append(error)

    thread = threading.Thread(target=beat)
    thread.start()
    for seq in range(100):
        journal.append("r1", seq, [ev.WaveStarted("pilot")], 1)
    stop.set()
    thread.join()
    assert failures == []
    assert len(journal.read("r1")) == 100
    assert journal.verify("r1") == []


@pytest.mark.parametrize("step", [1, 3, len(ONE_OF_EACH)])
def test_the_status_in_history_is_the_one_the_fold_says(journal: SqlJournal, step: int) -> None:
    begin(journal)
    state = State()
    for seq in range(0, len(ONE_OF_EACH), step):
        fold(state, journal.append("r1", seq, ONE_OF_EACH[seq : seq + step], 1))
        assert journal.find("r1").status == state.status


def test_a_rollout_interrupted_in_a_rollback_goes_on_rolling_back(journal: SqlJournal) -> None:
    begin(journal)
    paused = ev.RolloutPaused(Status.INTERRUPTED, "stopped by ann")
    journal.append("r1", 0, [STARTED, ev.RollbackStarted("pilot", ("web1",), "why"), paused], 1)
    assert journal.find("r1").status == Status.INTERRUPTED
    journal.append("r1", 3, [ev.RolloutResumed("bob")], 2)
    assert journal.find("r1").status == Status.ROLLING_BACK


STATUS = [
    (STARTED, Status.RUNNING),
    (ev.RolloutResumed("bob"), Status.RUNNING),
    (ev.RollbackStarted("pilot", (), "why"), Status.ROLLING_BACK),
    (ev.RolloutPaused(Status.HELD, "why"), Status.HELD),
    (ev.RolloutEnded(Status.HALTED, "why"), Status.HALTED),
    (ev.StopRequested("ann"), None),
    (ev.WaveCompleted("pilot"), None),
]


@pytest.mark.parametrize(("event", "status"), STATUS)
def test_which_event_moves_a_rollout_where(event: ev.Event, status: Status | None) -> None:
    assert status_after(event, rollback_began=False) == status


def test_nothing_to_append_is_no_write_but_still_needs_the_lease(journal: SqlJournal) -> None:
    journal.create("r1", make_plan(), "f.yml", 1)
    with pytest.raises(WavegateError, match="may no longer write"):
        journal.append("r1", 0, [], 1)
    journal.acquire("r1", 1)
    assert journal.append("r1", 0, [], 1) == []


def test_requests_reach_the_one_who_walks_once_and_in_order(journal: SqlJournal) -> None:
    for rollout_id in ("r1", "r2"):
        journal.create(rollout_id, make_plan(), "f.yml", 5)
    asked = [ev.StopRequested("ann"), ev.StopRequested("bob", now=True)]
    for event in asked:
        journal.request("r1", event, 6)
    journal.request("r2", ev.StopRequested("eve"), 6)
    taken = journal.requests("r1")
    assert [request.event for request in taken] == asked
    journal.request("r1", ev.StopRequested("late"), 7)
    journal.forget_requests(taken)
    assert [request.event for request in journal.requests("r1")] == [ev.StopRequested("late")]
    assert [request.event for request in journal.requests("r2")] == [ev.StopRequested("eve")]
