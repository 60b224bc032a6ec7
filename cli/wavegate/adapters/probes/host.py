"""The probe `host`: asks all hosts for their state in one run of the module `host_state`.

The module is asked for what any of the hosts needs, so that one Ansible process serves all of them; each
host is judged by its own settings.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from wavegate.adapters.probes.host_wishes import module_args, read_expectation
from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, judge_unexpected
from wavegate.core.judgement_host import HostExpectation, judge_host
from wavegate.extensions import Occasion

RawHost = Mapping[str, Any] | str
"""What the module returned for a host, or the text of why it returned nothing."""
ChangedAgo = Callable[[str], float | None]
"""Returns how many seconds ago the change began on a host; None where nothing was begun."""

HOST_GRACE = 10.0
"""Seconds beyond its timeout in which a host runner has to be back, with its processes ended."""
POOLING = 0.03
"""Seconds in which more probes may join a round trip: a gate starts what is due within milliseconds."""


class HostRunner(Protocol):
    """Runs the module `host_state`; `adapters.probes.ansible_host` does it with ansible-runner."""

    def __call__(
        self, hosts: Sequence[str], module_args: Mapping[str, Any], timeout: float
    ) -> Mapping[str, RawHost]:
        """Return the answer of each host within `timeout` seconds; hosts that gave none may be left out.

        Blocks; called from a thread of its own.
        """
        ...

    def close(self) -> None:
        """End a run that is under way."""
        ...


class _Trip(Struct):
    """One round trip that still waits for probes to join it."""

    expectations: dict[str, list[HostExpectation]] = field(default_factory=dict)
    answers: asyncio.Task[Mapping[str, RawHost]] | None = None


class HostPool:
    """Lets probes that are due at the same instant, with the same timeout, share one round trip.

    To be used from one event loop. Each probe judges the answers by its own expectations.
    """

    def __init__(self, runner: HostRunner, changed_ago: ChangedAgo, pooling: float = POOLING) -> None:
        self._runner = runner
        self._changed_ago = changed_ago
        self._pooling = pooling
        self._waiting: dict[float, _Trip] = {}

    async def measure(
        self, expectations: Mapping[str, HostExpectation], timeout: float
    ) -> Mapping[str, Judgement]:
        """Return what each host's answer means; a host that gave none within `timeout` s is an error."""
        if not expectations:
            return {}
        trip = self._waiting.setdefault(timeout, _Trip())
        for host, wanted in expectations.items():
            trip.expectations.setdefault(host, []).append(wanted)
        if trip.answers is None:
            trip.answers = asyncio.create_task(self._travel(trip, timeout))
        answers = await asyncio.shield(trip.answers)
        return {
            host: judge_answer(wanted, answers.get(host), self._changed_ago(host))
            for host, wanted in expectations.items()
        }

    async def _travel(self, trip: _Trip, timeout: float) -> Mapping[str, RawHost]:
        await asyncio.sleep(self._pooling)
        del self._waiting[timeout]
        wanted = [one for each in trip.expectations.values() for one in each]
        agos = [ago for host in trip.expectations if (ago := self._changed_ago(host)) is not None]
        # What happens while the hosts are asked counts too: they measure ages when they are asked.
        longest = max(agos) + timeout if agos else None
        arguments = module_args(wanted, longest)
        run = functools.partial(self._runner, list(trip.expectations), arguments, timeout)
        try:
            async with asyncio.timeout(timeout + HOST_GRACE):
                return await run_beside(run, "wavegate-host-probe")
        except TimeoutError:
            return {}


def judge_answer(
    wanted: HostExpectation, answer: RawHost | None, changed_ago: float | None = None
) -> Judgement:
    """Return what a host's answer means; None is a host that gave none, nonsense an error of its own."""
    if not isinstance(answer, Mapping):
        return judge_trouble(Trouble.NOT_ANSWERED_HOST, more=answer or "it gave no answer in time")
    try:
        return judge_host(wanted, answer, changed_ago)
    except Exception as error:  # noqa: BLE001 - a host that answers nonsense must not take the others' answers
        return judge_unexpected(error)


async def ask_hosts(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Ask all hosts in one run; one that has no proper settings spoils no other."""
    expectations, judgements = {}, {}
    for occasion in occasions:
        try:
            expectations[occasion.target] = read_expectation(occasion.settings)
        except UnusableSettingsError as error:
            judgements[occasion.target] = judge_trouble(Trouble.UNUSABLE, more=str(error))
    return {**judgements, **await helpers.hosts.measure(expectations, occasions[0].timeout)}


KIND = AllTargets(ask_hosts)
