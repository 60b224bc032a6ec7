"""What a host's clock and the age of its files mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from wavegate.core.findings import Finding, age_text, not_measured
from wavegate.core.outcomes import Reading

_FUTURE = 300.0
"""Seconds by which a file may be younger than now, before its time (or the clock) makes no sense."""


class TimeWish(Struct, frozen=True):
    """Whether the clock must be in sync, and by how many seconds it may be off (None: nobody asked)."""

    in_sync: bool = False
    offset: float | None = None


def judge_time(wish: TimeWish, state: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what the host's time service says about the clock."""
    seen = state.get("time")
    if not wish.in_sync and wish.offset is None:
        return
    if not isinstance(seen, Mapping):
        yield not_measured("whether time is in sync", state, "time")
        return
    source = seen.get("source")
    if not seen.get("synced"):
        # Of a clock that nobody sets, no offset is known: that is why this is bad for both wishes.
        yield Reading.BAD, f"time is not in sync ({source} says so)"
        return
    if wish.in_sync:
        yield Reading.GOOD, f"time is in sync ({source})"
    if wish.offset is not None:
        yield _judge_offset(wish.offset, seen, state)


def _judge_offset(wanted: float, seen: Mapping[str, Any], state: Mapping[str, Any]) -> Finding:
    offset = seen.get("offset")
    if offset is None:
        return not_measured("by how much time is off", state, "time_offset")
    shown = f"time is off by {_offset_text(abs(offset))}"
    if abs(offset) > wanted:
        return Reading.BAD, f"{shown}, wanted at most {_offset_text(wanted)} ({seen.get('source')} says so)"
    return Reading.GOOD, shown


def _offset_text(seconds: float) -> str:
    """Return the offset rounded up to a tenth of a millisecond: too much never reads as allowed."""
    milliseconds = math.ceil(seconds * 10000) / 10
    return f"{milliseconds:g} ms" if milliseconds < 1000 else f"{milliseconds / 1000:g} s"  # noqa: PLR2004


def judge_fresh(wanted: Mapping[str, float], state: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield for each path whether the file, or the newest one in the folder, is young enough (seconds)."""
    seen = state.get("fresh") or {}
    for path, limit in wanted.items():
        found = seen.get(path)
        if not isinstance(found, Mapping):
            yield not_measured(f"the age of {path}", state, f"fresh {path}", "fresh")
        elif found.get("age") is None:
            yield Reading.BAD, f"{path} {found.get('why')}, wanted one of the last {age_text(limit)}"
        else:
            yield _judge_age(path, float(found["age"]), limit, str(found.get("newest") or ""))


def _judge_age(path: str, age: float, limit: float, newest: str) -> Finding:
    what = f"{path} (its newest file is {newest})" if newest else path
    if age < -_FUTURE:
        return Reading.ERROR, f"the age of {what} is not known: its time is {age_text(-age)} in the future"
    if age > limit:
        return Reading.BAD, f"{what} is {age_text(age)} old, wanted at most {age_text(limit)}"
    return Reading.GOOD, f"{what} is {age_text(age)} old"
