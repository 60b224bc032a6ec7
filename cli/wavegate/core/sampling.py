"""Which probes of a gate are due, and when to look again."""

from __future__ import annotations

from wavegate.core import events as ev
from wavegate.core.gate import judge_gate, targets_of
from wavegate.core.outcomes import Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import GateProbe
from wavegate.core.state import GateState
from wavegate.core.tallies import Series


def due_at(gate: GateState, use: GateProbe) -> float | None:
    """Return when the probe measures next; None while a sweep of it is under way.

    A sweep that takes longer than its interval is followed by the next one at once, never overlapped.
    """
    series = gate.series.get(use.probe)
    if series is None or series.started == 0:
        return gate.opened_at + use.sampling.initial_delay
    if series.in_flight:
        return None
    return max(series.started_at + _interval(gate, use, series), series.ended_at)


WHILE_PEOPLE_THINK = 60.0
"""Seconds between two measurements while people are asked, unless the probe's own interval is longer.

Their answer may take days, and is followed by another measurement in any case.
"""


def _interval(gate: GateState, use: GateProbe, series: Series) -> float:
    waits_for_people = gate.asked_at is not None and series.measured_at >= gate.voted_at
    return max(use.sampling.interval, WHILE_PEOPLE_THINK) if waits_for_people else use.sampling.interval


def sweeps_due(plan: Plan, gate: GateState, now: float) -> tuple[ev.SweepStarted, ...]:
    """Return the sweeps that should start at `now`."""
    sweeps = []
    for use in plan.gates[gate.gate].probes:
        due = due_at(gate, use)
        if due is None or due > now:
            continue
        if targets := targets_of(plan, gate, use.probe):
            number = gate.series.get(use.probe, Series()).started + 1
            compare = plan.probes[use.probe].compare
            beside = gate.untouched[: compare.hosts] if compare else ()
            sweeps.append(ev.SweepStarted(gate.wave, gate.side, use.probe, number, targets, beside))
    return tuple(sweeps)


def wakes_at(plan: Plan, gate: GateState, now: float) -> float | None:
    """Return the next instant at which the passing of time alone may change something about the gate."""
    times = [due for use in plan.gates[gate.gate].probes if (due := due_at(gate, use)) is not None]
    soaked_until = gate.opened_at + plan.gates[gate.gate].soak
    if soaked_until > now:
        times.append(soaked_until)
    if judge_gate(plan, gate, now).verdict is Verdict.PASS:
        times.append(now)
    return min(times, default=None)
