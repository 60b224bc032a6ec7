"""Background gates: they watch `during` a wave, from its first batch until it is completed.

While the rollout walks and the wave is not completed, their probes measure, also while what is in flight ends
after a breach and while hosts are put back: users feel that too. Without an error budget they only measure. A
budget that is spent fails the gate, as a failed gate after the wave does; probes that cannot measure make it
inconclusive, which holds the rollout: nobody may go on blindly.
"""

from __future__ import annotations

from collections.abc import Iterator

from wavegate.core import events as ev
from wavegate.core.grouping import tell_target
from wavegate.core.impact import Impact, show_seconds, tell_impact
from wavegate.core.outcomes import WALKING, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.sampling import due_at, sweeps_due
from wavegate.core.spec import ErrorBudget, GateProbe
from wavegate.core.state import GateState, State

Events = tuple[ev.Event, ...]
_FEW_REQUESTS = 100
"""A share of fewer says nothing yet."""


def watch(plan: Plan, state: State, wave: PlannedWave | None, now: float) -> Events:
    """Return what the wave's background gate does now: it opens, finds something out, or measures."""
    if wave is None or not wave.during:
        return ()
    here = state.wave(wave.name)
    gate = here.during
    is_forward = not (state.rollback or state.stop or state.abort or state.breach or state.failed_gate)
    if gate is None:
        is_begun = here.started_at is not None and len(here.skipped) < len(wave.hosts)
        return (_open(plan, wave),) if is_forward and is_begun else ()
    if is_forward and gate.verdict is None and (decided := _decide(plan, gate, now)):
        return (decided,)
    return sweeps_due(plan, gate, now)


def _open(plan: Plan, wave: PlannedWave) -> ev.GateOpened:
    intervals = {use.probe: use.sampling.interval for use in plan.gates[wave.during].probes}
    return ev.GateOpened(wave.name, "during", wave.during, wave.hosts, intervals=intervals)


def wakes_at(plan: Plan, state: State, wave: PlannedWave | None) -> float | None:
    """Return when a probe of the wave's background gate measures next; None when time changes nothing."""
    gate = state.wave(wave.name).during if wave and wave.during and state.status in WALKING else None
    if gate is None:
        return None
    times = (due_at(gate, use) for use in plan.gates[gate.gate].probes)
    return min((at for at in times if at is not None), default=None)


def is_measuring(state: State, wave: PlannedWave | None) -> bool:
    """Whether a sweep of the wave's background gate is under way."""
    gate = state.wave(wave.name).during if wave else None
    return gate is not None and any(series.in_flight for series in gate.series.values())


def tell_blind(state: State, wave: PlannedWave) -> str:
    """Say that the background gate cannot see; "" as long as it can, or does not decide."""
    gate = state.wave(wave.name).during
    if gate is None or gate.verdict is not Verdict.INCONCLUSIVE:
        return ""
    return f"gate {gate.gate} during wave {wave.name} is inconclusive: {gate.reason}"


def close(plan: Plan, state: State, wave: PlannedWave) -> Events | None:
    """Return the verdict at the wave's end, nothing while it has to be waited for, None when it is known.

    No data is never a pass: each of its targets must have been measured at least once.
    """
    gate = state.wave(wave.name).during
    if gate is None or plan.gates[gate.gate].error_budget is None or gate.verdict is Verdict.PASS:
        return None
    seen = list(_impacts(plan, gate))
    measured = {use.probe for use, _, impact in seen if impact.requests}
    if measured < {use.probe for use in _deciding(plan, gate)} or not all(one.requests for _, _, one in seen):
        return ()
    now = max(series.ended_at for series in gate.series.values())
    told = "; ".join(
        f"{_name(plan, use, target)}: {tell_impact(one.as_of(now))}" for use, target, one in seen
    )
    return (ev.GateDecided(wave.name, "during", gate.gate, Verdict.PASS, told),)


def _deciding(plan: Plan, gate: GateState) -> Iterator[GateProbe]:
    return (use for use in plan.gates[gate.gate].probes if not use.sampling.dry_run)


def _impacts(plan: Plan, gate: GateState) -> Iterator[tuple[GateProbe, str, Impact]]:
    for use in _deciding(plan, gate):
        for target, impact in gate.impacts.get(use.probe, {}).items():
            yield use, target, impact


def _decide(plan: Plan, gate: GateState, now: float) -> ev.GateDecided | None:
    """Return a verdict that stops the rollout, if there is one: a spent budget, or a gate that cannot see."""
    budget = plan.gates[gate.gate].error_budget
    if budget is None:
        return None
    for use, target, impact in _impacts(plan, gate):
        if spent := _tell_spent(budget, impact.as_of(_known_until(gate, use, now))):
            reason = f"{_name(plan, use, target)}: {spent}"
            return ev.GateDecided(gate.wave, "during", gate.gate, Verdict.FAIL, reason)
    for use in _deciding(plan, gate):
        limit = use.sampling.consecutive_error_limit
        series = gate.series.get(use.probe)
        for target, tally in series.tallies.items() if series else ():
            if tally.consecutive_error > limit:
                numbers = f"errors in a row {tally.consecutive_error} > consecutive_error_limit {limit}"
                reason = f"{_name(plan, use, target)}: could not measure: {numbers}: {tally.detail}"
                return ev.GateDecided(gate.wave, "during", gate.gate, Verdict.INCONCLUSIVE, reason)
    return None


def _known_until(gate: GateState, use: GateProbe, now: float) -> float:
    """Return until when it is known how it was: the start of a sweep that has no answer yet, or now."""
    series = gate.series.get(use.probe)
    return series.started_at if series and series.in_flight else now


def _tell_spent(budget: ErrorBudget, impact: Impact) -> str:
    """Return which part of the budget is spent: strictly more than it was."""
    if budget.downtime is not None and impact.down > budget.downtime:
        return f"downtime {show_seconds(impact.down)} > {show_seconds(budget.downtime)} of the error budget"
    if budget.errors is not None and impact.failed > tolerated(budget.errors, impact.requests):
        share = f"{budget.errors:.4%}".rstrip("0%").rstrip(".") or "0"
        return f"{impact.failed} of {impact.requests} requests failed, more than {share}% of the error budget"
    return ""


def tolerated(share: float, requests: int) -> float:
    """Return how many requests may fail: the share of those made, taken as at least 100, and at least one."""
    return max(share * max(requests, _FEW_REQUESTS), 1.0) if share else 0.0


def _name(plan: Plan, use: GateProbe, target: str) -> str:
    return f"{use.probe} on {tell_target(plan, use.probe, target)}" if target else use.probe
