"""What users felt of a wave, as far as it was measured: downtime, lost requests, and what nobody knows.

An answer stands from the start of its measurement until the next one starts, so downtime goes from the first
bad measurement's start to the next good one's. It stands for at most one interval longer than it should: then
nobody measured, and the time is unknown, as is the time of an answer that is neither good nor bad. Where one
measurement is of many requests, these count themselves, and the last of them stands until the next begins.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from wavegate.core.events import Measurement
from wavegate.core.outcomes import Reading
from wavegate.core.quantity import format_duration


class Impact(Struct):
    """One target of one probe of a background gate; times are seconds since the epoch, durations seconds.

    `watched` is the whole time, `down` and `unknown` are parts of it. `since` is where the newest answer
    begins to stand (None while nobody watches), `until` where it does not stand any more.
    """

    watched: float = 0.0
    down: float = 0.0
    unknown: float = 0.0
    requests: int = 0
    failed: int = 0
    lost: int = 0
    since: float | None = None
    until: float = 0.0
    reading: Reading | None = None

    def add(self, one: Measurement, started_at: float, ended_at: float, interval: float) -> None:
        """Take in an answer of a sweep, which began and ended then."""
        if self.since is None:
            self.since = started_at
        self.settle(started_at)
        self.since, self.reading = max(self.since, started_at), one.reading
        self.until = max(started_at + interval, ended_at) + interval
        if one.asked is None:
            self._count(one.reading)
            return
        asked, took = one.asked, max(0.0, ended_at - started_at)
        self.requests += asked.requests - asked.lost
        self.failed += asked.failed
        self.lost += asked.lost
        down = min(asked.down, took)
        self.watched += took
        self.down += down
        self.unknown += min(asked.unknown, took - down)
        self.since, self.reading = max(started_at, ended_at), asked.ends

    def _count(self, reading: Reading) -> None:
        if reading in {Reading.GOOD, Reading.BAD}:
            self.requests += 1
            self.failed += reading is Reading.BAD
        else:
            self.lost += 1

    def settle(self, at: float) -> None:
        """Count the time until `at` by the answer that stands."""
        if self.since is None or at <= self.since:
            return
        span = at - self.since
        stands = max(0.0, min(at, self.until) - self.since)
        known = stands if self.reading in {Reading.GOOD, Reading.BAD} else 0.0
        self.watched += span
        self.unknown += span - known
        if self.reading is Reading.BAD:
            self.down += known
        self.since = at

    def rest(self, at: float) -> None:
        """Stop counting at `at`: nobody watches from then on, and nobody should."""
        self.settle(at)
        self.since, self.reading = None, None

    def as_of(self, at: float) -> Impact:
        """Return the impact counted until `at`, as one of its own."""
        copy = replace(self)
        copy.settle(at)
        return copy


_MINUTE, _TENTH, _HUNDREDTH = 60, 0.1, 0.01


def show_seconds(seconds: float) -> str:
    """Return a downtime for people: `0.0 s`, `0.02 s`, `3 min 20 s`; a little is never none."""
    if seconds >= _MINUTE:
        return format_duration(seconds)
    if 0 < seconds < _TENTH:
        return f"{seconds:.2f} s" if seconds >= _HUNDREDTH else "less than 0.01 s"
    return f"{seconds:.1f} s"


def tell_impact(impact: Impact) -> str:
    """Return the impact in words: `1.2 s down of 3 min 00 s, 2 of 9,000 requests failed`."""
    text = f"{show_seconds(impact.down)} down of {show_seconds(impact.watched)}"
    text += f", {impact.failed:,} of {impact.requests:,} requests failed"
    text += f", {impact.lost:,} could not be measured" if impact.lost else ""
    return text + (f", unknown for {show_seconds(impact.unknown)}" if impact.unknown >= _TENTH / 2 else "")
