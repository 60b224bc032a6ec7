"""The probe `host`: asks all hosts for their state in one run of the module `host_state`.

The module is asked for what any of the hosts needs, so that one Ansible process serves all of them; each
host is judged by its own settings.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_number,
    read_table,
    read_texts,
)
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, judge_unexpected
from wavegate.core.judgement_host import FreeSpace, HostExpectation, judge_host
from wavegate.extensions import Occasion

HOST_GRACE = 10.0
"""Seconds beyond its timeout in which a host runner has to be back, with its processes ended."""
RawHost = Mapping[str, Any] | str
"""What the module returned for a host, or the text of why it returned nothing."""


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


def read_expectation(settings: Mapping[str, Any]) -> HostExpectation:
    """Return what the rendered settings want of a host; raise UnusableSettingsError."""
    return HostExpectation(
        services=read_texts(settings, "services"),
        no_failed_units=bool(settings.get("no_failed_units")),
        disk_free={
            path: _read_free(f"disk_free of {path}", wanted)
            for path, wanted in read_table(settings, "disk_free").items()
        },
        load_per_core=read_number(settings, "load_per_core"),
        memory_free_percent=read_number(settings, "memory_free"),
        no_reboot_required=bool(settings.get("no_reboot_required")),
    )


def _read_free(what: str, wanted: Any) -> FreeSpace:
    if not isinstance(wanted, Mapping):
        raise UnusableSettingsError(f'{what} is "{wanted}", wanted percent or bytes')
    count = read_number(wanted, "bytes")
    return FreeSpace(percent=read_number(wanted, "percent"), bytes=None if count is None else int(count))


def module_args(expectations: Sequence[HostExpectation]) -> dict[str, list[str]]:
    """Return the arguments that let `host_state` see what any of the expectations is about."""
    return {
        "services": sorted({name for wanted in expectations for name in wanted.services}),
        "paths": sorted({path for wanted in expectations for path in wanted.disk_free}),
    }


def judge_answer(wanted: HostExpectation, answer: RawHost | None) -> Judgement:
    """Return what a host's answer means; None is a host that gave none."""
    if isinstance(answer, Mapping):
        return judge_host(wanted, answer)
    return judge_trouble(Trouble.NOT_ANSWERED_HOST, more=answer or "it gave no answer in time")


async def ask_hosts(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Ask all hosts in one run; one that answers nonsense, or has no proper settings, spoils no other."""
    expectations, judgements = {}, {}
    for occasion in occasions:
        try:
            expectations[occasion.target] = read_expectation(occasion.settings)
        except UnusableSettingsError as error:
            judgements[occasion.target] = judge_trouble(Trouble.UNUSABLE, more=str(error))
    if expectations:
        answers = await _run(expectations, occasions[0].timeout, helpers)
        for host, expected in expectations.items():
            judgements[host] = _judge(expected, answers.get(host))
    return judgements


async def _run(
    expectations: Mapping[str, HostExpectation], timeout: float, helpers: Helpers
) -> Mapping[str, RawHost]:
    wanted = module_args(list(expectations.values()))
    run = functools.partial(helpers.host_runner, list(expectations), wanted, timeout)
    try:
        async with asyncio.timeout(timeout + HOST_GRACE):
            return await run_beside(run, "wavegate-host-probe")
    except TimeoutError:
        return {}


def _judge(expected: HostExpectation, answer: RawHost | None) -> Judgement:
    try:
        return judge_answer(expected, answer)
    except Exception as error:  # noqa: BLE001 - a host that answers nonsense must not take the others' answers
        return judge_unexpected(error)


KIND = AllTargets(ask_hosts)
