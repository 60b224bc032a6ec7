"""What follows when a person lets the rollout pass a gate, whatever it says: for one gate, once, by name."""

from __future__ import annotations

from wavegate.core import events as ev
from wavegate.core.counting import count_host, host_of
from wavegate.core.outcomes import Verdict
from wavegate.core.state import GateState, State


def find_overridable(state: State, gate: str) -> GateState | None:
    """Return the gate of that name that keeps the rollout from going on, the newest one."""
    sides = [one for wave in state.waves.values() for one in (wave.before, wave.during, wave.after)]
    shut = [one for one in sides if one and one.gate == gate and is_shut(one)]
    return max(shut, key=lambda one: one.opened_at, default=None)


def is_shut(gate: GateState) -> bool:
    """Whether the gate keeps the rollout from going on; one that only watches during a wave does not."""
    return gate.verdict is not Verdict.PASS and (gate.side != "during" or gate.verdict is not None)


def gate_overridden(state: State, event: ev.GateOverridden, at: float) -> None:
    """Open the gate; hosts that it found bad stand as accepted, and count against no budget any more."""
    gate: GateState | None = getattr(state.wave(event.wave), event.side)
    if gate is None:
        raise KeyError(f"no gate was open {event.side} wave {event.wave}")
    gate.override, gate.verdict, gate.decided_at = event, Verdict.PASS, at
    gate.reason = f"overridden by {event.by}: {event.reason}"
    for series in gate.series.values():
        series.in_flight = False
    if event.side == "before":
        return
    for name in gate.out:
        host = host_of(state, name)
        if host.is_bad and host.found_bad:
            host.accepted = True
            count_host(state, event.wave, name)
    here = state.wave(event.wave)
    still_failed = any(one and one.verdict is Verdict.FAIL for one in (here.during, here.after))
    if state.failed_gate == event.wave and not still_failed:
        state.failed_gate = ""
