"""Keeps the sets and counters of a state in step with its hosts, so that no decision looks at every host."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome
from wavegate.core.state import Counts, HostState, State, WaveState


def wave_of(state: State, name: str) -> WaveState:
    """Return the wave's state, which is the state's own from now on."""
    # Not setdefault, which makes a new one each time that it is asked.
    wave = state.waves.get(name)
    if wave is None:
        wave = state.waves[name] = WaveState()
    return wave


def host_of(state: State, name: str) -> HostState:
    """Return the host's state, which is the state's own from now on."""
    host = state.hosts.get(name)
    if host is None:
        host = state.hosts[name] = HostState()
    return host


def count_host(state: State, wave: str, name: str) -> None:
    """Bring sets and counters into step with what is now known about one host."""
    host, here = host_of(state, name), wave_of(state, wave)
    outcome, is_bad = host.outcome, host.is_bad
    _keep(here.done, name, belongs=outcome is Outcome.DONE)
    _keep(here.not_started, name, belongs=outcome is Outcome.NOT_STARTED)
    counted = (outcome is not None, host.bad_as if is_bad else "", is_bad and host.is_sick)
    if counted != host.counted:
        for counts in (here.counts, state.counts):
            _recount(counts, host.counted, counted)
        host.counted = counted
        _keep(here.bad, name, belongs=is_bad)
        _keep(here.sick, name, belongs=counted[2])
    if state.rollback:
        tried = host.forward is not None and outcome is not None
        _keep(state.rollback.failed, name, belongs=tried and outcome is not Outcome.ROLLED_BACK)


def _recount(counts: Counts, before: tuple[bool, str, bool], now: tuple[bool, str, bool]) -> None:
    counts.ended += now[0] - before[0]
    for (_, bad_as, is_sick), number in ((before, -1), (now, 1)):
        if bad_as:
            _add(counts.sick if is_sick else counts.made_bad, bad_as, number)


def _add(counter: Counter[str], key: str, number: int) -> None:
    counter[key] += number
    if not counter[key]:
        del counter[key]


def _keep(names: set[str], name: str, *, belongs: bool) -> None:
    if belongs:
        names.add(name)
    else:
        names.discard(name)


def wait_again(state: State, wave: str, index: int) -> None:
    """Have the batch wait for its turn: on the way forward, or to be put back."""
    here, rollback = wave_of(state, wave), state.rollback
    if rollback is None:
        here.begun.discard(index)
        here.first_waiting = min(here.first_waiting, index)
        return
    waiting = rollback.waiting.setdefault(wave, [])
    place = bisect_left(waiting, index)
    if place == len(waiting) or waiting[place] != index:
        waiting.insert(place, index)


def wait_no_more(state: State, event: ev.BatchSubmitted) -> None:
    """Note that the batch had its turn."""
    here, rollback = wave_of(state, event.wave), state.rollback
    here.begun.add(event.index)
    while here.first_waiting in here.begun:
        here.first_waiting += 1
    if rollback and "rollback" in event.procedures:
        waiting = rollback.waiting[event.wave]
        del waiting[bisect_left(waiting, event.index)]
