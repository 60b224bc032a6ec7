"""What users felt of a rollout: what its background gates measured, wave by wave. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.grouping import tell_target
from wavegate.core.impact import Impact, show_seconds, tell_impact
from wavegate.core.outcomes import WALKING
from wavegate.core.plan import Plan
from wavegate.core.state import GateState, State


class ImpactFacts(Struct, frozen=True, kw_only=True):
    """One target of one probe that watched during one wave; durations are seconds.

    `down` and `unknown` are parts of `watched`; `failed` of the `requests` did, `lost` could not be measured.
    `decides` is False where there is no error budget, or for a dry run; `tolerated_*` None: no such budget.
    """

    wave: str
    gate: str
    probe: str
    target: str
    decides: bool
    watched: float
    down: float
    unknown: float
    requests: int
    failed: int
    lost: int
    tolerated_downtime: float | None = None
    tolerated_errors: float | None = None

    @property
    def text(self) -> str:
        """Return it in words: `outside: 1.2 s down of 3 min 00 s, 2 of 9,000 requests failed`."""
        return f"{self.probe}{f' on {self.target}' if self.target else ''}: {tell_impact(self._as_impact())}"

    @property
    def budget(self) -> str:
        """Return what is tolerated, in words; empty where nothing is decided."""
        return tell_error_budget(self.tolerated_downtime, self.tolerated_errors)

    def _as_impact(self) -> Impact:
        return Impact(self.watched, self.down, self.unknown, self.requests, self.failed, self.lost)


def tell_error_budget(downtime: float | None, errors: float | None) -> str:
    """Return an error budget in words: `3.0 s of downtime, 1% of the requests`."""
    parts = [f"{show_seconds(downtime)} of downtime"] if downtime is not None else []
    parts += [f"{round(100 * errors, 6):g}% of the requests"] if errors is not None else []
    return ", ".join(parts)


class _Watch(Struct):
    """What is known of one wave's background gate, over all times that it looked."""

    gate: str
    opened_at: float | None
    impacts: dict[str, dict[str, Impact]] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, float] = field(default_factory=dict)
    over: bool = False

    def add(self, sweep: ev.SweepEnded, at: float) -> None:
        """Take in an answer."""
        if self.over:
            return
        known = self.impacts.setdefault(sweep.probe, {})
        for one in sweep.measurements:
            impact = known.setdefault(one.target, Impact(since=self.opened_at))
            started = self.started.get(sweep.probe, at)
            impact.add(one, started, at, self.intervals.get(sweep.probe, 0.0))

    def rest(self, at: float) -> None:
        """Have nobody watch from then on."""
        self.opened_at = None
        for known in self.impacts.values():
            for impact in known.values():
                impact.rest(at)


def gather_impacts(plan: Plan, records: Iterable[ev.Record], *, walks: bool) -> tuple[ImpactFacts, ...]:
    """Return what every background gate measured; `walks`: the rollout is under way, and so is the watching.

    A gate that looked again with a fresh budget goes on counting here: users felt both.
    """
    watches: dict[str, _Watch] = {}
    at = 0.0
    for record in records:
        at = record.at
        match record.event:
            case ev.GateOpened(side="during") as opened:
                here = watches.setdefault(opened.wave, _Watch(opened.gate, at))
                here.over, here.intervals, here.opened_at = False, dict(opened.intervals), at
            case ev.SweepStarted(side="during") as sweep:
                watches[sweep.wave].started[sweep.probe] = at
            case ev.SweepEnded(side="during") as sweep:
                watches[sweep.wave].add(sweep, at)
            case ev.WaveCompleted() as completed if completed.wave in watches:
                watches[completed.wave].rest(at)
                watches[completed.wave].over = True
            case ev.RolloutPaused() | ev.RolloutEnded():
                for watch in watches.values():
                    watch.rest(at)
    if walks:
        for watch in watches.values():
            watch.rest(at)
    waves = [wave.name for wave in plan.waves if wave.name in watches]
    return tuple(
        fact for name in waves for fact in _tell(plan, name, watches[name].gate, watches[name].impacts)
    )


def _tell(plan: Plan, wave: str, gate: str, impacts: dict[str, dict[str, Impact]]) -> Iterable[ImpactFacts]:
    spec = plan.gates[gate]
    budget = spec.error_budget
    for use in spec.probes:
        decides = budget is not None and not use.sampling.dry_run
        for target, impact in impacts.get(use.probe, {}).items():
            yield ImpactFacts(
                wave=wave,
                gate=gate,
                probe=use.probe,
                target=tell_target(plan, use.probe, target),
                decides=decides,
                watched=impact.watched,
                down=impact.down,
                unknown=impact.unknown,
                requests=impact.requests,
                failed=impact.failed,
                lost=impact.lost,
                tolerated_downtime=budget.downtime if budget and decides else None,
                tolerated_errors=budget.errors if budget and decides else None,
            )


def impacts_now(plan: Plan, gate: GateState, state: State, now: float) -> tuple[ImpactFacts, ...]:
    """Return what an open background gate has measured up to `now`, since it last opened."""
    walks = state.status in WALKING and not gate.over
    impacts = {
        probe: {
            target: impact.as_of(_known_until(gate, probe, now)) if walks else impact
            for target, impact in known.items()
        }
        for probe, known in gate.impacts.items()
    }
    return tuple(_tell(plan, gate.wave, gate.gate, impacts))


def _known_until(gate: GateState, probe: str, now: float) -> float:
    series = gate.series.get(probe)
    return series.started_at if series and series.in_flight else now


def impact_as_data(one: ImpactFacts) -> dict[str, Any]:
    """Return it as JSON data with stable keys; durations are seconds, to the millisecond."""
    return {
        "wave": one.wave,
        "gate": one.gate,
        "probe": one.probe,
        "target": one.target,
        "decides": one.decides,
        "watched_seconds": round(one.watched, 3),
        "down_seconds": round(one.down, 3),
        "unknown_seconds": round(one.unknown, 3),
        "requests": one.requests,
        "failed": one.failed,
        "lost": one.lost,
        "tolerated_down_seconds": one.tolerated_downtime,
        "tolerated_failed_share": one.tolerated_errors,
    }


def tell_impacts(impacts: Sequence[ImpactFacts]) -> str:
    """Return the downtime wave by wave: `pilot: 0.0 s, department: 1.2 s of 3 h`; empty when nobody watched.

    Of several targets the one that was down longest counts.
    """
    worst: dict[str, ImpactFacts] = {}
    for one in impacts:
        if one.wave not in worst or one.down > worst[one.wave].down:
            worst[one.wave] = one
    return ", ".join(
        f"{wave}: {show_seconds(one.down)} of {show_seconds(one.watched)}" for wave, one in worst.items()
    )
