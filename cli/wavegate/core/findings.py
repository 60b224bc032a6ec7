"""What one condition of a probe found, and how findings are put together into one reading."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from wavegate.core.judgement import Judgement, Trouble, judge_trouble
from wavegate.core.outcomes import Reading

Finding = tuple[Reading, str]
"""A reading and its sentence, which names what was seen and, where it is bad, what was wanted."""


def sum_up(findings: Iterable[Finding], nothing: str) -> Judgement:
    """Return the reading of all findings: bad wins over what could not be measured, that over good.

    The sentences of that reading are told. Of no finding at all the reading is an error that says `nothing`.
    """
    found = list(findings)
    for reading in (Reading.BAD, Reading.ERROR, Reading.GOOD):
        sentences = [sentence for one, sentence in found if one is reading]
        if sentences:
            return Judgement(reading, "; ".join(sentences))
    return judge_trouble(Trouble.UNUSABLE, more=nothing)


def not_measured(what: str, state: Mapping[str, Any], *keys: str) -> Finding:
    """Return the error of what the host gave no answer to; the reason stands under one of `keys`."""
    errors = state.get("errors") or {}
    reason = next((str(errors[key]) for key in keys if key in errors), "the host gave no answer to it")
    return Reading.ERROR, f"{what} could not be measured: {reason}"


def percent_text(percent: float) -> str:
    """Return the percentage rounded down, so that too little never reads as enough."""
    return f"{math.floor(percent * 10) / 10:g}%"


def percent_up_text(percent: float) -> str:
    """Return the percentage rounded up, so that too much never reads as allowed."""
    return f"{math.ceil(percent * 10) / 10:g}%"


def bytes_text(count: float) -> str:
    """Return the size rounded down, in the largest unit that leaves at least 1 of it."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{math.floor(count / size * 100) / 100:g} {unit}"
    return f"{int(count)} bytes"


def age_text(seconds: float) -> str:
    """Return an age as people write it (`45 s`, `3.2 h`), rounded up: too old never reads as fresh."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{math.ceil(seconds / size * 10) / 10:g} {unit}"
    return f"{math.ceil(max(seconds, 0))} s"


def count_text(count: int, one: str, more: str = "") -> str:
    """Return `1 entry`, `3 entries`, `no entry`."""
    return f"no {one}" if count == 0 else f"1 {one}" if count == 1 else f"{count} {more or one + 's'}"
