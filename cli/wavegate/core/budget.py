"""The failure budget: how many hosts may be bad before nothing new starts (design 4.3).

A breach is strictly more than tolerated. Hosts that were sick before (they did not get through the precheck)
are no breach: the fleet is ill, but not by our doing, and the rollout is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wavegate.core import events as ev
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.spec import Budget
from wavegate.core.state import HostState, State


@dataclass(frozen=True, slots=True)
class Overspent:
    """One limit of a budget that is exceeded; `kind` is "bad" for the total, or a class of it."""

    kind: str
    count: int
    tolerated: int


def bad_hosts(state: State, wave: PlannedWave) -> tuple[str, ...]:
    """Return the hosts of the wave that are bad, in the wave's order; looks at all of its hosts."""
    bad = state.wave(wave.name).bad
    return tuple(host for host in wave.hosts if host in bad)


def find_breach(plan: Plan, state: State, wave: PlannedWave) -> ev.BudgetBreached | None:
    """Return the breach of the wave's or the rollout's budget by hosts that the rollout made bad."""
    made = _made_bad(state, wave.name)
    over = find_overspent(wave.budget, _classes(state, made))
    if over and _is_sampled(wave.budget, state, wave.hosts):
        return _tell("wave", wave.name, state, over, _first(state, wave.hosts, made, over))
    made = _made_bad(state)
    over = find_overspent(plan.budget, _classes(state, made))
    if over and _is_sampled(plan.budget, state, plan.hosts):
        return _tell("rollout", wave.name, state, over, _first(state, plan.hosts, made, over))
    return None


def is_fleet_ill(plan: Plan, state: State, wave: PlannedWave) -> bool:
    """Whether, with the hosts that were sick before, more are bad than the wave or the rollout tolerates."""
    here = state.wave(wave.name)
    if here.sick and find_overspent(wave.budget, _classes(state, here.bad)):
        return True
    if not any(other.sick for other in state.waves.values()):
        return False
    everywhere = {host for other in state.waves.values() for host in other.bad}
    return find_overspent(plan.budget, _classes(state, everywhere)) is not None


def find_overspent(budget: Budget, classes: Iterable[str]) -> Overspent | None:
    """Return the limit that bad hosts of these classes exceed: the total first, then one of a class."""
    counts = Counter(classes)
    if budget.tolerated is not None and counts.total() > budget.tolerated:
        return Overspent("bad", counts.total(), budget.tolerated)
    for kind, tolerated in budget.by_class.items():
        if counts[kind] > tolerated:
            return Overspent(kind, counts[kind], tolerated)
    return None


def class_of(host: HostState) -> str:
    """Return in which way a bad host is bad, as a class of failure budgets."""
    outcome = host.forward or host.outcome
    return "found_bad" if host.found_bad else str(outcome)


def count_bad(state: State) -> int:
    """Return how many hosts of the rollout are bad: a bad outcome, or found bad by a probe."""
    return sum(len(wave.bad) for wave in state.waves.values())


def tell_final(plan: Plan, state: State, breach: ev.BudgetBreached) -> str:
    """Return the breach's reason with how it ended: what was in flight has counted since."""
    if breach.level == "rollout":
        hosts, budget = _made_bad(state), plan.budget
    else:
        hosts = _made_bad(state, breach.wave)
        budget = next(wave.budget for wave in plan.waves if wave.name == breach.wave)
    over = find_overspent(budget, _classes(state, hosts))
    ended = over.count if over else breach.bad
    return f"{breach.reason}; tolerated {breach.tolerated}, ended with {ended}"


def _made_bad(state: State, wave: str = "") -> set[str]:
    """Return the hosts that the rollout made bad, of one wave or of all."""
    waves = [state.wave(wave)] if wave else list(state.waves.values())
    return {host for here in waves for host in here.bad - here.sick}


def _classes(state: State, hosts: Iterable[str]) -> list[str]:
    return [class_of(state.hosts[host]) for host in hosts]


def _is_sampled(budget: Budget, state: State, hosts: Sequence[str]) -> bool:
    """Whether enough hosts have ended for the budget to judge: its minimum sample, or all there are."""
    if not budget.minimum_sample:
        return True
    ended = sum(state.host(host).outcome is not None for host in hosts)
    return ended >= min(budget.minimum_sample, len(hosts))


def _first(state: State, order: Sequence[str], bad: set[str], over: Overspent) -> str:
    """Return the first bad host of the class that is overspent."""
    return next(host for host in order if host in bad and over.kind in {"bad", class_of(state.hosts[host])})


def _tell(level: str, wave: str, state: State, over: Overspent, first: str) -> ev.BudgetBreached:
    host = state.host(first)
    what = host.found_bad or f"{host.forward or host.outcome}: {host.reason}".rstrip(": ")
    more = f" and {over.count - 1} more" if over.count > 1 else ""
    kind = over.kind.replace("_", " ")
    where = f"{level} {wave}" if level == "wave" else level
    reason = f"{kind} hosts {over.count} > tolerated {over.tolerated} in {where}: {first} ({what}){more}"
    return ev.BudgetBreached(level, wave, over.count, over.tolerated, reason)
