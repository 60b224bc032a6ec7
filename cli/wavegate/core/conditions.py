"""What `good_when` and `bad_when` mean together.

| good_when | bad_when | reading |
|---|---|---|
| true | - | good |
| false | - | bad |
| - | true | bad |
| - | false | good |
| true | false | good |
| any | true | bad |
| false | false | inconclusive |
| cannot be evaluated | false or - | error |
| true, false or - | cannot be evaluated | error |
| - | - | error: nothing was asked (refused when the file is read) |

Bad wins over what could not be evaluated: nothing overrides a fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from wavegate.core.expressions import ExpressionError, evaluate
from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading


class Conditions(Struct, frozen=True):
    """Two expressions; "" is one that nobody gave."""

    good_when: str = ""
    bad_when: str = ""


class Failed(Struct, frozen=True):
    """An expression that could not be evaluated, and why."""

    reason: str


Answer = bool | Failed | None
"""What an expression said; None: it was not given."""


def combine(good: Answer, bad: Answer) -> Reading:
    """Return the reading of the table above."""
    if bad is True:
        return Reading.BAD
    if isinstance(good, Failed) or isinstance(bad, Failed) or (good is None and bad is None):
        return Reading.ERROR
    if good is None:
        return Reading.GOOD
    if good:
        return Reading.GOOD
    return Reading.BAD if bad is None else Reading.INCONCLUSIVE


def judge_conditions(
    conditions: Conditions, names: Mapping[str, Any], seen: str, value: float | None = None
) -> Judgement:
    """Return what the conditions say about `names`; `seen` begins the sentence: what was measured."""
    good, bad = _answer(conditions.good_when, names), _answer(conditions.bad_when, names)
    reading = combine(good, bad)
    told = [_tell("good_when", conditions.good_when, good), _tell("bad_when", conditions.bad_when, bad)]
    if reading is Reading.BAD and bad is True:
        told = told[1:]
    if reading is Reading.ERROR:
        told = [text for text, one in zip(told, (good, bad), strict=True) if isinstance(one, Failed)]
    told = [text for text in told if text] or ["neither good_when nor bad_when was given"]
    sentence = "; ".join(part for part in (seen, " and ".join(told)) if part)
    return Judgement(reading, sentence, None if reading is Reading.ERROR else value)


def _answer(text: str, names: Mapping[str, Any]) -> Answer:
    if not text:
        return None
    try:
        return evaluate(text, names)
    except ExpressionError as error:
        return Failed(str(error))


def _tell(key: str, text: str, answer: Answer) -> str:
    if answer is None:
        return ""
    if isinstance(answer, Failed):
        return f"{key} ({text}) cannot be evaluated: {answer.reason}"
    return f"{key} ({text}) is {'true' if answer else 'false'}"
