"""Where a rollout stands, as `folding` makes it of the journal. Nothing here decides; `decide` reads it.

The fold counts while it goes: it keeps sets of the few things that a decision asks for (bad hosts, batches
that wait, targets with equal tallies), so that no decision has to look at every host of a large fleet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.impact import Impact
from wavegate.core.outcomes import BAD_OUTCOMES, CLOSED, Outcome, Status, Verdict
from wavegate.core.tallies import Series


class Derived(dict[str, Mapping[str, tuple[str, ...]]]):
    """What follows from the rest of a state, kept to be quick: it makes no difference between two states."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derived)

    __hash__ = None


class GateState(Struct):
    """One gate before, during or after a wave; `opened_at` is where its soak starts.

    `out` are the targets that a probe found bad: they count against the failure budget instead. People are
    asked from `asked_at` on, until `asked_until`; the newest of their `votes` came at `voted_at`. `untouched`
    are hosts to compare with. A background gate knows its probes' `intervals`, and probe -> target -> impact.
    """

    wave: str
    side: str
    gate: str
    opened_at: float
    targets: tuple[str, ...]
    out: set[str] = field(default_factory=set)
    series: dict[str, Series] = field(default_factory=dict)
    asked_at: float | None = None
    asked_until: float = 0.0
    votes: tuple[ev.VoteCast, ...] = ()
    voted_at: float = 0.0
    verdict: Verdict | None = None
    reason: str = ""
    decided_at: float | None = None
    override: ev.GateOverridden | None = None
    untouched: tuple[str, ...] = ()
    intervals: Mapping[str, float] = field(default_factory=dict)
    impacts: dict[str, dict[str, Impact]] = field(default_factory=dict)
    over: bool = False
    """Whether the wave of a background gate is completed."""
    rested: bool = False
    """Whether the rollout stood still since a background gate opened."""
    groups: Derived = field(default_factory=Derived)
    """What `grouping` made of the targets; it depends on nothing else than these and the plan."""


class HostState(Struct):
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
    stood: tuple[Outcome, bool, bool, str] | None = None
    """Outcome, `doubtful`, `is_sick` and `found_bad` before another turn was promised, until that comes."""
    found_bad: str = ""
    accepted: bool = False
    """A person let the rollout pass though it was found bad: it counts as bad no more."""
    forward: Outcome | None = None
    """The outcome of the way forward, where `outcome` tells the rollback's."""
    counted: tuple[bool, str, bool] = (False, "", False)
    """As what it is in the counters of its wave: with an outcome, bad in which way, sick."""

    @property
    def is_bad(self) -> bool:
        """Whether the host counts against the failure budget; one whose batch a person stopped does not."""
        if self.accepted:
            return False
        outcome = self.forward or self.outcome
        return (outcome in BAD_OUTCOMES and not self.doubtful) or bool(self.found_bad)

    @property
    def bad_as(self) -> str:
        """Return in which way a bad host is bad, as a class of failure budgets."""
        return "found_bad" if self.found_bad else str(self.forward or self.outcome)


class ObligationState(Struct):
    """Something that is taken out, or is about to be, and must be put back by the playbook `undo`.

    `batch` is the one that took it out; `discharge` the one that puts it back now. `failed` says why that
    could not be done since somebody last went on with the rollout.
    """

    host: str
    key: str
    undo: str
    batch: str
    opened_at: float
    discharge: str = ""
    failed: str = ""


class BatchState(Struct):
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
    obligation: str = ""


class Counts(Struct):
    """How many hosts have an outcome, and class of failure budgets -> how many are bad in that way.

    `made_bad` are those that the rollout made bad, `sick` those that were so before; no class is at 0.
    """

    ended: int = 0
    made_bad: Counter[str] = field(default_factory=Counter)
    sick: Counter[str] = field(default_factory=Counter)


class WaveState(Struct):
    """One wave's way: started, all hosts with an outcome, completed.

    `done`, `bad` and (bad, but not by our doing) `sick` are its hosts that are, `not_started` those on which
    Ansible never began, `skipped` those that a person took out; `begun` its batches of which no host waits,
    and `first_waiting` the lowest index that is not among them.
    """

    started_at: float | None = None
    completed_at: float | None = None
    before: GateState | None = None
    during: GateState | None = None
    after: GateState | None = None
    rollback: GateState | None = None
    done: set[str] = field(default_factory=set)
    bad: set[str] = field(default_factory=set)
    sick: set[str] = field(default_factory=set)
    skipped: set[str] = field(default_factory=set)
    not_started: set[str] = field(default_factory=set)
    begun: set[int] = field(default_factory=set)
    first_waiting: int = 0
    counts: Counts = field(default_factory=Counts)


class RollbackState(Struct):
    """The hosts to be put back, and why; `waiting` maps a wave to its batches not begun yet, last one last.

    `failed` are hosts that could not be put back; `wave` is where the trouble was.
    """

    wave: str
    hosts: tuple[str, ...]
    reason: str
    started_at: float
    chosen: frozenset[str]
    waiting: dict[str, list[int]]
    failed: set[str] = field(default_factory=set)


class State(Struct):
    """The whole rollout as its journal tells it."""

    status: Status = Status.PLANNED
    reason: str = ""
    name: str = ""
    started_at: float | None = None
    ended_at: float | None = None
    seq: int = 0
    at: float = 0.0
    by: str = ""
    launched_by: str = ""
    """Who started the rollout, whoever went on with it."""
    waves: dict[str, WaveState] = field(default_factory=dict)
    hosts: dict[str, HostState] = field(default_factory=dict)
    batches: dict[str, BatchState] = field(default_factory=dict)
    in_flight: dict[str, BatchState] = field(default_factory=dict)
    hosts_in_flight: int = 0
    """How many hosts belong to batches that have not ended."""
    discharging: int = 0
    """How many batches in flight discharge an obligation."""
    completed: set[str] = field(default_factory=set)
    """The names of the waves that are completed."""
    surely_completed: int = 0
    """So many of the plan's first waves are completed; maybe more are."""
    counts: Counts = field(default_factory=Counts)
    batches_ended: int = 0
    batch_seconds: float = 0.0
    """How long the batches that ended on the way forward took, all together."""
    obligations: dict[tuple[str, str], ObligationState] = field(default_factory=dict)
    """What is taken out and not put back, by host and key, in the order in which it was."""
    pins: dict[str, ev.VersionPinned] = field(default_factory=dict)
    """What the first host resolved, by key."""
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

    def changed_ago(self, host: str, now: float) -> float | None:
        """Return how many seconds ago the host's last batch began; None when it had none."""
        known = self.hosts.get(host)
        batch = self.batches.get(known.batch) if known else None
        return max(now - batch.started_at, 0.0) if batch else None

    @property
    def is_closed(self) -> bool:
        """Whether nothing is left to do."""
        return self.status in CLOSED

    @property
    def is_over(self) -> bool:
        """Whether it is closed, or stopped because something is wrong."""
        return self.ended_at is not None
