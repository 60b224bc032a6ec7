"""What a report tells about one rollout, as plain data: every format shows these facts and no others.

Times are seconds since the epoch (UTC), durations and latencies are seconds.
"""

from __future__ import annotations

from msgspec import Struct

from wavegate.core.comparison import Compared
from wavegate.core.outcomes import Outcome, Status, Verdict
from wavegate.reports.impact import ImpactFacts
from wavegate.reports.taken_out import TakenOut


class Try(Struct, frozen=True, kw_only=True):
    """One batch's way over one host, forward or back; `outcome` is None while it is in flight.

    `output` names the file that keeps what Ansible printed for the batch.
    """

    batch: str
    procedures: tuple[str, ...]
    started_at: float
    ended_at: float | None = None
    outcome: Outcome | None = None
    reason: str = ""
    task: str = ""
    completed: tuple[str, ...] = ()
    changed: int = 0
    rescued: int = 0
    output: str = ""

    @property
    def is_rollback(self) -> bool:
        """Whether this try puts the host back."""
        return "rollback" in self.procedures

    @property
    def trouble(self) -> str:
        """Return the task and the reason of the first trouble; empty when there was none."""
        return ": ".join(part for part in (self.task, self.reason) if part)

    @property
    def seconds(self) -> float | None:
        """Return how long it took; None while it is in flight."""
        return None if self.ended_at is None else self.ended_at - self.started_at


class HostFacts(Struct, frozen=True, kw_only=True):
    """One host: `standing` is its outcome, or `in_flight`, or `not_started`.

    `is_sick`: it is bad, and was so before: it did not get through the precheck.
    `outcome` and `reason` of the way forward stay in `forward`, also after a rollback.
    """

    name: str
    wave: str
    standing: str
    is_bad: bool
    is_sick: bool
    found_bad: str
    tries: tuple[Try, ...]

    @property
    def forward(self) -> Try | None:
        """Return the last try of the way forward; None when the host was never touched."""
        return next((one for one in reversed(self.tries) if not one.is_rollback), None)

    @property
    def rollback(self) -> Try | None:
        """Return the last try to put the host back; None when there was none."""
        return next((one for one in reversed(self.tries) if one.is_rollback), None)

    @property
    def trouble(self) -> str:
        """Return the first trouble in one sentence: a failed task, a probe's finding, a failed rollback."""
        forward = self.forward.trouble if self.forward else ""
        rollback = self.rollback.trouble if self.rollback else ""
        return "; ".join(part for part in (forward, self.found_bad, rollback) if part)


class Latency(Struct, frozen=True):
    """The smallest, the middle and the largest of some measured values, in seconds."""

    low: float
    middle: float
    high: float


class Counts(Struct, frozen=True, kw_only=True):
    """How many measurements were of which reading; an error has measured nothing."""

    good: int = 0
    bad: int = 0
    inconclusive: int = 0
    error: int = 0

    @property
    def total(self) -> int:
        """Return the number of all measurements."""
        return self.good + self.bad + self.inconclusive + self.error


class Point(Struct, frozen=True):
    """One sweep of a probe over its targets, or several neighbouring sweeps put together."""

    at: float
    counts: Counts
    latency: Latency | None


class Sighting(Struct, frozen=True):
    """One measurement worth telling, with its time."""

    at: float
    target: str
    detail: str


class ProbeFacts(Struct, frozen=True, kw_only=True):
    """What one probe of one gate measured. `decides` is False for a dry run, which never decides.

    `bad_targets` are the hosts with at least one bad measurement; `points` are in order of time;
    `compared` is how the hosts compare with untouched ones, where the probe compares.
    """

    name: str
    kind: str
    decides: bool
    targets: int
    sweeps: int
    counts: Counts
    first_bad: Sighting | None
    last_bad: Sighting | None
    last_error: Sighting | None
    bad_targets: tuple[str, ...]
    latency: Latency | None
    points: tuple[Point, ...]
    compared: Compared | None = None


class VoteFacts(Struct, frozen=True, kw_only=True):
    """One vote at a gate; `refused` is why it does not count, `key` the key that signed it (or empty).

    `cases` are test cases with name, result, evidence file and its sha256.
    """

    at: float
    by: str
    choice: str
    comment: str = ""
    key: str = ""
    refused: str = ""
    cases: tuple[tuple[str, str, str, str], ...] = ()


