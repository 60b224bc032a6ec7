"""What Prometheus's answer to an instant query means.

Prometheus only tells about something else: whatever is wrong with its answer has measured nothing, an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from wavegate.core.conditions import Conditions, judge_conditions
from wavegate.core.expressions import missing
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_command import read_json
from wavegate.core.judgement_http import BODY_LIMIT, HttpAnswer
from wavegate.core.outcomes import Reading


class _UselessError(ValueError):
    """An answer that measures nothing; the message says why."""


def judge_prometheus(answer: HttpAnswer, conditions: Conditions, empty: Reading) -> Judgement:
    """Return what the conditions say about the query's result; `empty` is what no series at all means.

    The value is the number, where there is exactly one.
    """
    try:
        samples = _read_samples(_read_data(answer))
    except _UselessError as error:
        return Judgement(Reading.ERROR, str(error))
    if not samples:
        return Judgement(empty, "no data: the query gave no series")
    numbers = [sample["value"] for sample in samples]
    if any(math.isnan(number) for number in numbers):
        return Judgement(Reading.ERROR, "no data: the query gave NaN, such as by dividing zero by zero")
    single = numbers[0] if len(numbers) == 1 else None
    several = f"there is no single value: the query gave {len(numbers)} series, look at result"
    names = {"result": samples, "value": missing(several) if single is None else single}
    value = single if single is not None and math.isfinite(single) else None
    return judge_conditions(conditions, names, _tell(numbers), value)


def _tell(numbers: Sequence[float]) -> str:
    if len(numbers) == 1:
        return f"the query gave {numbers[0]:g}"
    return f"the query gave {len(numbers)} series, from {min(numbers):g} to {max(numbers):g}"


def _read_data(answer: HttpAnswer) -> Mapping[str, Any]:
    if answer.encoding or not answer.whole:
        why = (
            f"in the encoding {answer.encoding}" if answer.encoding else f"with more than {BODY_LIMIT} bytes"
        )
        raise _UselessError(f"Prometheus answered {why}")
    try:
        document = read_json(answer.body)
    except ValueError:
        raise _UselessError(f"Prometheus answered {answer.status} with something that is no JSON") from None
    said = document if isinstance(document, Mapping) else {}
    if said.get("status") == "error":
        raise _UselessError(
            f"Prometheus refuses the query: {said.get('errorType', 'error')}: {said.get('error', '')}"
        )
    data = said.get("data")
    if said.get("status") != "success" or not isinstance(data, Mapping):
        raise _UselessError(f"Prometheus answered {answer.status} with something else than a result")
    return data


def _read_samples(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    kind, result = data.get("resultType"), data.get("result")
    if kind == "scalar":
        return [{"metric": {}, "value": _read_number(result)}]
    if kind == "vector" and isinstance(result, list):
        return [_read_sample(item) for item in result]
    hint = ": make it one number, such as by avg_over_time or last_over_time" if kind == "matrix" else ""
    raise _UselessError(f"the query gives a {kind}, wanted a vector or a scalar{hint}")


def _read_sample(item: Any) -> dict[str, Any]:
    if isinstance(item, Mapping) and "histogram" in item:
        raise _UselessError("the query gives a native histogram: make it one number by histogram_quantile")
    if not isinstance(item, Mapping) or not isinstance(item.get("metric"), Mapping):
        raise _UselessError("Prometheus answered with a series that has no labels")
    return {"metric": dict(item["metric"]), "value": _read_number(item.get("value"))}


def _read_number(pair: Any) -> float:
    """Return the number of `[time, "number"]`; Prometheus spells NaN, +Inf and -Inf as Python reads them."""
    try:
        _, text = pair
        return float(text)
    except (TypeError, ValueError):
        raise _UselessError("Prometheus answered with a value that is no number") from None
