"""Where a rollout stands right now, as data: for the live view and `wavegate status`."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from wavegate.core.estimate import seconds_left
from wavegate.core.fleet_gate import FLEET
from wavegate.core.outcomes import Reading, Status
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.quantity import format_duration
from wavegate.core.state import GateState, State
from wavegate.core.votes import judge_people
from wavegate.reports.impact import ImpactFacts, impact_as_data, impacts_now
from wavegate.reports.taken_out import TakenOut, list_taken_out


class GateStanding(Struct, frozen=True):
    """An open or decided gate; `soaked_until` is seconds since the epoch, 0 without a soak.

    `asks` says what it still wants of people, until `asked_until`; empty while it asks nobody.
    """

    gate: str
    side: str
    verdict: str
    reason: str
    good: int
    bad: int
    errors: int
    soaked_until: float
    asks: str = ""
    asked_until: float = 0.0


class WatchStanding(Struct, frozen=True):
    """The wave's background gate, and what it measured since it last opened."""

    gate: str
    verdict: str
    reason: str
    impacts: tuple[ImpactFacts, ...]


class WaveStanding(Struct, frozen=True):
    """One wave in numbers and names."""

    name: str
    status: str
    hosts: int
    done: int
    bad: int
    tolerated: int
    in_flight: tuple[str, ...]
    seconds: float | None
    gate: GateStanding | None
    watch: WatchStanding | None = None


class Standing(Struct, frozen=True):
    """The whole rollout, as of `at`; `seconds_left` is None while it cannot be estimated."""

    name: str
    status: str
    reason: str
    at: float
    started_at: float | None
    ended_at: float | None
    waits_for: str
    seconds_left: float | None
    taken_out: tuple[TakenOut, ...]
    waves: tuple[WaveStanding, ...]


_A_PERSON = "a person: `wavegate resume`, or `wavegate abort`"
_AFTER_HALT = "a person: `wavegate retry`, `wavegate skip`, `wavegate rollback` or `wavegate abort`"
_AFTER_ROLLBACK = "a person: `wavegate resume` tries again what was not put back, or `wavegate abort`"


def take_standing(plan: Plan, state: State, now: float, *, died: bool = False) -> Standing:
    """Return where the rollout stands at `now`; one whose process `died` waits for a person."""
    waves = tuple(_wave(plan, state, wave, now) for wave in plan.waves)
    left = seconds_left(plan, state, now) if state.status is Status.RUNNING and not died else None
    return Standing(
        name=plan.name,
        status=state.status.value,
        reason=state.reason,
        at=now,
        started_at=state.started_at,
        ended_at=state.ended_at,
        waits_for=_A_PERSON if died else _waits_for(state, waves, now),
        seconds_left=left,
        taken_out=list_taken_out(state),
        waves=waves,
    )


def _wave(plan: Plan, state: State, wave: PlannedWave, now: float) -> WaveStanding:
    here = state.wave(wave.name)
    flying = tuple(
        host for batch in state.in_flight.values() if batch.wave == wave.name for host in batch.hosts
    )
    fleet = state.wave(FLEET).before if wave is plan.waves[0] else None
    gate = here.after or here.before or fleet
    until = here.completed_at or state.ended_at or now
    return WaveStanding(
        name=wave.name,
        status=_wave_status(state, here.started_at, here.completed_at, flying, gate),
        hosts=len(wave.hosts),
        done=len(here.done),
        bad=len(here.bad),
        tolerated=wave.tolerated,
        in_flight=tuple(host for host in flying if state.host(host).outcome is None),
        seconds=until - here.started_at if here.started_at is not None else None,
        gate=_gate(plan, gate) if gate else None,
        watch=_watch(plan, here.during, state, now) if here.during else None,
    )


def _watch(plan: Plan, gate: GateState, state: State, now: float) -> WatchStanding:
    verdict = gate.verdict.value if gate.verdict else ""
    return WatchStanding(gate.gate, verdict, gate.reason, impacts_now(plan, gate, state, now))


def _wave_status(
    state: State,
    started: float | None,
    completed: float | None,
    flying: tuple[str, ...],
    gate: GateState | None,
) -> str:
    if completed is not None:
        return "completed"
    if started is None and gate is None:
        return "not_started" if state.is_over else "waiting"
    if state.status is not Status.RUNNING:
        return state.status.value
    if flying or gate is None:
        return "running"
    return "soaking" if gate.side == "after" else "gate"


def _gate(plan: Plan, gate: GateState) -> GateStanding:
    totals = [series.total for series in gate.series.values()]
    soak = plan.gates[gate.gate].soak
    return GateStanding(
        gate=gate.gate,
        side=gate.side,
        verdict=gate.verdict.value if gate.verdict else "",
        reason=gate.reason or _last_trouble(gate),
        good=sum(total.good for total in totals),
        bad=sum(total.bad for total in totals),
        errors=sum(total.error + total.inconclusive for total in totals),
        soaked_until=gate.opened_at + soak if soak else 0.0,
        asks=_tell_asked(plan, gate),
        asked_until=gate.asked_until,
    )


def _tell_asked(plan: Plan, gate: GateState) -> str:
    asked = plan.gates[gate.gate].approval
    if asked is None or gate.asked_at is None or gate.verdict is not None:
        return ""
    return judge_people(asked, gate, gate.asked_at).reason


def _last_trouble(gate: GateState) -> str:
    for probe, series in gate.series.items():
        for target in (next(iter(group)) for group in series.alike.values()):
            tally = series.tallies[target]
            if tally.last is not Reading.GOOD:
                return f"{probe}{' on ' + target if target else ''}: {tally.detail}"
    return ""


def _waits_for(state: State, waves: tuple[WaveStanding, ...], now: float) -> str:
    """Return what the rollout waits for, in words: hosts, a soak, a person, or nothing."""
    if state.status in {Status.HELD, Status.INTERRUPTED}:
        return _A_PERSON
    if state.is_over:
        return {Status.HALTED: _AFTER_HALT, Status.ROLLBACK_FAILED: _AFTER_ROLLBACK}.get(state.status, "")
    flying = [host for wave in waves for host in wave.in_flight]
    if flying:
        return f"{len(flying)} host{'s' if len(flying) != 1 else ''} in flight"
    for wave in waves:
        if wave.gate and not wave.gate.verdict:
            left = wave.gate.soaked_until - now
            tail = f", {format_duration(left)} of soak left" if left > 0 else ""
            if wave.gate.asks:
                return f"people at gate {wave.gate.gate}: {wave.gate.asks} (`wavegate votes`)"
            return f"gate {wave.gate.gate} {wave.gate.side} wave {wave.name}{tail}"
    return ""


def standing_json(standing: Standing) -> dict[str, Any]:
    """Return the standing as JSON data; the keys are documented and stable."""
    from msgspec import to_builtins

    data = to_builtins(standing)
    for wave, known in zip(data["waves"], standing.waves, strict=True):
        if known.watch:
            wave["watch"]["impacts"] = [impact_as_data(one) for one in known.watch.impacts]
    return {"format": 1, **data}
