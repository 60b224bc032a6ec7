"""When the rollout will probably end: from how long its batches took so far and the soaks still to come."""

from __future__ import annotations

from math import ceil

from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.state import State


def seconds_left(plan: Plan, state: State, now: float) -> float | None:
    """Return the expected seconds until the rollout is completed; None before a batch has ended."""
    if not state.batches_ended:
        return None
    each = state.batch_seconds / state.batches_ended
    return sum(
        _batches_left(state, wave, each, now) + _gates_left(plan, state, wave, now) for wave in plan.waves
    )


def _batches_left(state: State, wave: PlannedWave, each: float, now: float) -> float:
    waiting = len(wave.batches) - len(state.wave(wave.name).begun)
    lanes = max(1, wave.in_flight // wave.largest_batch)
    flying = [batch for batch in state.in_flight.values() if batch.wave == wave.name]
    rest = max((max(0.0, each - (now - batch.started_at)) for batch in flying), default=0.0)
    return ceil(waiting / lanes) * each + rest


def _gates_left(plan: Plan, state: State, wave: PlannedWave, now: float) -> float:
    left = 0.0
    here = state.wave(wave.name)
    for name, gate in ((wave.before, here.before), (wave.after, here.after)):
        if name and (gate is None or gate.verdict is None):
            elapsed = now - gate.opened_at if gate else 0.0
            left += max(0.0, plan.gates[name].soak - elapsed)
    return left
