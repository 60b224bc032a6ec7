"""The verdict algebra as tables and properties (design 4.4)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavegate.core.events import Measurement
from wavegate.core.gate import Judgement, judge_tally, worst
from wavegate.core.outcomes import Reading, Verdict
from wavegate.core.spec import Sampling
from wavegate.core.tallies import Tally

LETTERS = {"g": Reading.GOOD, "b": Reading.BAD, "i": Reading.INCONCLUSIVE, "e": Reading.ERROR}


def judge(readings: str, **limits: int):
    tally = Tally()
    for letter in readings:
        tally.add(Measurement("h", LETTERS[letter]))
    return judge_tally(tally, Sampling(**limits)).verdict


@pytest.mark.parametrize(
    ("readings", "limits", "verdict"),
    [
        ("", {}, None),
        ("g", {}, Verdict.PASS),
        ("b", {}, Verdict.FAIL),
        ("e", {}, None),
        ("eeee", {}, None),
        ("eeeee", {}, Verdict.INCONCLUSIVE),
        ("eeeeg", {}, Verdict.PASS),
        ("eeegee", {}, None),
        ("i", {}, Verdict.INCONCLUSIVE),
        ("ig", {"inconclusive_limit": 1}, Verdict.PASS),
        ("bbb", {"failure_limit": 3}, None),
        ("bbbb", {"failure_limit": 3}, Verdict.FAIL),
        ("bbbg", {"failure_limit": 3}, Verdict.PASS),
        ("gb", {"failure_limit": 3}, None),
        ("gg", {"count": 3}, None),
        ("ggg", {"count": 3}, Verdict.PASS),
        ("gegeg", {"count": 3}, Verdict.PASS),
        ("gg", {"count": 9, "consecutive_success_limit": 2}, Verdict.PASS),
        ("gbg", {"count": 9, "failure_limit": 1, "consecutive_success_limit": 2}, None),
        ("beeeee", {}, Verdict.FAIL),
    ],
)
def test_one_targets_measurements(readings, limits, verdict):
    assert judge(readings, **limits) is verdict


@given(st.text(alphabet="be", max_size=30), st.integers(0, 5), st.integers(0, 5))
def test_no_good_measurement_is_never_a_pass(readings, failures, count):
    assert judge(readings, failure_limit=failures, count=count) is not Verdict.PASS


@given(st.text(alphabet="gbie", max_size=30), st.text(alphabet="gbie", max_size=30), st.integers(0, 3))
def test_nothing_that_follows_overrides_a_fail(before, after, failures):
    if judge(before, failure_limit=failures) is Verdict.FAIL:
        assert judge(before + after, failure_limit=failures) is Verdict.FAIL


@given(st.lists(st.sampled_from([None, *Verdict]), max_size=6))
def test_the_worst_wins_and_of_nothing_nothing_follows(verdicts):
    overall = worst(Judgement(verdict) for verdict in verdicts).verdict
    for candidate in (Verdict.FAIL, Verdict.INCONCLUSIVE, None, Verdict.PASS):
        if candidate in verdicts:
            assert overall is candidate
            return
    assert overall is Verdict.INCONCLUSIVE
