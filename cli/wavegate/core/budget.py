"""The failure budget: how many hosts may be bad before nothing new starts (design 4.3)."""

from __future__ import annotations

from wavegate.core import events as ev
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.state import State


def bad_hosts(state: State, wave: PlannedWave) -> tuple[str, ...]:
    """Return the hosts of the wave that are bad, in the wave's order; looks at all of its hosts."""
    bad = state.wave(wave.name).bad
    return tuple(host for host in wave.hosts if host in bad)


def find_breach(plan: Plan, state: State, wave: PlannedWave) -> ev.BudgetBreached | None:
    """Return the breach of the wave's or the rollout's budget; strictly more than tolerated is a breach."""
    if len(state.wave(wave.name).bad) > wave.tolerated:
        return _tell("wave", wave.name, state, bad_hosts(state, wave), wave.tolerated)
    if plan.tolerated is not None and count_bad(state) > plan.tolerated:
        everywhere = tuple(host for other in plan.waves for host in bad_hosts(state, other))
        return _tell("rollout", wave.name, state, everywhere, plan.tolerated)
    return None


def count_bad(state: State) -> int:
    """Return how many hosts of the rollout are bad: a bad outcome, or found bad by a probe."""
    return sum(len(wave.bad) for wave in state.waves.values())


def _tell(level: str, wave: str, state: State, bad: tuple[str, ...], tolerated: int) -> ev.BudgetBreached:
    first = state.host(bad[0])
    what = first.found_bad or f"{first.forward or first.outcome}: {first.reason}".rstrip(": ")
    more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
    reason = (
        f"bad hosts {len(bad)} > tolerated {tolerated} in {level} {wave if level == 'wave' else ''}".rstrip()
    )
    return ev.BudgetBreached(level, wave, len(bad), tolerated, f"{reason}: {bad[0]} ({what}){more}")
