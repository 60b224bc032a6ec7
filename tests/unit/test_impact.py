"""Downtime from measurements: from the first bad one's start to the next good one's; errors are unknown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegate.core.events import Asked, Measurement
from wavegate.core.impact import Impact, show_seconds, tell_impact
from wavegate.core.outcomes import Reading

LETTERS = {"g": Reading.GOOD, "b": Reading.BAD, "i": Reading.INCONCLUSIVE, "e": Reading.ERROR}


def watch(*answers: tuple[str, float], until: float, interval: float = 1.0, took: float = 0.1) -> Impact:
    """Return the impact of answers (letter, start) of a watch that began at 0."""
    impact = Impact(since=0.0)
    for letter, at in answers:
        impact.add(Measurement("", LETTERS[letter]), at, at + took, interval)
    return impact.as_of(until)


@pytest.mark.parametrize(
    ("letters", "down", "unknown"),
    [
        ("gggg", 0, 0),
        ("gbgg", 1, 0),
        ("gbbg", 2, 0),
        ("bbbb", 4, 0),
        ("gbgb", 2, 0),
        ("geeg", 0, 2),
        ("gbeg", 1, 1),
        ("gebg", 1, 1),
        ("iiii", 0, 4),
    ],
)
def test_each_answer_stands_until_the_next_begins(letters, down, unknown):
    impact = watch(*((letter, float(at)) for at, letter in enumerate(letters)), until=4.0)
    assert (impact.down, impact.unknown, impact.watched) == (down, unknown, 4)


def test_requests_are_counted_as_answered_or_not():
    impact = watch(("g", 0), ("b", 1), ("e", 2), ("i", 3), until=4.0)
    assert (impact.requests, impact.failed, impact.lost) == (2, 1, 2)


def test_nothing_is_known_before_the_first_answer():
    impact = watch(("g", 3.0), until=4.0)
    assert (impact.down, impact.unknown) == (0, 3)


def test_an_answer_stands_for_at_most_one_interval_longer_than_it_should():
    impact = watch(("b", 0.0), ("g", 100.0), until=101.0)
    assert (impact.down, impact.unknown, impact.watched) == (2, 98, 101)


def test_a_measurement_that_takes_longer_than_its_interval_is_no_gap():
    impact = watch(("b", 0.0), ("b", 5.0), ("g", 10.0), until=10.0, took=5.0)
    assert (impact.down, impact.unknown) == (10, 0)


def test_many_requests_tell_their_own_downtime_and_how_the_last_one_ended():
    impact = Impact(since=0.0)
    impact.add(Measurement("", Reading.BAD, asked=Asked(50, 3, 0, 0.06, 0.0, Reading.GOOD)), 0.0, 1.0, 1.0)
    impact.add(Measurement("", Reading.BAD, asked=Asked(50, 5, 2, 0.1, 0.04, Reading.BAD)), 1.5, 2.5, 1.0)
    impact.add(Measurement("", Reading.GOOD, asked=Asked(50, 0)), 2.75, 3.75, 1.0)
    seen = impact.as_of(3.75)
    assert (seen.requests, seen.failed, seen.lost) == (148, 8, 2)
    assert seen.down == pytest.approx(0.06 + 0.1 + 0.25)
    assert seen.unknown == pytest.approx(0.04)
    assert seen.watched == pytest.approx(3.75)


def test_looking_does_not_change_what_is_known():
    impact = Impact(since=0.0)
    impact.add(Measurement("", Reading.BAD), 0.0, 0.1, 1.0)
    assert impact.as_of(1.0).down == 1.0
    assert impact.as_of(0.5).down == 0.5
    impact.add(Measurement("", Reading.GOOD), 0.5, 0.6, 1.0)
    assert impact.as_of(9.0).down == 0.5


def test_who_rests_watches_nothing_until_the_next_answer():
    impact = Impact(since=0.0)
    impact.add(Measurement("", Reading.BAD), 0.0, 0.1, 1.0)
    impact.rest(0.5)
    assert impact.as_of(1000.0).watched == 0.5
    impact.add(Measurement("", Reading.GOOD), 1000.0, 1000.1, 1.0)
    seen = impact.as_of(1001.0)
    assert (seen.down, seen.unknown, seen.watched) == (0.5, 0, 1.5)


@given(
    st.lists(st.tuples(st.sampled_from("gbie"), st.floats(0, 50), st.floats(0, 20)), max_size=30),
    st.floats(0.1, 10),
    st.floats(0, 100),
)
def test_down_and_unknown_are_parts_of_the_time_watched(answers, interval, rest):
    impact, at = Impact(since=0.0), 0.0
    for letter, pause, took in answers:
        start = at + pause
        impact.add(Measurement("", LETTERS[letter]), start, start + took, interval)
        at = start + took
    seen = impact.as_of(at + rest)
    assert seen.watched == pytest.approx(at + rest)
    assert seen.down + seen.unknown <= seen.watched + 1e-6
    if not any(letter == "b" for letter, _, _ in answers):
        assert seen.down == 0
    if not any(letter == "g" for letter, _, _ in answers):
        assert seen.down + seen.unknown == pytest.approx(seen.watched)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.002, "less than 0.01 s"),
        (0.02, "0.02 s"),
        (1.25, "1.2 s"),
        (59.9, "59.9 s"),
        (200, "3 min 20 s"),
    ],
)
def test_a_little_downtime_is_never_shown_as_none(seconds, text):
    assert show_seconds(seconds) == text


def test_the_sentence_tells_unknown_time_apart():
    assert (
        tell_impact(Impact(180.0, 1.2, 0.0, 9000, 2, 0))
        == "1.2 s down of 3 min 00 s, 2 of 9,000 requests failed"
    )
    assert tell_impact(Impact(60.0, 0.0, 5.0, 55, 0, 5)).endswith(
        "5 could not be measured, unknown for 5.0 s"
    )
