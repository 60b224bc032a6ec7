"""The parts of a state that the fold changes, made when first asked for, and the sets that it counts in."""

from __future__ import annotations

from wavegate.core.outcomes import Outcome
from wavegate.core.state import HostState, State, WaveState


def wave_of(state: State, name: str) -> WaveState:
    """Return the wave's state, which is part of the whole from here on."""
    # Not setdefault, which makes a new one each time that it is asked.
    wave = state.waves.get(name)
    if wave is None:
        wave = state.waves[name] = WaveState()
    return wave


def host_of(state: State, name: str) -> HostState:
    """Return the host's state, which is part of the whole from here on."""
    host = state.hosts.get(name)
    if host is None:
        host = state.hosts[name] = HostState()
    return host


def count_host(state: State, wave: str, name: str) -> None:
    """Bring the sets of hosts into step with what is now known about one of them."""
    host, here = host_of(state, name), wave_of(state, wave)
    _keep(here.done, name, belongs=host.outcome is Outcome.DONE)
    _keep(here.bad, name, belongs=host.is_bad)
    _keep(here.sick, name, belongs=host.is_bad and host.is_sick)
    _keep(here.not_started, name, belongs=host.outcome is Outcome.NOT_STARTED)
    if state.rollback:
        tried = host.forward is not None and host.outcome is not None
        _keep(state.rollback.failed, name, belongs=tried and host.outcome is not Outcome.ROLLED_BACK)


def _keep(names: set[str], name: str, *, belongs: bool) -> None:
    if belongs:
        names.add(name)
    else:
        names.discard(name)
