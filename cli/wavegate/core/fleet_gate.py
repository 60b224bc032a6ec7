"""The gate over all hosts before the first wave: whether the fleet is fit for the change at all.

In state and journal it belongs to the wave without a name.
"""

from __future__ import annotations

from wavegate.core.gate import find_bad_hosts
from wavegate.core.outcomes import Verdict
from wavegate.core.plan import Plan, PlannedBatch, PlannedWave
from wavegate.core.state import GateState, State

FLEET = ""
"""The name of the wave that stands for the whole fleet."""
_SHOWN = 8


def fleet_wave(plan: Plan) -> PlannedWave:
    """Return all hosts as if they were one wave, which has only a gate before it."""
    return PlannedWave(FLEET, (PlannedBatch(plan.hosts),), in_flight=1, before=plan.before)


def passes_fleet_gate(plan: Plan, state: State) -> bool:
    """Whether the first wave may start, as far as the fleet's gate is concerned."""
    if not plan.before:
        return True
    gate = state.wave(FLEET).before
    return gate is not None and gate.verdict is Verdict.PASS


def still_in(state: State, wave: PlannedWave) -> tuple[str, ...]:
    """Return the hosts of the wave (or of the fleet) that nobody has taken out."""
    here = state.waves.values() if wave.name == FLEET else [state.wave(wave.name)]
    skipped = {host for one in here for host in one.skipped}
    return tuple(host for host in wave.hosts if host not in skipped) if skipped else wave.hosts


def tell_sick(plan: Plan, gate: GateState) -> str:
    """Return which hosts were bad before anything was changed there; "" when no single host was."""
    sick = find_bad_hosts(plan, gate)
    if not sick:
        return ""
    named = [f"{host} ({probe}: {why})" for host, (probe, why) in sorted(sick.items())[:_SHOWN]]
    more = f" and {len(sick) - _SHOWN} more" if len(sick) > _SHOWN else ""
    hosts = f"{len(sick)} host{'s were' if len(sick) != 1 else ' was'} sick before"
    return f"the fleet is ill, {hosts}: {'; '.join(named)}{more}"
