"""What must hold in every world, judged from outside: by what really happened, not by what the core believes.

It counts for itself, from the events that became durable and from the Ansible processes that were started.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.core.outcomes import BAD_OUTCOMES, CLOSED, Outcome, Status, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.spec import Budget, Procedure
from wavegate.core.state import State
from wavegate.simulation.fates import is_rollback
from wavegate.simulation.world import World

AT_REST = CLOSED | {Status.HELD, Status.HALTED, Status.ROLLBACK_FAILED}
"""Where a rollout may stay after a person went on with it some times."""


class EndlessError(Exception):
    """The engine goes round without getting anywhere."""


@dataclass(slots=True)
class Oracle:
    """Collects every broken promise as a sentence."""

    plan: Plan
    most_records: int = 20_000
    """More records than any sane rollout of the bench has."""
    broken: list[str] = field(default_factory=list)
    bad: dict[str, dict[str, str]] = field(default_factory=dict)
    """Wave -> its hosts known to be bad -> in which way, as the journal tells it."""
    sick: set[str] = field(default_factory=set)
    """Hosts that did not get through the precheck."""
    ended: dict[str, Outcome] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    _done: set[str] = field(default_factory=set)
    breached: bool = False
    closed: bool = False
    _waves: dict[str, PlannedWave] = field(init=False)
    _orders: dict[str, ev.BatchSubmitted] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waves = {wave.name: wave for wave in self.plan.waves}

    # what the journal says
    def see_records(self, records: Sequence[ev.Record]) -> None:
        """Take in what became durable."""
        for record in records:
            self._see_event(record.event)
        if records and records[-1].seq > self.most_records:
            raise EndlessError(f"it writes without end: {records[-1]}")

    def _see_event(self, event: ev.Event) -> None:  # noqa: C901, PLR0912 - a table of events
        if self.closed:
            self._blame(f"{kind_of(event)} was written after the rollout had ended")
        match event:
            case ev.BatchSubmitted():
                self._orders[event.batch] = event
                for host in () if event.obligation else event.hosts:
                    self.ended.pop(host, None)
            case ev.HostFinished():
                self._see_outcome(self._orders[event.batch], event)
            case ev.BatchEnded(status="timed_out"):
                order = self._orders[event.batch]
                for host in (host for host in order.hosts if host not in self.ended):
                    timed_out = ev.HostFinished(event.batch, host, Outcome.TIMED_OUT)
                    self._see_outcome(order, timed_out)
            case ev.HostFoundBad():
                self.bad.setdefault(event.wave, {})[event.host] = "found_bad"
            case ev.HostsRetried():
                self._forget(event.hosts)
                self.breached = False
                self.completed = [name for name in self.completed if name != event.wave]
            case ev.HostSkipped():
                self._forget((event.host,))
                self.ended[event.host] = Outcome.SKIPPED
                self.breached = False
            case ev.RolloutResumed():
                self._forget(tuple(self.sick))
            case ev.BudgetBreached() | ev.GateDecided(side="during", verdict=Verdict.FAIL):
                self.breached = True
            case ev.WaveCompleted():
                self.completed.append(event.wave)
            case ev.RolloutEnded():
                self.closed = True

    def _see_outcome(self, order: ev.BatchSubmitted, event: ev.HostFinished) -> None:
        if order.obligation:
            return
        self.ended[event.host] = event.outcome
        if event.outcome is Outcome.DONE:
            self._done.add(event.host)
        if is_rollback(order.procedures):
            return
        precheck = Procedure.PRECHECK.value
        if event.outcome in BAD_OUTCOMES:
            self.bad.setdefault(order.wave, {})[event.host] = str(event.outcome)
            if precheck in order.procedures and precheck not in event.completed:
                self.sick.add(event.host)

    def _forget(self, hosts: Sequence[str]) -> None:
        for host in hosts:
            self.ended.pop(host, None)
            self._done.discard(host)
            self.sick.discard(host)
            for bad in self.bad.values():
                bad.pop(host, None)

    # what really starts
    def see_start(self, world: World, order: ev.BatchSubmitted) -> None:
        """Judge the start of an Ansible process at the instant at which it starts."""
        wave = self._waves[order.wave]
        self._judge_order(order)
        self._judge_hosts(world, order)
        self._judge_window(world, order, wave)
        self._judge_apart(world, order, wave)
        if not is_rollback(order.procedures) and not order.obligation:
            self._judge_forward(order, wave)
            for host in world.out.intersection(order.hosts):
                self._blame(f"{order.batch} starts on {host}, which is still taken out")

    def _judge_order(self, order: ev.BatchSubmitted) -> None:
        if self._orders.get(order.batch) != order:
            self._blame(f"{order.batch} started without being in the journal")
        if self.closed:
            self._blame(f"{order.batch} started after the rollout had ended")
        if not order.hosts:
            self._blame(f"{order.batch} is empty")

    def _judge_hosts(self, world: World, order: ev.BatchSubmitted) -> None:
        busy = world.busy_hosts()
        if Procedure.SETTLE.value in order.procedures:
            busy = {host: batch for host, batch in busy.items() if host not in world.stuck}
        for host in order.hosts:
            if host in busy:
                self._blame(f"{order.batch} starts on {host} beside {busy[host]}")

    def _judge_window(self, world: World, order: ev.BatchSubmitted, wave: PlannedWave) -> None:
        others = sum(len(work.order.hosts) for work in world.flying())
        if others and others + len(order.hosts) > wave.in_flight:
            flying = f"{others} + {len(order.hosts)}"
            self._blame(f"{order.batch}: {flying} hosts in flight > in_flight {wave.in_flight}")

    def _judge_apart(self, world: World, order: ev.BatchSubmitted, wave: PlannedWave) -> None:
        hosts = [*order.hosts, *(host for work in world.flying() for host in work.order.hosts)]
        for value, number in Counter(wave.apart[host] for host in hosts if host in wave.apart).items():
            if number > wave.at_most:
                self._blame(f"{order.batch}: {number} hosts of {value} in flight > at_most {wave.at_most}")

    def _judge_forward(self, order: ev.BatchSubmitted, wave: PlannedWave) -> None:
        place = self.plan.waves.index(wave)
        if not {before.name for before in self.plan.waves[:place]} <= set(self.completed):
            self._blame(f"{order.batch} started though only {self.completed} are completed")
        if self.breached:
            self._blame(f"{order.batch} started after a breach, or after a gate had failed")
        everywhere = [kind for bad in self.bad.values() for kind in bad.values()]
        for budget, kinds in (
            (wave.budget, list(self.bad.get(wave.name, {}).values())),
            (self.plan.budget, everywhere),
        ):
            if over := _overspent(budget, kinds):
                self._blame(f"{order.batch} started though {over}")
        for host in order.hosts:
            if host in self._done:
                self._blame(f"{order.batch} does {host} again, which is done")

    # how it ended
    def judge_end(self, world: World, state: State, records: Sequence[ev.Record]) -> None:
        """Judge where the rollout stands at last."""
        if state.in_flight or state.hosts_in_flight:
            self._blame(f"{list(state.in_flight)} are still in flight at the end")
        if world.flying():
            self._blame(f"{list(world.going)} are still at work at the end")
        self._judge_disk(world, records)
        self._judge_obligations(world, state)
        if state.status not in AT_REST:
            self._blame(f"it came to rest as {state.status}")
        for host in world.reached:
            if state.host(host).outcome is None:
                self._blame(f"{host} was touched and has no outcome")
        if state.status is Status.COMPLETED:
            self._judge_completed(state)
        if state.status is Status.ROLLED_BACK:
            self._judge_rolled_back(world, state)

    def _judge_disk(self, world: World, records: Sequence[ev.Record]) -> None:
        """No outcome that Ansible reported to disk may be lost."""
        told = {
            (event.batch, event.host): event.outcome
            for event in (record.event for record in records)
            if isinstance(event, ev.HostFinished)
        }
        for batch, work in world.works.items():
            for event in work.on_disk(world.time):
                if told.get((batch, event.host)) is not event.outcome:
                    self._blame(f"{event.host} was {event.outcome} in {batch}, and the journal lost it")

    def _judge_obligations(self, world: World, state: State) -> None:
        """Demand that what was taken out is back, or that it is said, with the reason, and is no success."""
        opened = {host for host, _ in state.obligations}
        for host in world.out - opened:
            self._blame(f"{host} is taken out, and nobody knows")
        for host, one in ((key[0], one) for key, one in state.obligations.items()):
            if not one.failed:
                self._blame(f"{host} is taken out, and nobody tried to put it back")
            if f"{one.key} on {host}" not in state.reason:
                self._blame(f"{host} is taken out, and {state.reason!r} does not say so")
        if opened and state.status in {Status.COMPLETED, Status.ROLLED_BACK}:
            self._blame(f"it is {state.status} over {sorted(opened)}, which are taken out")

    def _judge_completed(self, state: State) -> None:
        for host in self.plan.hosts:
            if state.host(host).outcome is None:
                self._blame(f"the rollout is completed and {host} has no outcome")
        for wave in self.plan.waves:
            if over := _overspent(wave.budget, list(self.bad.get(wave.name, {}).values())):
                self._blame(f"the rollout is completed and {over} in {wave.name}")

    def _judge_rolled_back(self, world: World, state: State) -> None:
        for host in state.rollback.hosts if state.rollback else ():
            if host in world.changed_at:
                self._blame(f"the rollout is rolled back and {host} still has the change")

    def _blame(self, sentence: str) -> None:
        self.broken.append(sentence)


def _overspent(budget: Budget, kinds: list[str]) -> str:
    """Return which limit is exceeded; a budget that waits for a sample is not judged here."""
    if budget.minimum_sample:
        return ""
    if budget.tolerated is not None and len(kinds) > budget.tolerated:
        return f"{len(kinds)} hosts are bad > {budget.tolerated}"
    for kind, tolerated in budget.by_class.items():
        if kinds.count(kind) > tolerated:
            return f"{kinds.count(kind)} hosts are {kind} > {tolerated}"
    return ""
