"""The fold alone: what a sequence of Ansible's events means for each host."""

from __future__ import annotations

import pytest

from wavegate.core.ansible_events import (
    AnsibleEvent,
    EndedEarly,
    PlayStarted,
    ProcedureClosed,
    ProcedureCompleted,
    Recap,
    Result,
    TaskAnnounced,
    TaskEnded,
    TaskStarted,
)
from wavegate.core.events import BatchSubmitted
from wavegate.core.evidence import BatchEvidence, Ending
from wavegate.core.outcomes import Outcome

PLAY = PlayStarted("p1", "theirs", ("a", "b"), ("a", "b"))
CLOSED = ProcedureClosed("apply")
FINAL = TaskAnnounced("t", rescuable=False, ignores_unreachable=False)
RESCUABLE = TaskAnnounced("t", rescuable=True, ignores_unreachable=False)
IGNORING = TaskAnnounced("t", rescuable=False, ignores_unreachable=True)
UNSURE = TaskAnnounced("t", rescuable=False, ignores_unreachable=None)
OK_A = TaskEnded("a", Result.OK, "t", changed=True)
FAILED_A = TaskEnded("a", Result.FAILED, "t", "break", "broken")
GONE_A = TaskEnded("a", Result.UNREACHABLE, "t", "reach", "no route")
THROUGH_A = ProcedureCompleted("a", "apply")
CLEAN = Recap({}, {}, {})
COUNTED = Recap({"a": 1}, {}, {})
DARK = Recap({}, {"a": 1}, {})
RESCUED = Recap({}, {}, {"a": 1})


def order(*procedures: str, hosts: tuple[str, ...] = ("a",)) -> BatchSubmitted:
    return BatchSubmitted("pilot.1", "pilot", 0, hosts, procedures or ("apply",))


def outcome_of(events: tuple[AnsibleEvent, ...], ending: Ending | None = None) -> Outcome | None:
    """Return host a's outcome: while the batch runs, or (with an ending) when it has ended."""
    evidence = BatchEvidence(order())
    finished = [outcome for event in events for outcome in evidence.add(event)]
    if ending is not None:
        finished += evidence.end(ending)
    assert len(finished) <= 1, "a host has one outcome"
    return finished[0].outcome if finished else None


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((PLAY, OK_A), None),
        ((PLAY, OK_A, CLOSED, THROUGH_A), Outcome.DONE),
        ((PLAY, CLOSED, THROUGH_A), Outcome.DONE),
        ((CLOSED, THROUGH_A), Outcome.SKIPPED),
        ((PLAY, FINAL, FAILED_A), Outcome.FAILED),
        ((PLAY, FINAL, GONE_A), Outcome.UNREACHABLE),
        ((PLAY, RESCUABLE, GONE_A), Outcome.UNREACHABLE),
        ((PLAY, RESCUABLE, FAILED_A), None),
        ((PLAY, FAILED_A), None),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A), None),
        ((PLAY, IGNORING, GONE_A, CLOSED, THROUGH_A), Outcome.DONE),
        ((PLAY, UNSURE, GONE_A), None),
        ((PLAY, FINAL, FAILED_A, CLOSED, THROUGH_A), Outcome.FAILED),
    ],
)
def test_what_is_certain_while_the_batch_runs(
    events: tuple[AnsibleEvent, ...], expected: Outcome | None
) -> None:
    assert outcome_of(events) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((), Outcome.NOT_STARTED),
        ((PLAY,), Outcome.NOT_STARTED),
        ((PLAY, TaskStarted("a")), Outcome.ABORTED),
        ((PLAY, OK_A), Outcome.ABORTED),
        ((PLAY, OK_A, CLEAN), Outcome.ABORTED),
        ((PLAY, RESCUABLE, FAILED_A), Outcome.FAILED),
        ((PLAY, RESCUABLE, FAILED_A, RESCUED), Outcome.ABORTED),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A, RESCUED), Outcome.DONE),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A, COUNTED), Outcome.FAILED),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A), Outcome.ABORTED),
        ((PLAY, UNSURE, GONE_A, CLOSED, THROUGH_A, CLEAN), Outcome.DONE),
        ((PLAY, UNSURE, GONE_A, CLOSED, THROUGH_A, DARK), Outcome.UNREACHABLE),
    ],
)
def test_what_holds_when_the_batch_has_ended(events: tuple[AnsibleEvent, ...], expected: Outcome) -> None:
    assert outcome_of(events, Ending.ENDED) == expected