class GateFacts(Struct, frozen=True, kw_only=True):
    """One time that a gate looked; a gate that is looked at again after a resume appears again.

    `overridden_by` is who let the rollout pass it whatever it said, and `override_reason` why.
    """

    wave: str
    side: str
    name: str
    soak: float
    opened_at: float
    decided_at: float | None
    verdict: Verdict | None
    reason: str
    targets: tuple[str, ...]
    probes: tuple[ProbeFacts, ...]
    asked_until: float | None = None
    votes: tuple[VoteFacts, ...] = ()
    overridden_by: str = ""
    override_reason: str = ""
    decides: bool = True
    """False for a background gate without an error budget, which only measures."""

    @property
    def counts(self) -> Counts:
        """Return the measurements of all its probes."""
        every = [probe.counts for probe in self.probes]
        return Counts(
            good=sum(one.good for one in every),
            bad=sum(one.bad for one in every),
            inconclusive=sum(one.inconclusive for one in every),
            error=sum(one.error for one in every),
        )


class WaveFacts(Struct, frozen=True, kw_only=True):
    """One wave. `standing`: not_started, running, completed, or how the rollout stopped in it.

    `worked_until` is when its last batch of the way forward ended, `ended_at` when nothing more happened.
    """

    name: str
    standing: str
    hosts: tuple[HostFacts, ...]
    batches: int
    tolerated: int
    started_at: float | None
    worked_until: float | None
    completed_at: float | None
    ended_at: float | None
    gates: tuple[GateFacts, ...]
    planned_gates: tuple[tuple[str, str], ...]

    @property
    def bad(self) -> tuple[HostFacts, ...]:
        """Return the hosts that count against the wave's failure budget."""
        return tuple(host for host in self.hosts if host.is_bad)

    @property
    def seconds(self) -> float | None:
        """Return how long the wave took, soak and rollback included; None when it never started."""
        if self.started_at is None or self.ended_at is None:
            return None
        return self.ended_at - self.started_at


class Rollback(Struct, frozen=True):
    """The wave that was put back: `ended_at` is None while hosts are still being put back."""

    wave: str
    reason: str
    hosts: tuple[str, ...]
    started_at: float
    ended_at: float | None
    put_back: tuple[str, ...]
    not_put_back: tuple[str, ...]


class Pause(Struct, frozen=True):
    """A time in which the rollout stood still: held, interrupted or died; `until` is None while it does."""

    status: str
    reason: str
    since: float
    until: float | None
    resumed_by: str


class Moment(Struct, frozen=True):
    """One notable thing of the timeline; `tone` is good, bad, unsure or plain."""

    at: float
    tone: str
    text: str


class Trouble(Struct, frozen=True, kw_only=True):
    """One thing that went wrong, and what was done about it; `tone` is bad, or unsure when nobody knows.

    `look` is the command that shows more of it; empty where the report says it all.
    """

    tone: str
    subject: str
    what: str
    done: str
    look: str = ""


class ReportFacts(Struct, frozen=True, kw_only=True):
    """One rollout as its plan and its journal tell it, up to `as_of`, the time of the newest record.

    `playbooks` are pairs of procedure and path, `pins` triples of key, value and the host that resolved it.
    """

    id: str
    name: str
    description: str
    file: str
    plan_hash: str
    playbooks: tuple[tuple[str, str], ...]
    by: str
    status: Status
    died: bool
    reason: str
    headline: str
    created_at: float
    started_at: float | None
    ended_at: float | None
    as_of: float
    tolerated: int | None
    waves: tuple[WaveFacts, ...]
    rollback: Rollback | None
    taken_out: tuple[TakenOut, ...]
    pins: tuple[tuple[str, str, str], ...]
    pauses: tuple[Pause, ...]
    troubles: tuple[Trouble, ...]
    left: tuple[str, ...]
    timeline: tuple[Moment, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    impacts: tuple[ImpactFacts, ...] = ()

    @property
    def hosts(self) -> tuple[HostFacts, ...]:
        """Return every host of every wave, in order."""
        return tuple(host for wave in self.waves for host in wave.hosts)

    @property
    def gates(self) -> tuple[GateFacts, ...]:
        """Return every gate that looked, in order of waves and time."""
        return tuple(gate for wave in self.waves for gate in wave.gates)

    @property
    def seconds(self) -> float | None:
        """Return how long the rollout has lasted up to `as_of`; None before it started."""
        return None if self.started_at is None else (self.ended_at or self.as_of) - self.started_at
