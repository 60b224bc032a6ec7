"""How measurements are counted: a tally for each target of a probe; equal ones are judged once."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.comparison import Samples
from wavegate.core.outcomes import Reading

_FEW = 4
"""How many targets must say the same, on average, for tallies to be shared."""

Counts = tuple[int, int, int, int, int, int, Reading | None]


class Tally(Struct):
    """How one probe's measurements of one target went so far."""

    good: int = 0
    bad: int = 0
    inconclusive: int = 0
    error: int = 0
    consecutive_good: int = 0
    consecutive_error: int = 0
    last: Reading | None = None
    detail: str = ""
    value: float | None = None

    def add(self, measurement: ev.Measurement, number: int = 1) -> None:
        """Count so many more measurements that say the same."""
        reading = measurement.reading
        if reading is Reading.GOOD:  # nearly all of them, in large fleets
            self.good += number
            self.consecutive_good += number
            self.consecutive_error = 0
        else:
            setattr(self, reading.value, getattr(self, reading.value) + number)
            self.consecutive_good = 0
            self.consecutive_error = self.consecutive_error + number if reading is Reading.ERROR else 0
        self.last, self.detail, self.value = reading, measurement.detail, measurement.value

    def copied(self) -> Tally:
        """Return a tally of its own that is equal."""
        return Tally(*self.counts, self.detail, self.value)

    @property
    def counts(self) -> Counts:
        """Return all that a judgement of this tally depends on."""
        return (
            self.good,
            self.bad,
            self.inconclusive,
            self.error,
            self.consecutive_good,
            self.consecutive_error,
            self.last,
        )


class _Move(Struct):
    """What one sweep does to targets that had equal tallies and were measured alike."""

    measurement: ev.Measurement
    tally: Tally
    before: Tally | None
    leaves: dict[str, None]
    joins: dict[str, None]
    number: int = 0


class Series(Struct):
    """One probe of one gate: its sweeps and a tally for each target.

    `total` counts all measurements; `alike` groups the targets that are still judged by equal counts, since
    equal tallies need only one judgement. `samples` are there where a probe compares.
    """

    started: int = 0
    started_at: float = 0.0
    ended: int = 0
    ended_at: float = 0.0
    measured_at: float = 0.0
    """When the newest sweep that is over had begun."""
    in_flight: bool = False
    tallies: dict[str, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    alike: dict[Counts, dict[str, None]] = field(default_factory=dict)
    latest: tuple[ev.Measurement, ...] | None = None
    moves: list[_Move] = field(default_factory=list)
    samples: Samples | None = None

    def add(self, measurement: ev.Measurement, number: int = 1, *, judged: bool) -> None:
        """Count so many more measurements alike; a target that is not `judged` any more is in no group."""
        self.latest = None
        self._own()
        target = measurement.target
        tally = self.tallies.get(target)
        if tally is None:
            tally = self.tallies[target] = Tally()
        else:
            self.drop(target)
        tally.add(measurement, number)
        self.total.add(measurement, number)
        if judged:
            counts = tally.counts
            group = self.alike.get(counts)
            if group is None:
                group = self.alike[counts] = {}
            group[target] = None

    def add_all(self, measurements: tuple[ev.Measurement, ...], out: set[str], number: int = 1) -> None:
        """Count a sweep, or so many that are alike; targets that are `out` are not judged, and in no group.

        Where few different things are said (a simulated fleet), targets of equal tallies share one, which
        nobody but them has; and a sweep that is the very same object as the last one costs next to nothing.
        """
        if measurements is self.latest:
            self._repeat(number)
        elif _say_much(measurements):
            for measurement in measurements:
                self.add(measurement, number, judged=measurement.target not in out)
        else:
            self._move_together(measurements, out)
            if number > 1:
                self._repeat(number - 1)

    def _own(self) -> None:
        """Give every target a tally of its own."""
        if self.moves:
            self.tallies = {target: tally.copied() for target, tally in self.tallies.items()}
            self.moves = []

    def _move_together(self, measurements: tuple[ev.Measurement, ...], out: set[str]) -> None:
        moves: dict[tuple[int, Reading, str, float | None], _Move] = {}
        tallies = self.tallies
        for measurement in measurements:
            target = measurement.target
            before = tallies.get(target)
            key = (id(before), measurement.reading, measurement.detail, measurement.value)
            move = moves.get(key)
            if move is None:
                move = moves[key] = self._begin_move(before, measurement)
            move.number += 1
            move.leaves.pop(target, None)
            tallies[target] = move.tally
            if target not in out:
                move.joins[target] = None
        self.latest, self.moves = measurements, list(moves.values())
        for move in self.moves:
            self.total.add(move.measurement, move.number)
        self.alike = {counts: group for counts, group in self.alike.items() if group}

    def _begin_move(self, before: Tally | None, measurement: ev.Measurement) -> _Move:
        tally = before.copied() if before else Tally()
        leaves = self.alike.get(before.counts, {}) if before else {}
        tally.add(measurement)
        # A tally that is shared must live until the sweep is counted, or its id could be another one's.
        return _Move(measurement, tally, before, leaves, self.alike.setdefault(tally.counts, {}))

    def _repeat(self, number: int) -> None:
        for move in self.moves:
            move.tally.add(move.measurement, number)
            self.total.add(move.measurement, move.number * number)
        groups = list(self.alike.values())
        self.alike = {}
        for group in groups:
            counts = self.tallies[next(iter(group))].counts
            if counts in self.alike:
                self.alike[counts].update(group)
            else:
                self.alike[counts] = group

    def drop(self, target: str) -> None:
        """Take the target out of its group."""
        tally = self.tallies.get(target)
        if tally is None:
            return
        counts = tally.counts
        group = self.alike.get(counts)
        if group is not None:
            group.pop(target, None)
            if not group:
                del self.alike[counts]


def _say_much(measurements: Sequence[ev.Measurement]) -> bool:
    """Whether too many different things are said for tallies to be shared; looks no further than it must."""
    said, most = set(), len(measurements) // _FEW
    for measurement in measurements:
        said.add((measurement.reading, measurement.detail, measurement.value))
        if len(said) > most:
            return True
    return False
