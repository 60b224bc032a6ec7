"""Measures from this machine: implements the port `Prober` with one thread that runs an event loop.

A measurement's timeout begins when it gets its turn (200 connections and 32 programs at once), so that the
order of the targets changes no reading. The hosts of a `host` probe share one process and one timeout.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wavegate.adapters.probes.host import (
    HostRunner,
    RawHost,
    judge_answer,
    module_args,
    read_expectation,
)
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.events import Measurement, SweepEnded, SweepStarted
from wavegate.core.judgement import Judgement, Trouble, judge_trouble
from wavegate.core.judgement_host import HostExpectation
from wavegate.core.spec import ProbeSpec
from wavegate.ports import Report

Settings = Mapping[str, Any]
Ask = Callable[[str, Settings, float], Awaitable[Judgement]]
"""Measures one target once: target, settings, timeout in seconds."""

CONNECTIONS_AT_ONCE = 200
PROGRAMS_AT_ONCE = 32
DETAIL_LIMIT = 500
"""Characters of a detail; it is shortened after it was redacted, never before."""
HOST_GRACE = 10.0
"""Seconds beyond its timeout in which a host runner has to be back, with its processes ended."""
_SECONDS_TO_CLOSE = 10.0


class LocalProber:
    """Takes measurements from this machine; `close()` ends those under way and reports them as stopped.

    `rendered[probe][host]` are a probe's settings with the host's templates rendered; a probe measured once
    has the key "" or takes those of the first host. `redact` sees every detail before anybody else does.
    """

    def __init__(
        self,
        rendered: Mapping[str, Mapping[str, Settings]],
        redact: Callable[[str], str],
        host_runner: HostRunner,
        folder: Path,
    ) -> None:
        self._rendered = rendered
        self._redact = redact
        self._host_runner = host_runner
        self._folder = folder
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self._connections = asyncio.Semaphore(CONNECTIONS_AT_ONCE)
        self._programs = asyncio.Semaphore(PROGRAMS_AT_ONCE)

    def measure(self, sweep: SweepStarted, probe: ProbeSpec, report: Report) -> None:
        """Measure every target once, concurrently, and return at once; see the port's promise."""
        with self._lock:
            if not self._closed:
                asyncio.run_coroutine_threadsafe(self._sweep(sweep, probe, report), self._running_loop())
                return
        report(self._ended(sweep, _for_all(sweep.targets, judge_trouble(Trouble.STOPPED))))

    def close(self) -> None:
        """End what is being measured, wait until it has been reported, and end the thread."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if was_closed or self._loop is None or self._thread is None:
            return
        self._host_runner.close()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        self._thread.join(_SECONDS_TO_CLOSE)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="wavegate-prober", daemon=True
            )
            self._thread.start()
        return self._loop

    async def _sweep(self, sweep: SweepStarted, probe: ProbeSpec, report: Report) -> None:
        try:
            judgements = await self._judge_all(sweep.targets, probe)
        except asyncio.CancelledError:
            judgements = _for_all(sweep.targets, judge_trouble(Trouble.STOPPED))
        except Exception as error:  # noqa: BLE001 - a sweep without an end would hang its gate
            judgements = _for_all(sweep.targets, _unexpected(error))
        report(self._ended(sweep, judgements))

    async def _judge_all(self, targets: Sequence[str], probe: ProbeSpec) -> Mapping[str, Judgement]:
        if probe.kind == "host":
            return await self._judge_hosts(targets, probe)
        ask, turn = self._way_to_ask(probe.kind)
        answers = await asyncio.gather(*(self._judge(target, probe, ask, turn) for target in targets))
        return dict(zip(targets, answers, strict=True))

    def _way_to_ask(self, kind: str) -> tuple[Ask, asyncio.Semaphore]:
        if kind == "http":
            from wavegate.adapters.probes.http import probe_http

            return probe_http, self._connections
        if kind == "tcp":
            from wavegate.adapters.probes.tcp import probe_tcp

            return probe_tcp, self._connections
        if kind == "command":
            from wavegate.adapters.probes.command import probe_command

            return functools.partial(probe_command, folder=self._folder), self._programs
        raise UnusableSettingsError(f'there is no kind of probe "{kind}"')

    async def _judge(self, target: str, probe: ProbeSpec, ask: Ask, turn: asyncio.Semaphore) -> Judgement:
        try:
            settings = self._settings(probe, target)
            async with turn:
                return await ask(target, settings, probe.timeout)
        except Exception as error:  # noqa: BLE001 - one target's surprise must not take the others' answers
            return _unexpected(error)

    async def _judge_hosts(self, targets: Sequence[str], probe: ProbeSpec) -> Mapping[str, Judgement]:
        expectations, judgements = {}, {}
        for target in targets:
            try:
                expectations[target] = read_expectation(self._settings(probe, target))
            except UnusableSettingsError as error:
                judgements[target] = _unexpected(error)
        if expectations:
            answers = await self._ask_hosts(
                list(expectations), module_args(list(expectations.values())), probe
            )
            for host, expected in expectations.items():
                judgements[host] = _judge_answer(expected, answers.get(host))
        return judgements

    async def _ask_hosts(
        self, hosts: Sequence[str], wanted: Mapping[str, Any], probe: ProbeSpec
    ) -> Mapping[str, RawHost]:
        run = functools.partial(self._host_runner, hosts, wanted, probe.timeout)
        try:
            async with asyncio.timeout(probe.timeout + HOST_GRACE):
                return await run_beside(run, "wavegate-host-probe")
        except TimeoutError:
            return {}

    def _settings(self, probe: ProbeSpec, target: str) -> Settings:
        of_hosts = self._rendered.get(probe.name, {})
        if target in of_hosts:
            return of_hosts[target]
        if not target and of_hosts:
            return next(iter(of_hosts.values()))
        raise UnusableSettingsError("they were not rendered for this host")

    def _ended(self, sweep: SweepStarted, judgements: Mapping[str, Judgement]) -> SweepEnded:
        measurements = tuple(self._measurement(target, judgements[target]) for target in sweep.targets)
        return SweepEnded(sweep.wave, sweep.side, sweep.probe, sweep.number, measurements)

    def _measurement(self, target: str, judgement: Judgement) -> Measurement:
        # Redacted before anything is cut off or joined: half a secret is not found.
        detail = " ".join(self._redact(judgement.detail).split())
        if len(detail) > DETAIL_LIMIT:
            detail = detail[: DETAIL_LIMIT - 1] + "…"
        return Measurement(target, judgement.reading, detail, judgement.value)


def _for_all(targets: Sequence[str], judgement: Judgement) -> Mapping[str, Judgement]:
    return dict.fromkeys(targets, judgement)


def _judge_answer(expected: HostExpectation, answer: RawHost | None) -> Judgement:
    try:
        return judge_answer(expected, answer)
    except Exception as error:  # noqa: BLE001 - a host that answers nonsense must not take the others' answers
        return _unexpected(error)


def _unexpected(error: Exception) -> Judgement:
    if isinstance(error, UnusableSettingsError):
        return judge_trouble(Trouble.UNUSABLE, more=str(error))
    return judge_trouble(Trouble.UNEXPECTED, more=f"{type(error).__name__}: {error}")


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _cancel_all() -> None:
    """Cancel everything on the loop, wait for its end (it reports), then stop the loop."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    asyncio.get_running_loop().stop()
