"""Where a rollout stands, as `folding` makes it of the journal. Nothing here decides; `decide` reads it.

The fold counts while it goes: it keeps sets of the few things that a decision asks for (bad hosts, batches
that wait, targets with equal tallies), so that no decision has to look at every host of a large fleet.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wavegate.core import events as ev
from wavegate.core.outcomes import BAD_OUTCOMES, CLOSED, Outcome, Reading, Status, Verdict

_FEW = 4
"""How many targets must say the same, on average, for tallies to be shared."""

Counts = tuple[int, int, int, int, int, int, Reading | None]


@dataclass(slots=True)
class Tally:
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


@dataclass(slots=True)
class _Move:
    """What one sweep does to targets that had equal tallies and were measured alike."""

    measurement: ev.Measurement
    tally: Tally
    before: Tally | None
    leaves: dict[str, None]
    joins: dict[str, None]
    number: int = 0


@dataclass(slots=True)
class Series:
    """One probe of one gate: its sweeps and a tally for each target.

    `total` counts all measurements; `alike` groups the targets that are still judged by equal counts, since
    equal tallies need only one judgement.
    """

    started: int = 0
    started_at: float = 0.0
    ended: int = 0
    ended_at: float = 0.0
    in_flight: bool = False
    tallies: dict[str, Tally] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    alike: dict[Counts, dict[str, None]] = field(default_factory=dict)
    latest: tuple[ev.Measurement, ...] | None = None
    moves: list[_Move] = field(default_factory=list)

    def add(self, measurement: ev.Measurement, *, judged: bool) -> None:
        """Count one more measurement; a target that is not `judged` any more is in no group."""
        self.latest = None
        self._own()
        target = measurement.target
        tally = self.tallies.get(target)
        if tally is None:
            tally = self.tallies[target] = Tally()
        else:
            self.drop(target)
        tally.add(measurement)
        self.total.add(measurement)
        if judged:
            counts = tally.counts
            group = self.alike.get(counts)
            if group is None:
                group = self.alike[counts] = {}
            group[target] = None

    def add_all(self, measurements: tuple[ev.Measurement, ...], out: set[str]) -> None:
        """Count a sweep; targets that are `out` are not judged any more and in no group.

        Where few different things are said (a simulated fleet), targets of equal tallies share one, which
        nobody but them has; and a sweep that is the very same object as the last one costs next to nothing.
        """
        if measurements is self.latest:
            self._repeat()
        elif len({(m.reading, m.detail, m.value) for m in measurements}) * _FEW > len(measurements):
            for measurement in measurements:
                self.add(measurement, judged=measurement.target not in out)
        else:
            self._move_together(measurements, out)

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

    def _repeat(self) -> None:
        for move in self.moves:
            move.tally.add(move.measurement)
            self.total.add(move.measurement, move.number)
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


@dataclass(slots=True)
class GateState:
    """One gate before or after a wave; `opened_at` is where its soak starts.

    `out` are the targets that a probe found bad: they count against the failure budget instead.
    """

    wave: str
    side: str
    gate: str
    opened_at: float
    targets: tuple[str, ...]
    out: set[str] = field(default_factory=set)
    series: dict[str, Series] = field(default_factory=dict)
    verdict: Verdict | None = None
    reason: str = ""
    decided_at: float | None = None


@dataclass(slots=True)
class HostState:
    """What is known about one host. `touched`: the rollout may have begun to change it."""

    outcome: Outcome | None = None
    reason: str = ""
    task: str = ""
    batch: str = ""
    completed: tuple[str, ...] = ()
    changed: int = 0
    rescued: int = 0
    touched: bool = False
    doubtful: bool = False
    is_sick: bool = False
    """Bad, and it did not get through the precheck: it was so before, and nothing was changed there."""
    in_doubt: tuple[str, ...] = ()
    """Batches of which a task may still be at work there: its end was not seen."""
    stood: tuple[Outcome, bool, bool] | None = None
    """Outcome, `doubtful` and `is_sick` before a resume promised it another turn, until that comes."""
    found_bad: str = ""
    forward: Outcome | None = None
    """The outcome of the way forward, where `outcome` tells the rollback's."""

    @property
    def is_bad(self) -> bool:
        """Whether the host counts against the failure budget; one whose batch a person stopped does not."""
        outcome = self.forward or self.outcome
        return (outcome in BAD_OUTCOMES and not self.doubtful) or bool(self.found_bad)


@dataclass(slots=True)
class BatchState:
    """One submitted batch; in flight until `ended_at` is set."""

    wave: str
    index: int
    hosts: tuple[str, ...]
    procedures: tuple[str, ...]
    started_at: float
    ended_at: float | None = None
    status: str = ""
    detail: str = ""
    output: str = ""


@dataclass(slots=True)
class WaveState:
    """One wave's way: started, all hosts with an outcome, completed.

    `done`, `bad` and (bad, but not by our doing) `sick` are its hosts that are, `not_started` those on which
    Ansible never began, `skipped` those that a person took out; `begun` its batches of which no host waits,
    and `first_waiting` the lowest index that is not among them.
    """

    started_at: float | None = None
    completed_at: float | None = None
    before: GateState | None = None
    after: GateState | None = None
    rollback: GateState | None = None
    done: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    not_started: set[str] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    first_waiting: int = 0


@dataclass(slots=True)
class RollbackState:
    """The hosts to be put back, and why; `waiting` maps a wave to its batches not begun yet, last first.

    `failed` are hosts that could not be put back; `wave` is where the trouble was.
    """

    wave: str
    hosts: tuple[str, ...]
    reason: str
    started_at: float
    chosen: frozenset[str]
    waiting: dict[str, list[int]]
    failed: set[str] = field(default_factory=set)


@dataclass(slots=True)
class State:
    """The whole rollout as its journal tells it."""

    status: Status = Status.PLANNED
    reason: str = ""
    name: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    seq: int = 0
    at: float = 0.0
    by: str = ""
    waves: dict[str, WaveState] = field(default_factory=dict)
    hosts: dict[str, HostState] = field(default_factory=dict)
    batches: dict[str, BatchState] = field(default_factory=dict)
    in_flight: dict[str, BatchState] = field(default_factory=dict)
    hosts_in_flight: int = 0
    """How many hosts belong to batches that have not ended."""
    completed: set[str] = field(default_factory=set)
    """The names of the waves that are completed."""
    batches_ended: int = 0
    batch_seconds: float = 0.0
    """How long the batches that ended on the way forward took, all together."""
    breach: ev.BudgetBreached | None = None
    failed_gate: str = ""
    rollback: RollbackState | None = None
    stop: ev.StopRequested | None = None
    abort: ev.AbortRequested | None = None

    def wave(self, name: str) -> WaveState:
        """Return the wave's state, a blank one when nothing happened in it yet."""
        return self.waves.get(name) or WaveState()

    def host(self, name: str) -> HostState:
        """Return the host's state, a blank one when nothing happened to it yet."""
        return self.hosts.get(name) or HostState()

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in CLOSED

    @property
    def is_over(self) -> bool:
        """Whether it is closed, or stopped because something is wrong."""
        return self.ended_at is not None
