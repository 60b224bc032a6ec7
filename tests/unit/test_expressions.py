"""good_when and bad_when: the table, and the sandbox in which expressions live."""

from __future__ import annotations

import itertools
import time

import pytest

from wavegate.core.conditions import Conditions, Failed, combine, judge_conditions
from wavegate.core.expressions import ExpressionError, check_syntax, evaluate, missing
from wavegate.core.outcomes import Reading

GOOD, BAD, INCONCLUSIVE, ERROR = Reading.GOOD, Reading.BAD, Reading.INCONCLUSIVE, Reading.ERROR
FAILED = Failed("why")
# good_when, bad_when -> reading
TABLE = {
    (None, None): ERROR,
    (None, True): BAD,
    (None, False): GOOD,
    (None, FAILED): ERROR,
    (True, None): GOOD,
    (True, True): BAD,
    (True, False): GOOD,
    (True, FAILED): ERROR,
    (False, None): BAD,
    (False, True): BAD,
    (False, False): INCONCLUSIVE,
    (False, FAILED): ERROR,
    (FAILED, None): ERROR,
    (FAILED, True): BAD,
    (FAILED, False): ERROR,
    (FAILED, FAILED): ERROR,
}
TEXT = {None: "", True: "result == 1", False: "result != 1", FAILED: "result.nothing"}


def test_the_table_is_whole():
    assert set(TABLE) == set(itertools.product((None, True, False, FAILED), repeat=2))


@pytest.mark.parametrize(("good", "bad"), TABLE)
def test_each_row_of_the_table_for_answers_and_for_real_expressions(good, bad):
    assert combine(good, bad) is TABLE[good, bad]
    judged = judge_conditions(Conditions(TEXT[good], TEXT[bad]), {"result": 1}, "saw 1")
    assert judged.reading is TABLE[good, bad]
    assert judged.detail.startswith("saw 1; ")


@pytest.mark.parametrize(
    ("good", "bad", "detail"),
    [
        ("result < 5", "", "saw it; good_when (result < 5) is false"),
        ("", "result > 5", "saw it; bad_when (result > 5) is true"),
        ("result > 5", "result > 5", "saw it; bad_when (result > 5) is true"),
        (
            "result < 5",
            "result > 10",
            "saw it; good_when (result < 5) is false and bad_when (result > 10) is false",
        ),
        (
            "result.a",
            "",
            "saw it; good_when (result.a) cannot be evaluated: 'int object' has no attribute 'a'",
        ),
    ],
)
def test_the_sentence_names_what_decided(good, bad, detail):
    assert judge_conditions(Conditions(good, bad), {"result": 7}, "saw it").detail == detail


RESULT = {"lag": 3, "nodes": [{"name": "a", "up": True}, {"name": "b", "up": False}], "state": "ok"}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("result.lag < 30", True),
        ("result['state'] == 'ok' and result.lag is divisibleby 3", True),
        ("result.nodes | selectattr('up') | list | length == 2", False),
        ("result.nodes | map(attribute='name') | join(',') == 'a,b'", True),
        ("'b' in result.nodes | map(attribute='name')", True),
        ("result.other is defined", False),
        ("result.lag * 2 + 1 == 7", True),
        ("(result.lag | float) in [3.0]", True),
        ("not result.lag", False),
    ],
)
def test_an_expression_over_a_result(text, answer):
    assert check_syntax(text) == {"result"}
    assert evaluate(text, {"result": RESULT}) is answer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("result.lag", "it gave 3, which is neither true nor false"),
        ("result.state", "it gave ok, which is neither true nor false"),
        ("none", "it gave None, which is neither true nor false"),
        ("result.nothing < 3", "'dict object' has no attribute 'nothing'"),
        ("result.nothing", "'dict object' has no attribute 'nothing'"),
        ("value > 3", "there are two"),
        ("result.state < 3", "'<' not supported"),
        ("1 / (result.lag - 3) > 0", "division by zero"),
        ("'x' * 1000000000 == ''", "between numbers only"),
        ("[1] * 1000000000 == []", "between numbers only"),
        ("9 ** 9 ** 9 ** 9 > 1", "powers are not"),
        ("range(1000000000) | list | length > 1", "Range too big"),
        ("result.__class__.__mro__ | length > 1", "unsafe"),
        ("''.__class__.__base__.__subclasses__() | length > 1", "unsafe"),
        ("result.update({}) == none", "unsafe"),
    ],
)
def test_what_cannot_be_evaluated_says_why(text, reason):
    start = time.monotonic()
    with pytest.raises(ExpressionError) as raised:
        evaluate(text, {"result": RESULT, "value": missing("there are two")})
    assert reason in str(raised.value)
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("result.lag <", "unexpected"),
        ("result.lag = 3", 'it ends before "="'),
        ("result lag", 'it ends before "lag"'),
        ("(result", "unexpected"),
        ("result | nofilter > 1", "No filter named 'nofilter'"),
        ("result | random == 1", "No filter named 'random'"),
        ("result is wrongtest", "No test named 'wrongtest'"),
        ("result." + "a" * 2000, "longer than 2000 characters"),
        ("(" * 900 + "result" + ")" * 900, "nested too deeply"),
    ],
)
def test_what_is_no_expression_is_refused_before_anything_is_measured(text, reason):
    with pytest.raises(ExpressionError) as raised:
        check_syntax(text)
    assert reason in str(raised.value)


def test_nothing_of_one_evaluation_is_left_for_the_next():
    result = {"list": [1]}
    with pytest.raises(ExpressionError):
        evaluate("result.list.append(2) == none", {"result": result})
    assert result == {"list": [1]}
    assert evaluate("result.list == [1]", {"result": result})
