"""The journal in memory keeps the promises of the real one: the same cases for both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.journal_samples import ANN_ELSEWHERE, ONE_OF_EACH, STARTED, make_plan
from wavegate.adapters.journal import open_journal
from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.outcomes import Status
from wavegate.core.state import State
from wavegate.errors import WavegateError
from wavegate.simulation.journal import SILENCE_LIMIT, Ledger, MemoryJournal

Open = Callable[[str], Any]


@pytest.fixture(params=["memory", "sqlite"])
def open_as(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Open the same journal as one of several processes, which cannot look at one another."""
    ledger, opened = Ledger(), []

    def open_it(owner: str) -> Any:
        if request.param == "memory":
            return MemoryJournal(ledger, owner)
        elsewhere = replace(ANN_ELSEWHERE, user=owner, process=f"another-kernel/pid:[1] {owner}")
        opened.append(open_journal(str(tmp_path / "journal.db"), owner=elsewhere))
        return opened[-1]

    yield open_it
    for journal in opened:
        journal.close()


@pytest.fixture
def journal(open_as: Open) -> Any:
    return open_as("ann")


def begin(journal: Any, at: float = 100.0) -> None:
    journal.create("r1", make_plan(), "rollouts/patch.yml", at)
    journal.acquire("r1", at)


def refused(code: str, what: Callable[[], object]) -> None:
    with pytest.raises(WavegateError) as caught:
        what()
    assert caught.value.code == code


def test_silence_counts_as_death_after_the_same_time() -> None:
    assert SILENCE_LIMIT == HEARTBEAT_LIMIT


def test_events_come_back_in_order_with_their_times(journal: Any) -> None:
    begin(journal)
    for seq, event in enumerate(ONE_OF_EACH):
        (record,) = journal.append("r1", seq, [event], 100.0 + seq)
        assert (record.seq, record.at, record.event) == (seq + 1, 100.0 + seq, event)
    assert [record.event for record in journal.read("r1")] == list(ONE_OF_EACH)
    assert [record.seq for record in journal.read("r1", after=3)][:2] == [4, 5]


def test_the_plan_and_the_row_come_back(journal: Any) -> None:
    begin(journal)
    assert journal.plan("r1") == make_plan()
    row = journal.find("r")
    assert (row.id, row.name, row.file, row.created_at) == (
        "r1",
        "patch-intranet",
        "rollouts/patch.yml",
        100.0,
    )
    assert (row.status, row.owner, row.owner_since) == (Status.PLANNED, "ann", 100.0)
    assert [row.id for row in journal.rollouts()] == ["r1"]


def test_the_status_is_the_one_that_the_fold_says(journal: Any) -> None:
    begin(journal)
    state = State()
    for seq, event in enumerate(ONE_OF_EACH):
        fold(state, journal.append("r1", seq, [event], 1))
        assert journal.find("r1").status == state.status


def test_an_unknown_or_ambiguous_id_is_an_error(journal: Any) -> None:
    for name in ("abc", "abd"):
        journal.create(name, make_plan(), "f.yml", 1)
    refused("rollout-unknown", lambda: journal.find("zzz"))
    refused("rollout-unknown", lambda: journal.plan("zzz"))
    refused("rollout-unknown", lambda: journal.acquire("zzz", 1))
    refused("rollout-ambiguous", lambda: journal.find("ab"))


def test_a_write_that_expects_something_else_is_refused_and_writes_nothing(journal: Any) -> None:
    begin(journal)
    journal.append("r1", 0, [STARTED], 1)
    refused("lease-lost", lambda: journal.append("r1", 0, [ev.WaveStarted("pilot")], 2))
    refused("lease-lost", lambda: journal.append("r1", 2, [ev.WaveStarted("pilot")], 2))
    assert len(journal.read("r1")) == 1


def test_nothing_is_written_without_the_lease(journal: Any) -> None:
    journal.create("r1", make_plan(), "f.yml", 1)
    refused("lease-lost", lambda: journal.append("r1", 0, [], 1))
    refused("lease-lost", lambda: journal.heartbeat("r1", 1))
    journal.acquire("r1", 1)
    journal.release("r1")
    journal.release("r1")
    refused("lease-lost", lambda: journal.append("r1", 0, [STARTED], 1))


def test_taking_the_lease_again_is_no_change(journal: Any) -> None:
    begin(journal)
    journal.acquire("r1", 130)
    assert journal.find("r1").owner_since == 100.0


def test_a_lease_given_back_is_free(open_as: Open) -> None:
    ann, bob = open_as("ann"), open_as("bob")
    begin(ann)
    ann.release("r1")
    bob.acquire("r1", 101)
    assert bob.find("r1").owner == "bob"


def test_requests_are_kept_in_order_until_they_were_taken(open_as: Open) -> None:
    ann, bob = open_as("ann"), open_as("bob")
    begin(ann)
    stop, abort = ev.StopRequested("bob"), ev.AbortRequested("bob", "why")
    bob.request("r1", stop, 101)
    bob.request("r1", abort, 102)
    taken = ann.requests("r1")
    assert [request.event for request in taken] == [stop, abort]
    ann.forget_requests(taken[:1])
    assert [request.event for request in ann.requests("r1")] == [abort]


def test_a_silent_owner_is_replaced_and_can_never_write_again() -> None:
    ledger = Ledger()
    ann, bob = MemoryJournal(ledger, "ann"), MemoryJournal(ledger, "bob")
    begin(ann)
    ann.heartbeat("r1", 150)
    refused("rollout-locked", lambda: bob.acquire("r1", 150 + SILENCE_LIMIT))
    bob.acquire("r1", 151 + SILENCE_LIMIT)
    refused("lease-lost", lambda: ann.append("r1", 0, [STARTED], 300))
    refused("lease-lost", lambda: ann.heartbeat("r1", 300))
    ann.release("r1")
    assert len(bob.append("r1", 0, [STARTED], 300)) == 1


def test_one_that_was_seen_dead_is_replaced_at_once() -> None:
    ledger = Ledger()
    ann, bob = MemoryJournal(ledger, "ann"), MemoryJournal(ledger, "bob")
    begin(ann)
    ledger.dead.add("ann")
    bob.acquire("r1", 101)
    refused("lease-lost", lambda: ann.append("r1", 0, [STARTED], 102))
