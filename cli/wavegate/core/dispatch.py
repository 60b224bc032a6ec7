"""Which batch may start now: the sliding window, the ramp and the hosts that must stay apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import count

from wavegate.core import events as ev
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.spec import Procedure
from wavegate.core.state import HostState, State


def next_batch(plan: Plan, state: State, wave: PlannedWave) -> ev.BatchSubmitted | None:
    """Return the next batch of the wave if it fits into the window now, or None.

    Batches start in their order; one is overtaken only while its hosts must stay apart from those in flight.
    """
    if not _has_room(state, wave, 1):
        return None
    here, flying = state.wave(wave.name), _count_flying(state, wave)
    step = _step_in_flight(state, wave)
    for index in range(here.first_waiting, len(wave.batches)):
        if index in here.begun:
            continue
        batch = wave.batches[index]
        hosts = _without_outcome(state, batch.hosts)
        if not hosts:  # a person skipped them all
            continue
        step = min(step, batch.step)
        if batch.step > step or not _has_room(state, wave, len(hosts)):
            return None
        if _may_join(wave, flying, hosts):
            procedures = tuple(procedure.value for procedure in plan.procedures)
            name = name_batch(state, f"{wave.name}.{index + 1}")
            return ev.BatchSubmitted(name, wave.name, index, hosts, settled_first(state, hosts, procedures))
    return None


def _step_in_flight(state: State, wave: PlannedWave) -> int:
    """Return the earliest step of the ramp of which a batch is in flight; of none, the last step."""
    last = wave.batches[-1].step
    if not last:
        return 0
    flying = (batch.index for batch in state.in_flight.values() if batch.wave == wave.name)
    return min((wave.batches[index].step for index in flying), default=last)


def _without_outcome(state: State, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return the hosts of a batch that have no outcome: all of them, unless something went wrong before."""
    known = state.hosts
    return tuple(host for host in hosts if host not in known or known[host].outcome is None)


def next_rollback(plan: Plan, state: State) -> ev.BatchSubmitted | None:
    """Return the next batch to put back, last wave and last batch first, or None.

    A wave is put back when no later one is waiting or in flight any more.
    """
    waiting = state.rollback.waiting if state.rollback else {}
    flying = {batch.wave for batch in state.in_flight.values()}
    last = next(
        (wave for wave in reversed(plan.waves) if waiting.get(wave.name) or wave.name in flying), None
    )
    return _next_rollback_of(state, last) if last else None


def _next_rollback_of(state: State, wave: PlannedWave) -> ev.BatchSubmitted | None:
    rollback = state.rollback
    if rollback is None or not _has_room(state, wave, 1):
        return None
    flying = _count_flying(state, wave)
    for index in reversed(rollback.waiting.get(wave.name, ())):
        batch = reversed(wave.batches[index].hosts)
        hosts = tuple(
            host for host in batch if host in rollback.chosen and _awaits_rollback(state.host(host))
        )
        if not _has_room(state, wave, len(hosts)):
            return None
        if hosts and _may_join(wave, flying, hosts):
            name = name_batch(state, f"{wave.name}.{index + 1}-rollback")
            procedures = settled_first(state, hosts, (Procedure.ROLLBACK.value,))
            return ev.BatchSubmitted(name, wave.name, index, hosts, procedures)
    return None


def settled_first(state: State, hosts: Sequence[str], procedures: tuple[str, ...]) -> tuple[str, ...]:
    """Return the procedures, after one that makes sure that no task of an earlier batch is at work there."""
    known = state.hosts
    in_doubt = any(host in known and known[host].in_doubt for host in hosts)
    return (Procedure.SETTLE.value, *procedures) if in_doubt else procedures


def _awaits_rollback(host: HostState) -> bool:
    """Whether the host, of a batch whose rollback is not under way, has not been through it yet."""
    return host.forward is None or host.outcome is None


def _has_room(state: State, wave: PlannedWave, hosts: int) -> bool:
    """Whether so many hosts fit into the window; a batch that is larger than it goes alone."""
    return not state.hosts_in_flight or state.hosts_in_flight + hosts <= wave.in_flight


def _count_flying(state: State, wave: PlannedWave) -> Counter[str]:
    """Return how many hosts with each value of `apart` are in flight."""
    if not wave.apart:
        return Counter()
    flying = (host for batch in state.in_flight.values() for host in batch.hosts)
    return Counter(wave.apart[host] for host in flying if host in wave.apart)


def may_start(state: State, wave: PlannedWave, host: str) -> bool:
    """Whether one more host fits into the window of the wave, beside those that must stay apart from it."""
    return _has_room(state, wave, 1) and _may_join(wave, _count_flying(state, wave), (host,))


def _may_join(wave: PlannedWave, flying: Counter[str], hosts: Sequence[str]) -> bool:
    """Whether at most `at_most` hosts of one `apart` value would be in flight with these."""
    if not wave.apart:
        return True
    joining = Counter(wave.apart[host] for host in hosts if host in wave.apart)
    return all(flying[value] + more <= wave.at_most for value, more in joining.items())


def name_batch(state: State, base: str) -> str:
    """Return `base`, or `base-try2`, `base-try3` for a second or third try."""
    if base not in state.batches:
        return base
    names = (f"{base}-try{number}" for number in count(2))
    return next(name for name in names if name not in state.batches)
