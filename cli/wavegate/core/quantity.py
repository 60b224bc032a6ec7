"""Durations and amounts as people write them: `20s`, `15m`, `3h`, `2d`; `4`, `25%`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_PERCENT = re.compile(r"(\d+)\s*%")


def parse_duration(text: str) -> float:
    """Return the seconds that `text` (`20s`, `1.5h`) stands for; raise ValueError with a hint otherwise."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a duration; write a number and a unit: 500ms, 20s, 15m, 3h, 2d")
    return float(match[1]) * _UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return `seconds` for people: `0.4 s`, `8 s`, `12 s`, `3 min 20 s`, `2 h 05 min`, `3 d 4 h`."""
    if seconds < 10 and round(seconds, 1) != round(seconds):  # noqa: PLR2004 - so little that a tenth matters
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:  # noqa: PLR2004
        return f"{hours} h {minutes:02d} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h"


class Amount(Struct, frozen=True):
    """A count of hosts, or a percentage of some whole that is known only when the plan is made."""

    value: int
    percent: bool = False

    def of(self, whole: int) -> int:
        """Return the absolute number; a percentage is floored, so that a budget never grows by rounding."""
        return whole * self.value // 100 if self.percent else self.value

    def __str__(self) -> str:
        return f"{self.value}%" if self.percent else str(self.value)


def parse_amount(value: int | str) -> Amount:
    """Return the amount for `4`, `"4"` or `"25%"`; raise ValueError for anything else or over 100%."""
    if isinstance(value, int) and not isinstance(value, bool):
        number, percent = value, False
    else:
        text = str(value).strip()
        match = _PERCENT.fullmatch(text)
        if not match and not text.isdigit():
            raise ValueError(f"{value!r} is neither a whole number nor a percentage such as 25%")
        number, percent = int(match[1] if match else text), bool(match)
    if number < 0:
        raise ValueError(f"{number} is negative")
    if percent and number > 100:  # noqa: PLR2004
        raise ValueError(f"{number}% is more than 100%")
    return Amount(number, percent)


_MOST_NAMES = 8


def some(names: Sequence[str]) -> str:
    """Return the names, or the first few and how many more."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
