"""One simulated rollout without journal and processes: the core's own decisions, and nothing around them.

The core decides and folds as it does for the engine. Left out is what cannot change a decision: records that
nobody reads, questions to `decide` after hosts that ended well while their batch goes on, and one by one the
sweeps in the middle of a soak in which everything is good. So a walk is told in a tenth of the time and less;
that it is the same walk is tested against the engine in the same fake world.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.decide import decide, open_gate, wakes_at
from wavegate.core.folding import fold, fold_well
from wavegate.core.folding_gates import fold_sweeps
from wavegate.core.gate import targets_of
from wavegate.core.outcomes import WALKING, Outcome
from wavegate.core.plan import Plan
from wavegate.core.spec import GateProbe, Scope
from wavegate.core.state import GateState, State
from wavegate.core.tallies import Series
from wavegate.simulation.fates import Fate, is_rollback
from wavegate.simulation.luck import Luck
from wavegate.simulation.oracle import EndlessError
from wavegate.simulation.process import PROBE_SECONDS
from wavegate.simulation.world import START, finish

_Happening = list[ev.Event] | tuple[str, list[str], Outcome]
"""Events, or hosts of a batch that ended well."""


class QuickWalk(Struct):
    """A walk of the plan in the world that `luck` draws; `reached`: wave -> hosts that got the change."""

    plan: Plan
    luck: Luck
    time: float = START
    state: State = field(default_factory=State)
    reached: Counter[str] = field(default_factory=Counter)
    changed_at: dict[str, float] = field(default_factory=dict)
    """When the change was complete on hosts that it breaks; nothing is measured beside a batch in flight."""
    answers: dict[str, ev.SweepEnded] = field(default_factory=dict)
    """The last sweep of each probe."""
    _future: list[tuple[float, int, int, list[_Happening]]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _samples: bool = False

    def __post_init__(self) -> None:
        budgets = [self.plan.budget, *(wave.budget for wave in self.plan.waves)]
        self._samples = any(budget.minimum_sample for budget in budgets)

    def run(self) -> State:
        """Walk until the rollout stands still; return where it stands."""
        plan, state = self.plan, self.state
        self._write([ev.RolloutStarted(plan.name, "", "the simulator")])
        while True:
            while events := decide(plan, state, self.time):
                self._write(events)
            if state.status not in WALKING:
                return state
            gate = None if self._future else open_gate(plan, state)
            if gate:
                self._soak(gate)
            self._pass()

    def _pass(self) -> None:
        """Go on to what happens next, or to when time alone changes the decision."""
        wake = wakes_at(self.plan, self.state, self.time)
        if wake is None:
            if not self._future:
                raise EndlessError("nothing is in flight, and nothing happens any more")
        else:
            until = self.time + max(0.0, wake - self.time)
            if not self._future or self._future[0][0] > until:
                self.time = until
                return
        self.time, _, _, happenings = heapq.heappop(self._future)
        for happening in happenings:
            if isinstance(happening, list):
                self._write(happening)
            else:
                fold_well(self.state, *happening)

    def _write(self, events: list[ev.Event] | tuple[ev.Event, ...]) -> None:
        seq = self.state.seq
        fold(self.state, [ev.Record(seq + n, self.time, event) for n, event in enumerate(events, 1)])
        for event in events:
            match event:
                case ev.BatchSubmitted():
                    self._begin(event)
                case ev.SweepStarted():
                    answers = self.luck.measure(event, self.changed_at, self.time)
                    ended = ev.SweepEnded(event.wave, event.side, event.probe, event.number, answers)
                    self.answers[event.probe] = ended
                    self._later(self.time + PROBE_SECONDS, next(self._numbers), [[ended]])

    def _soak(self, gate: GateState) -> None:
        """Fold the sweeps up to shortly before the soak ends or a host breaks, if nothing is bad until then.

        More good measurements never change a verdict while a gate soaks; those close to its end may.
        """
        uses = self.plan.gates[gate.gate].probes
        longest = max((max(use.sampling.interval, PROBE_SECONDS) for use in uses), default=0.0)
        until = gate.opened_at + self.plan.gates[gate.gate].soak - 2 * longest
        if until <= self.time or not all(self._has_seen(gate, use.probe) for use in uses):
            return
        once = any(self.plan.probes[use.probe].scope is Scope.ONCE for use in uses)
        targets = None if once else {*gate.targets} - gate.out
        until = min(until, self.luck.quiet_until(targets, self.changed_at, self.time) - longest)
        for use in uses:
            self._sweep_until(until, gate.series[use.probe], use)

    def _has_seen(self, gate: GateState, probe: str) -> bool:
        """Whether the probe's last sweep was of what it would measure now."""
        if probe not in gate.series or not gate.series[probe].ended:
            return False
        return len(self.answers[probe].measurements) == len(targets_of(self.plan, gate, probe))

    def _sweep_until(self, until: float, series: Series, use: GateProbe) -> None:
        """Fold the probe's sweeps that begin before `until`."""
        number, at, ended_at = 0, series.started_at, series.ended_at
        while (due := max(at + use.sampling.interval, ended_at)) < until:
            number, at, ended_at = number + 1, due, due + PROBE_SECONDS
        if number:
            last = replace(self.answers[use.probe], number=series.started + number)
            fold_sweeps(self.state, last, number, at, ended_at)
            self.time = max(self.time, ended_at)

    def _later(self, at: float, ticket: int, happenings: list[_Happening]) -> None:
        heapq.heappush(self._future, (at, ticket, next(self._numbers), happenings))

    def _begin(self, order: ev.BatchSubmitted) -> None:
        """Draw what becomes of the batch's hosts, and have it happen."""
        back, limit = is_rollback(order.procedures), self.time + self.plan.batch_timeout
        if not back:
            self.reached[order.wave] += len(order.hosts)
        ends: list[tuple[float, str, Fate]] = []
        last, late = self.time, False
        for host in order.hosts:
            fate = self.luck.fate(host, order.procedures, self.time)
            at = self.time + fate.seconds
            if fate.hangs or at > limit:
                late = True
                continue
            ends.append((at, host, fate))
            last = max(last, at)
            if back:
                self.changed_at.pop(host, None)
            elif fate.outcome is Outcome.DONE and host in self.luck.doomed:
                self.changed_at[host] = at
        self._expect(order, ends, limit if late else last, "timed_out" if late else "ended")

    def _expect(
        self, order: ev.BatchSubmitted, ends: list[tuple[float, str, Fate]], gone_at: float, status: str
    ) -> None:
        """Have outcomes come when they do, where they may change a decision, and otherwise with the end."""
        back = is_rollback(order.procedures)
        ticket, well = next(self._numbers), Outcome.ROLLED_BACK if back else Outcome.DONE
        late: list[str] = []
        timely: dict[float, tuple[list[str], list[ev.Event]]] = {}
        for at, host, fate in ends:
            ends_well = (fate.rollback if back else fate.outcome) is well
            if ends_well and not self._samples:
                late.append(host)
                continue
            good, bad = timely.setdefault(at, ([], []))
            if ends_well:
                good.append(host)
            else:
                bad.append(finish(order, host, fate))
        for at, (good, bad) in timely.items():
            happenings: list[_Happening] = [(order.batch, good, well)] if good else []
            self._later(at, ticket, [*happenings, bad] if bad else happenings)
        ended: list[ev.Event] = [ev.BatchEnded(order.batch, status)]
        self._later(gone_at, ticket, [(order.batch, late, well), ended] if late else [ended])
