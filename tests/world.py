"""A fake world for the real engine: a clock that jumps, hosts with a fate, probes with answers.

Nothing waits: the inbox asks the world for what happens next and moves the clock there.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from wavegate.adapters.journal import open_journal
from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.core.fleet import Fleet
from wavegate.core.folding import fold
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.plan import Plan
from wavegate.core.planning import make_plan
from wavegate.core.quantity import parse_amount
from wavegate.core.spec import (
    BudgetSpec,
    GateProbe,
    GateSpec,
    OnBreach,
    ProbeSpec,
    Procedure,
    RolloutSpec,
    Sampling,
    Scope,
    WaveSpec,
)
from wavegate.core.state import State
from wavegate.engine.engine import Engine

START = 1_000_000.0


class KilledError(BaseException):
    """The process died here (nothing may catch it as an Exception)."""


@dataclass
class World:
    """Hosts finish after `seconds_of(host)` with `fate(host, procedures)`; probes answer `reading`."""

    fate: Callable[[str, tuple[str, ...]], Outcome] = lambda host, procedures: Outcome.DONE
    seconds_of: Callable[[str], float] = lambda host: 10.0
    reading: Callable[[str, str, float], Reading] = lambda probe, host, now: Reading.GOOD
    value: Callable[[str, str, float], float | None] = lambda probe, host, now: None
    """The number that a probe measures."""
    asked: Callable[[str, float], ev.Asked | None] = lambda probe, now: None
    """What a measurement of many requests counts."""
    completed_by: Callable[[str, Outcome], tuple[str, ...]] = lambda host, outcome: ()
    takes_out: Callable[[str], bool] = lambda host: False
    """Whether the host's playbook takes something out before it changes anything, and puts it back after."""
    out: set[str] = field(default_factory=set)
    """Hosts that are taken out: from the acknowledgement on, until something puts them back."""
    time: float = START
    most_in_flight: int = 0
    in_flight: dict[str, ev.BatchSubmitted] = field(default_factory=dict)
    applied: dict[str, int] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)
    _future: list[tuple[float, int, list[ev.Event]]] = field(default_factory=list)
    _tickets: itertools.count = field(default_factory=itertools.count)

    # the ports
    def now(self) -> float:
        return self.time

    def submit(self, order: ev.BatchSubmitted, report: Callable[[ev.Event], None]) -> None:
        busy = {host for other in self.in_flight.values() for host in other.hosts}
        self.overlaps += [host for host in order.hosts if host in busy]
        self.in_flight[order.batch] = order
        flying = sum(len(batch.hosts) for batch in self.in_flight.values())
        self.most_in_flight = max(self.most_in_flight, flying)
        end = self.time
        for host in order.hosts:
            outcome = self.fate(host, order.procedures)
            if outcome is Outcome.DONE and "rollback" in order.procedures:
                outcome = Outcome.ROLLED_BACK
            well = outcome in {Outcome.DONE, Outcome.ROLLED_BACK}
            done = order.procedures if well else self.completed_by(host, outcome)
            at = self.time + self.seconds_of(host)
            end = max(end, at)
            if self.takes_out(host) and "apply" in order.procedures and outcome is not Outcome.NOT_STARTED:
                self._later(self.time, [ev.ObligationOpened(order.batch, host, "pool", "undo.yml")])
                if well:
                    self._later(at, [ev.ObligationClosed(order.batch, host, "pool")])
            self._later(at, [ev.HostFinished(order.batch, host, outcome, completed=done)])
            self.applied[host] = self.applied.get(host, 0) + 1
        self._later(end, [ev.BatchEnded(order.batch, "ended")])

    def cancel(self, batch: str) -> None:
        order = self.in_flight[batch]
        self._future = [
            item
            for item in self._future
            if not any(getattr(event, "batch", "") == order.batch for event in item[2])
        ]
        heapq.heapify(self._future)
        self._later(self.time, [ev.BatchEnded(batch, "canceled", "stopped")])

    def acknowledge(self, event: ev.Event) -> None:
        """Let the playbook go on: now it takes something out."""
        if isinstance(event, ev.ObligationOpened) and event.batch in self.in_flight:
            self.out.add(event.host)

    def collect(self, order: ev.BatchSubmitted) -> tuple[ev.HostFinished, ...]:
        self.in_flight.pop(order.batch, None)
        return ()

    def measure(self, sweep: ev.SweepStarted, probe: ProbeSpec, report: Callable[[ev.Event], None]) -> None:
        measurements, untouched = (
            tuple(
                ev.Measurement(
                    target,
                    self.reading(probe.name, target, self.time),
                    "as the world says",
                    self.value(probe.name, target, self.time),
                    self.asked(probe.name, self.time),
                )
                for target in targets
            )
            for targets in (sweep.targets, sweep.untouched)
        )
        ended = ev.SweepEnded(sweep.wave, sweep.side, sweep.probe, sweep.number, measurements, untouched)
        self._later(self.time + 0.1, [ended])

    # the inbox
    def put(self, event: ev.Event) -> None:
        self._later(self.time, [event])

    def wait(self, seconds: float) -> list[ev.Event]:
        until = self.time + max(0.0, seconds)
        if not self._future or self._future[0][0] > until:
            self.time = until
            return []
        self.time, _, events = heapq.heappop(self._future)
        for event in events:
            if isinstance(event, ev.BatchEnded):
                self.in_flight.pop(event.batch, None)
            is_back = isinstance(event, ev.HostFinished) and "discharge" in event.completed
            if is_back or isinstance(event, ev.ObligationClosed):
                self.out.discard(event.host)
        return events

    def _later(self, at: float, events: list[ev.Event]) -> None:
        heapq.heappush(self._future, (at, next(self._tickets), events))

    def forget_the_future(self) -> None:
        """What was on its way to a process that died never arrives."""
        self._future.clear()


