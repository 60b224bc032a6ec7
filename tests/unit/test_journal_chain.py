"""A changed, missing, added or moved row is found and named."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from tests.unit.journal_samples import ONE_OF_EACH, make_plan, write_one_of_each
from wavegate.adapters.journal import open_journal
from wavegate.adapters.journal.chain import Link, check_links, link_events
from wavegate.errors import WavegateError

LAST = len(ONE_OF_EACH)
PLAN_HASH = make_plan().hash


def tamper(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement


ADD_ONE = (
    f"INSERT INTO events SELECT rollout_id, {LAST + 1}, at, kind, body, hash, 'x' FROM events "
    f"WHERE seq = {LAST}"
)
TAMPERED = [
    # what somebody did, the events that are named, a piece of the sentence
    ("UPDATE events SET body = replace(body, 'web1', 'x') WHERE seq = 4", [4], "(host_finished) was changed"),
    ("UPDATE events SET at = at + 0.001 WHERE seq = 5", [5], "was changed"),
    ("UPDATE events SET kind = 'wave_completed' WHERE seq = 2", [2], "was changed"),
    ("UPDATE events SET hash = 'f' WHERE seq = 7", [7, 8], "was changed"),
    ("DELETE FROM events WHERE seq = 6", [6], "event 6 is missing"),
    ("DELETE FROM events WHERE seq IN (6, 7)", [6], "events 6 to 7 are missing"),
    (f"DELETE FROM events WHERE seq >= {LAST - 1}", [LAST - 1], "are missing"),
    ("DELETE FROM events WHERE seq = 1", [1], "event 1 is missing"),
    ("DELETE FROM events", [1], f"events 1 to {LAST} are missing"),
    (ADD_ONE, [LAST + 1], "was added behind"),
    ("UPDATE rollouts SET last_hash = 'x'", [LAST], "is not the one that was written last"),
    ("UPDATE plans SET body = replace(body, 'db1', 'db2')", [0], "the plan was changed"),
    ("DELETE FROM plans", [0], "or is missing"),
    ("UPDATE rollouts SET status = 'completed'", [0], "row says completed, its events say rolled_back"),
]  # fmt: skip


@pytest.mark.parametrize(("statement", "seqs", "sentence"), TAMPERED)
def test_what_was_tampered_with_is_named(
    tmp_path: Path, statement: str, seqs: list[int], sentence: str
) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal)
        assert journal.verify("r1") == []
    tamper(path, statement)
    with open_journal(str(path)) as journal:
        found = journal.verify("r1")
    assert [finding.seq for finding in found] == seqs
    assert any(sentence in finding.message for finding in found)


def test_events_that_changed_places_are_both_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal)
    moves = ((3, 99), (4, 3), (99, 4))
    tamper(path, *(f"UPDATE events SET seq = {new} WHERE seq = {old}" for old, new in moves))
    with open_journal(str(path)) as journal:
        assert {3, 4} <= {finding.seq for finding in journal.verify("r1")}


def test_a_plan_that_was_changed_is_not_walked(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal)
    tamper(path, "UPDATE plans SET body = replace(body, 'web1', 'web2')")
    with open_journal(str(path)) as journal, pytest.raises(WavegateError) as caught:
        journal.plan("r1")
    assert caught.value.code == "journal-damaged"


SENSELESS = [
    ("UPDATE events SET kind = 'moon_landed' WHERE seq = 3", "journal-newer", "moon_landed"),
    ("UPDATE events SET body = '{' WHERE seq = 3", "journal-damaged", "event 3 (batch_submitted)"),
    ("UPDATE events SET body = '[]' WHERE seq = 3", "journal-damaged", "makes no sense"),
    ("UPDATE events SET body = '{}' WHERE seq = 3", "journal-damaged", "makes no sense"),
    ("UPDATE events SET body = replace(body, 'done', 'dome') WHERE seq = 4", "journal-damaged", "event 4"),
]


@pytest.mark.parametrize(("statement", "code", "why"), SENSELESS)
def test_an_event_that_makes_no_sense_is_a_clear_error(
    tmp_path: Path, statement: str, code: str, why: str
) -> None:
    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal)
    tamper(path, statement)
    with open_journal(str(path)) as journal, pytest.raises(WavegateError) as caught:
        journal.read("r1")
    assert caught.value.code == code
    assert why in caught.value.why


def check(links: Sequence[Link]) -> list[int]:
    honest = link_events("r1", 0, PLAN_HASH, ONE_OF_EACH, 1.0)
    return [f.seq for f in check_links("r1", links, PLAN_HASH, LAST, honest[-1].hash)]


def test_the_first_event_hangs_on_the_plan() -> None:
    links = link_events("r1", 0, "0" * 64, ONE_OF_EACH, 1.0)
    assert links[0].previous_hash == "0" * 64
    assert check(links)[0] == 1


# The first text that hypothesis draws on a machine makes it read the whole of Unicode.
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_no_single_change_escapes(data: st.DataObject) -> None:
    links = link_events("r1", 0, PLAN_HASH, ONE_OF_EACH, 1.0)
    place = data.draw(st.integers(0, LAST - 1))
    changes = {
        "at": st.floats(allow_nan=False),
        "kind": st.text(),
        "body": st.text(),
        "previous_hash": st.text(),
        "rollout_id": st.text(),
        "hash": st.text(),
    }
    name = data.draw(st.sampled_from(sorted(changes)))
    changed = replace(links[place], **{name: data.draw(changes[name])})
    assume(astuple(changed) != astuple(links[place]))
    if data.draw(st.booleans()):  # a forger who knows how hashes are made
        changed = replace(changed, hash=changed.compute_hash())
        assume(changed.hash != links[place].hash)
    forged = [*links[:place], changed, *links[place + 1 :]]
    assert {place, place + 1, place + 2} & set(check(forged))


@given(st.permutations(range(LAST)), st.sets(st.integers(0, LAST - 1)))
def test_no_other_selection_of_the_rows_passes(order: list[int], dropped: set[int]) -> None:
    links = link_events("r1", 0, PLAN_HASH, ONE_OF_EACH, 1.0)
    moved = [replace(links[old], seq=new + 1) for new, old in enumerate(order) if new not in dropped]
    assert bool(check(moved)) == (moved != links)
