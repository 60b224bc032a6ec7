"""Where an instant lies on a time line of limited width, with long standstills folded up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from wavegate.core.quantity import format_duration

_FOLD_FROM = 0.15
"""A standstill longer than this share of the time that was worked is folded up."""

_FOLDED_WIDTH = 0.07
_WANTED_TICKS = 6
_LEAST_BETWEEN_TICKS = 9.0
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400, 172800, 604800)


class Tick(Struct, frozen=True):
    """A line of the grid: where it stands in percent, and the time since the start that it marks."""

    left: float
    label: str


class Scale(Struct, frozen=True):
    """A piecewise straight line from times to percent; `folds` are the stretches that were folded up."""

    knots: tuple[tuple[float, float], ...]
    folds: tuple[tuple[float, float], ...]

    def place(self, at: float) -> float:
        """Return where `at` lies, from 0 to 100 percent; instants outside lie on the nearer end."""
        for (time, left), (next_time, next_left) in pairwise(self.knots):
            if at <= next_time:
                share = (at - time) / (next_time - time) if next_time > time else 0.0
                return round(left + max(0.0, share) * (next_left - left), 3)
        return 100.0

    def ticks(self) -> tuple[Tick, ...]:
        """Return about six ticks at round times since the start, none of them inside a fold."""
        start = self.knots[0][0]
        end = self.knots[-1][0]
        worked = end - start - sum(until - since for since, until in self.folds)
        step = next((one for one in _STEPS if one * _WANTED_TICKS >= worked), _STEPS[-1])
        ticks: list[Tick] = []
        for since, until in self._worked():
            number = -int(-(since - start) // step)
            while start + number * step <= until:
                tick = Tick(self.place(start + number * step), _label(number * step))
                if not ticks or tick.left - ticks[-1].left >= _LEAST_BETWEEN_TICKS:
                    ticks.append(tick)
                number += 1
        return tuple(ticks)

    def _worked(self) -> list[tuple[float, float]]:
        edges = [self.knots[0][0], *(edge for fold in self.folds for edge in fold), self.knots[-1][0]]
        return list(zip(edges[::2], edges[1::2], strict=True))


def make_scale(start: float, end: float, standstills: Iterable[tuple[float, float]] = ()) -> Scale:
    """Return the scale from `start` to `end`; a standstill of hours takes no more room than it deserves."""
    end = max(end, start + 1.0)
    inside = [(max(since, start), min(until, end)) for since, until in standstills]
    inside = [(since, until) for since, until in inside if until > since]
    worked = max(end - start - sum(until - since for since, until in inside), 1.0)
    folds = tuple((since, until) for since, until in inside if until - since > worked * _FOLD_FROM)
    return Scale(_make_knots(start, end, folds), folds)


def _make_knots(
    start: float, end: float, folds: Sequence[tuple[float, float]]
) -> tuple[tuple[float, float], ...]:
    folded = min(_FOLDED_WIDTH, 0.5 / max(1, len(folds)))
    straight = end - start - sum(until - since for since, until in folds)
    per_second = (1.0 - folded * len(folds)) * 100.0 / max(straight, 1e-9)
    knots = [(start, 0.0)]
    for since, until in folds:
        left = knots[-1][1] + (since - knots[-1][0]) * per_second
        knots += [(since, left), (until, left + folded * 100.0)]
    return (*knots, (end, 100.0))


def _label(seconds: int) -> str:
    """Return `0`, `5 s`, `2 min`, `1 h 05 min`."""
    if seconds < 60:  # noqa: PLR2004 - whole seconds need no tenths
        return f"{seconds} s" if seconds else "0"
    return format_duration(seconds).replace(" 00 s", "").replace(" 00 min", "")