@pytest.mark.parametrize(
    ("events", "ending", "expected"),
    [
        ((PLAY, OK_A), Ending.TIMED_OUT, Outcome.TIMED_OUT),
        ((PLAY,), Ending.TIMED_OUT, Outcome.NOT_STARTED),
        ((PLAY, RESCUABLE, FAILED_A), Ending.TIMED_OUT, Outcome.FAILED),
        ((PLAY, OK_A), Ending.CANCELED, None),
        ((PLAY,), Ending.CANCELED, None),
        ((PLAY, RESCUABLE, FAILED_A), Ending.CANCELED, None),
        ((PLAY, RESCUABLE, FAILED_A, COUNTED), Ending.CANCELED, Outcome.FAILED),
        ((PLAY, FINAL, FAILED_A), Ending.LOST, Outcome.FAILED),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A), Ending.LOST, None),
        ((PLAY, RESCUABLE, FAILED_A, CLOSED, THROUGH_A, RESCUED), Ending.LOST, Outcome.DONE),
        ((PLAY, OK_A, CLOSED, THROUGH_A), Ending.LOST, Outcome.DONE),
        ((PLAY, OK_A), Ending.LOST, None),
    ],
)
def test_a_batch_that_was_stopped_or_lost_claims_only_what_is_certain(
    events: tuple[AnsibleEvent, ...], ending: Ending, expected: Outcome | None
) -> None:
    assert outcome_of(events, ending) == expected


def test_a_play_that_never_came_to_a_host_makes_it_not_done() -> None:
    evidence = BatchEvidence(order())
    partly = PlayStarted("p2", "rolling", ("a", "b"), ("b",))
    events = (PLAY, OK_A, partly, CLOSED, THROUGH_A)
    (finished,) = [outcome for event in events for outcome in evidence.add(event)]
    assert finished.outcome is Outcome.ABORTED
    assert finished.reason == "its turn in the play 'rolling' never came"


def test_the_later_batches_of_a_serial_play_complete_it() -> None:
    parts = (PlayStarted("p", "x", ("a", "b"), ("b",)), PlayStarted("p", "x", ("a", "b"), ("a",)))
    assert outcome_of((*parts, CLOSED, THROUGH_A)) is Outcome.DONE


def test_all_procedures_must_be_gone_through() -> None:
    evidence = BatchEvidence(order("backup", "apply"))
    events = (PLAY, ProcedureClosed("backup"), ProcedureCompleted("a", "backup"), PLAY, CLOSED)
    assert [outcome for event in events for outcome in evidence.add(event)] == []
    (finished,) = evidence.add(THROUGH_A)
    assert finished.completed == ("backup", "apply")


def test_early_ends_changes_and_rescues_are_told() -> None:
    evidence = BatchEvidence(order())
    early = EndedEarly(("a",), "meta: end_host at site.yml:3")
    for event in (PLAY, OK_A, OK_A, RESCUABLE, FAILED_A, early, early, CLOSED, THROUGH_A, RESCUED):
        assert evidence.add(event) == ()
    (finished,) = evidence.end(Ending.ENDED)
    assert (finished.reason, finished.changed, finished.rescued) == ("meta: end_host at site.yml:3", 2, 1)


def test_hosts_outside_of_the_order_are_noticed_and_get_no_outcome() -> None:
    evidence = BatchEvidence(order())
    assert evidence.add(TaskEnded("stranger", Result.FAILED)) == ()
    assert evidence.strangers == ("stranger",)
    assert {finished.host for finished in evidence.end(Ending.ENDED)} == {"a"}


def test_who_cut_the_others_off_is_named() -> None:
    evidence = BatchEvidence(order(hosts=("a", "b")))
    for event in (PLAY, FINAL, TaskStarted("b"), FAILED_A):
        evidence.add(event)
    (finished,) = evidence.end(Ending.ENDED)
    assert finished.reason == "cut off after a failed in 'break'"


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((PLAY, ProcedureClosed("rollback"), ProcedureCompleted("a", "rollback")), Outcome.ROLLED_BACK),
        ((PLAY, FINAL, FAILED_A), Outcome.ROLLBACK_FAILED),
        ((PLAY, FINAL, GONE_A), Outcome.ROLLBACK_FAILED),
        ((PLAY, OK_A), Outcome.ROLLBACK_FAILED),
        ((PLAY,), Outcome.NOT_STARTED),
    ],
)
def test_a_rollback_has_outcomes_of_its_own(events: tuple[AnsibleEvent, ...], expected: Outcome) -> None:
    evidence = BatchEvidence(order("rollback"))
    finished = [outcome for event in events for outcome in evidence.add(event)]
    finished += evidence.end(Ending.ENDED)
    assert [outcome.outcome for outcome in finished] == [expected]
