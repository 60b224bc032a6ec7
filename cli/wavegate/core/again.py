"""Which hosts are done again, or may be skipped, when a person wants that."""

from __future__ import annotations

from collections.abc import Collection

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.state import State

_AGAIN = frozenset(
    {Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.ABORTED, Outcome.NOT_STARTED}
)


def hosts_to_retry(state: State) -> set[str]:
    """Return the hosts that a retry without names does again: the bad ones, and those never begun."""
    return {
        name
        for name, host in state.hosts.items()
        if host.is_bad or (host.outcome in _AGAIN and host.forward is None)
    }


def retry(plan: Plan, state: State, hosts: Collection[str], by: str) -> list[ev.HostsRetried]:
    """Return what has the hosts done again, wave by wave; a failed gate is looked at again in any case."""
    retried = [event for wave in plan.waves if (event := _retry_in(wave, set(hosts), by))]
    if not retried and state.failed_gate:
        return [ev.HostsRetried(state.failed_gate, (), (), by)]
    return retried


def _retry_in(wave: PlannedWave, chosen: set[str], by: str) -> ev.HostsRetried | None:
    hosts = tuple(host for host in wave.hosts if host in chosen)
    batches = tuple(index for index, batch in enumerate(wave.batches) if chosen.intersection(batch.hosts))
    return ev.HostsRetried(wave.name, hosts, batches, by) if hosts else None


def may_be_skipped(state: State, host: str) -> bool:
    """Whether it makes sense to take the host out: not where it is done, and well."""
    known = state.host(host)
    return known.outcome is not Outcome.DONE or known.is_bad
