"""The failure budget: how many hosts may be bad before nothing new starts (design 4.3).

A breach is strictly more than tolerated. Hosts that were sick before (they did not get through the precheck)
are no breach: the fleet is ill, but not by our doing, and the rollout is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from wavegate.core import events as ev
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.spec import Budget
from wavegate.core.state import Counts, State


class Overspent(Struct, frozen=True):
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
    if not state.counts.made_bad:  # by far the most frequent answer
        return None
    here = state.wave(wave.name).counts
    over = _overspent(wave.budget, here.made_bad)
    if over and _is_sampled(wave.budget, here, len(wave.hosts)):
        made = _made_bad(state, wave.name)
        return _tell("wave", wave.name, state, over, _first(state, wave.hosts, made, over))
    over = _overspent(plan.budget, state.counts.made_bad)
    if over and _is_sampled(plan.budget, state.counts, count_hosts(plan)):
        made = _made_bad(state)
        return _tell("rollout", wave.name, state, over, _first(state, plan.hosts, made, over))
    return None


def is_fleet_ill(plan: Plan, state: State, wave: PlannedWave) -> bool:
    """Whether, with the hosts that were sick before, more are bad than the wave or the rollout tolerates."""
    if not state.counts.sick:
        return False
    here = state.wave(wave.name).counts
    return bool(
        (here.sick and _overspent(wave.budget, here.made_bad + here.sick))
        or _overspent(plan.budget, state.counts.made_bad + state.counts.sick)
    )


def find_overspent(budget: Budget, classes: Iterable[str]) -> Overspent | None:
    """Return the limit that bad hosts of these classes exceed: the total first, then one of a class."""
    return _overspent(budget, Counter(classes))


def _overspent(budget: Budget, counts: Mapping[str, int]) -> Overspent | None:
    total = sum(counts.values())
    if budget.tolerated is not None and total > budget.tolerated:
        return Overspent("bad", total, budget.tolerated)
    for kind, tolerated in budget.by_class.items():
        if counts.get(kind, 0) > tolerated:
            return Overspent(kind, counts[kind], tolerated)
    return None


def count_bad(state: State) -> int:
    """Return how many hosts of the rollout are bad: a bad outcome, or found bad by a probe."""
    return state.counts.made_bad.total() + state.counts.sick.total()


def count_hosts(plan: Plan) -> int:
    """Return how many hosts the plan has."""
    return sum(len(wave.hosts) for wave in plan.waves)


def tell_final(plan: Plan, state: State, breach: ev.BudgetBreached) -> str:
    """Return the breach's reason with how it ended: what was in flight has counted since."""
    if breach.level == "rollout":
        counts, budget = state.counts, plan.budget
    else:
        counts = state.wave(breach.wave).counts
        budget = next(wave.budget for wave in plan.waves if wave.name == breach.wave)
    over = _overspent(budget, counts.made_bad)
    ended = over.count if over else breach.bad
    return f"{breach.reason}; tolerated {breach.tolerated}, ended with {ended}"


def _made_bad(state: State, wave: str = "") -> set[str]:
    """Return the hosts that the rollout made bad, of one wave or of all."""
    waves = [state.wave(wave)] if wave else list(state.waves.values())
    return {host for here in waves for host in here.bad - here.sick}


def _is_sampled(budget: Budget, counts: Counts, hosts: int) -> bool:
    """Whether enough hosts have ended for the budget to judge: its minimum sample, or all there are."""
    return not budget.minimum_sample or counts.ended >= min(budget.minimum_sample, hosts)


def _first(state: State, order: Sequence[str], bad: set[str], over: Overspent) -> str:
    """Return the first bad host of the class that is overspent."""
    return next(host for host in order if host in bad and over.kind in {"bad", state.hosts[host].bad_as})


def _tell(level: str, wave: str, state: State, over: Overspent, first: str) -> ev.BudgetBreached:
    host = state.host(first)
    what = host.found_bad or f"{host.forward or host.outcome}: {host.reason}".rstrip(": ")
    more = f" and {over.count - 1} more" if over.count > 1 else ""
    kind = over.kind.replace("_", " ")
    where = f"{level} {wave}" if level == "wave" else level
    reason = f"{kind} hosts {over.count} > tolerated {over.tolerated} in {where}: {first} ({what}){more}"
    return ev.BudgetBreached(level, wave, over.count, over.tolerated, reason)
