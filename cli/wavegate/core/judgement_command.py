"""What the JSON that a program wrote means. JSON that is none has measured nothing: it is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wavegate.core.conditions import Conditions, judge_conditions
from wavegate.core.judgement import Judgement, ProgramEnd, judge_command
from wavegate.core.outcomes import Reading

_LARGEST = 1e300
"""No number beyond this is worth showing, and most are none: JSON's integers have no end."""


def judge_json_command(expected_code: int, end: ProgramEnd, conditions: Conditions) -> Judgement:
    """Return what the program's exit code and, where that is as wanted, its JSON say.

    The value is the JSON's, where it is a number or an object with a number as `value`.
    """
    ended = judge_command(expected_code, end)
    if ended.reading is not Reading.GOOD:
        return ended
    if end.output is None:
        return Judgement(Reading.ERROR, "the program wrote more than can be read as JSON")
    try:
        result = read_json(end.output)
    except ValueError as error:
        return Judgement(Reading.ERROR, f"the program wrote no proper JSON: {error}")
    return judge_conditions(conditions, {"result": result}, "", number_of(result))


def read_json(text: bytes | str) -> Any:
    """Return the JSON value; raise ValueError for anything else, NaN and Infinity too."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def number_of(result: Any) -> float | None:
    """Return the number that a result is, or has as its `value`."""
    return finite_number(result.get("value") if isinstance(result, Mapping) else result)


def finite_number(value: Any) -> float | None:
    """Return the number as JSON can carry it; None for what is none, NaN and what has no bounds too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= _LARGEST else None


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