@dataclass
class Bench:
    """A journal in memory, a world, and engines that can die."""

    plan: Plan
    world: World
    records: list[ev.Record] = field(default_factory=list)
    die_after: int | None = None

    def __post_init__(self) -> None:
        self.journal = open_journal("sqlite://")
        self.journal.create("r1", self.plan, "rollouts/x.yml", self.world.time)
        self.journal.acquire("r1", self.world.time)

    def show(self, record: ev.Record, state: State) -> None:
        self.records.append(record)
        if self.die_after is not None and record.seq == self.die_after:
            raise KilledError

    def settle(self, state: State, now: float) -> None:
        """Nobody looks at a table here."""

    def engine(self) -> Engine:
        return Engine(
            rollout_id="r1",
            plan=self.plan,
            journal=self.journal,
            executor=self.world,
            prober=self.world,
            clock=self.world,
            inbox=self.world,
            watcher=self,
        )

    def engine_state(self) -> State:
        """Return where the rollout stands, as its journal tells it."""
        return fold(State(), self.journal.read("r1"))

    def run(self) -> State:
        return self.engine().start("test")

    def run_with_one_death(self, after: int) -> State | None:
        """Kill the engine after record number `after`, resume; None when the rollout ends before that."""
        self.die_after = after
        try:
            self.engine().start("test")
        except KilledError:
            self.die_after = None
            self.world.forget_the_future()
            return self.engine().resume("test")
        return None

    def kinds(self) -> list[str]:
        return [kind_of(record.event) for record in self.records]


def make_spec(*waves: WaveSpec, **changes: object) -> RolloutSpec:
    """Return a rollout file's spec with an http probe and a gate called healthy."""
    sampling = Sampling(interval=2.0)
    values: dict[str, object] = {
        "name": "patch",
        "playbooks": {Procedure.APPLY: ("patch.yml",)},
        "probes": {
            "answers": ProbeSpec(name="answers", kind="http", scope=Scope.HOST, settings={}, timeout=2)
        },
        "gates": {
            "healthy": GateSpec(
                name="healthy", probes=(GateProbe(probe="answers", sampling=sampling),), soak=20
            )
        },
        "waves": waves,
    }
    return RolloutSpec(**{**values, **changes})  # type: ignore[arg-type]


def make_fleet(**groups: int) -> Fleet:
    """Return a fleet with `groups` of so many hosts; each group's name is a pattern too."""
    members = {group: tuple(f"{group}-{n:02d}" for n in range(1, size + 1)) for group, size in groups.items()}
    hosts = tuple(host for names in members.values() for host in names)
    return Fleet(hosts, members, {**members, "all": hosts})


def wave(name: str, **changes: object) -> WaveSpec:
    """Return a wave that is called like its pattern."""
    if isinstance(changes.get("failure_budget"), (int, str)):
        changes["failure_budget"] = BudgetSpec(parse_amount(changes["failure_budget"]))  # type: ignore[arg-type]
    if "batch" in changes:
        changes["batch"] = tuple(parse_amount(size) for size in changes["batch"])  # type: ignore[attr-defined]
    values: dict[str, object] = {"name": name, "path": "waves[0]", "hosts": name}
    return WaveSpec(**{**values, **changes})  # type: ignore[arg-type]


def plan_of(fleet: Fleet, *waves: WaveSpec, rollback: bool = False, **changes: object) -> Plan:
    """Return a plan; with `rollback`, breaches roll the wave back."""
    if rollback:
        changes["on_breach"] = OnBreach.ROLLBACK_WAVE
        changes["playbooks"] = {Procedure.APPLY: ("patch.yml",), Procedure.ROLLBACK: ("rollback.yml",)}
    return make_plan(make_spec(*waves, **changes), fleet, digests={}, seed=1)
