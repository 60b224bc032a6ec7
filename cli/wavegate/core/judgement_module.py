"""What the answer of an Ansible module means: two conditions over its `result`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavegate.core.conditions import Conditions, judge_conditions
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_command import number_of
from wavegate.core.outcomes import Reading


def judge_result(conditions: Conditions, result: Mapping[str, Any]) -> Judgement:
    """Return what the conditions say about the module's result.

    A module that says it failed is no answer by itself: it is good only where `good_when` says so.
    """
    failed = bool(result.get("failed"))
    seen = f"the module failed: {result.get('msg') or 'no reason was given'}" if failed else ""
    judged = judge_conditions(conditions, {"result": result}, seen, number_of(result))
    if failed and judged.reading is Reading.GOOD and not conditions.good_when:
        return Judgement(Reading.ERROR, judged.detail)
    return judged
