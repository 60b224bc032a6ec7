"""Measures from this machine: implements the port `Prober` with one thread that runs an event loop.

A measurement's timeout begins when it gets its turn (200 connections and 32 programs at once), so that the
order of the targets changes no reading. The hosts of a `host` probe share one process and one timeout.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from wavegate.adapters.probes.host import ChangedAgo, HostPool, HostRunner
from wavegate.adapters.probes.kinds import AllTargets, EachTarget, FindRehearsal, Helpers, Runners, find_kind
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.core.events import Measurement, SweepEnded, SweepStarted
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, judge_unexpected
from wavegate.core.outcomes import Reading
from wavegate.core.spec import ProbeSpec
from wavegate.extensions import Occasion
from wavegate.ports import Report

Settings = Mapping[str, Any]

CONNECTIONS_AT_ONCE = 200
PROGRAMS_AT_ONCE = 32
DETAIL_LIMIT = 500
"""Characters of a detail; it is shortened after it was redacted, never before."""
_SECONDS_TO_CLOSE = 10.0


def _know_no_rehearsal(within: float, roles: Sequence[str]) -> Judgement:  # noqa: ARG001
    return judge_trouble(Trouble.UNUSABLE, more="nobody here knows of rehearsals")


class LocalProber:
    """Takes measurements from this machine; `close()` ends those under way and reports them as stopped.

    `rendered[probe][host]` are a probe's settings with the host's templates rendered; a probe measured once
    has the key "" or takes those of the first host. `redact` sees every detail before anybody else does.
    `folder` is the project's root, `rollout` the name of the rollout file. `runners` reach hosts for the
    kinds that need Ansible; `changed_ago` says in any thread how many seconds ago a host's change began.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what it measures with
        self,
        rendered: Mapping[str, Mapping[str, Settings]],
        redact: Callable[[str], str],
        host_runner: HostRunner,
        folder: Path,
        rollout: str = "",
        find_rehearsal: FindRehearsal = _know_no_rehearsal,
        *,
        runners: Runners | None = None,
        changed_ago: ChangedAgo = lambda _: None,
    ) -> None:
        self._rendered = rendered
        self._redact = redact
        self._host_runner = host_runner
        self._helpers = Helpers(HostPool(host_runner, changed_ago), find_rehearsal, runners)
        self._folder = folder
        self._rollout = rollout
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
        report(self._ended(sweep, _for_all(_everyone(sweep), judge_trouble(Trouble.STOPPED))))

    def close(self) -> None:
        """End what is being measured, wait until it has been reported, and end the thread."""
        with self._lock:
            was_closed, self._closed = self._closed, True
        if was_closed or self._loop is None or self._thread is None:
            return
        self._host_runner.close()
        if self._helpers.runners is not None:
            self._helpers.runners.close()
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
            judgements = await self._judge_all(sweep, probe)
        except asyncio.CancelledError:
            judgements = _for_all(_everyone(sweep), judge_trouble(Trouble.STOPPED))
        except Exception as error:  # noqa: BLE001 - a sweep without an end would hang its gate
            judgements = _for_all(_everyone(sweep), _unexpected(error))
        report(self._ended(sweep, judgements))

    async def _judge_all(self, sweep: SweepStarted, probe: ProbeSpec) -> Mapping[str, Judgement]:
        kind = find_kind(probe.kind)
        judgements: dict[str, Judgement] = {}
        occasions = []
        for target in _everyone(sweep):
            try:
                occasions.append(self._occasion(sweep, probe, target))
            except UnusableSettingsError as error:
                judgements[target] = _unexpected(error)
        for number in range(probe.retries + 1):
            answers = await self._ask_all(kind, occasions)
            judgements |= {target: _tell_tries(one, number) for target, one in answers.items()}
            occasions = [one for one in occasions if judgements[one.target].reading is not Reading.GOOD]
            if not occasions:
                break
        return judgements

    async def _ask_all(
        self, kind: EachTarget | AllTargets, occasions: Sequence[Occasion]
    ) -> dict[str, Judgement]:
        if isinstance(kind, AllTargets):
            answers = await kind.ask(occasions, self._helpers) if occasions else {}
            missing = judge_trouble(Trouble.NOT_ANSWERED_HOST, more="it gave no answer")
            return {one.target: answers.get(one.target, missing) for one in occasions}
        answered = await asyncio.gather(*(self._judge(kind, occasion) for occasion in occasions))
        return dict(zip((one.target for one in occasions), answered, strict=True))

    async def _judge(self, kind: EachTarget, occasion: Occasion) -> Judgement:
        turn = self._programs if kind.turn == "programs" else self._connections
        try:
            async with turn:
                return await kind.ask(occasion)
        except Exception as error:  # noqa: BLE001 - one target's surprise must not take the others' answers
            return _unexpected(error)

    def _occasion(self, sweep: SweepStarted, probe: ProbeSpec, target: str) -> Occasion:
        return Occasion(
            target=target,
            settings=self._settings(probe, target),
            timeout=probe.timeout,
            probe=probe.name,
            wave=sweep.wave,
            side=sweep.side,
            number=sweep.number,
            folder=self._folder,
            rollout=self._rollout,
        )

    def _settings(self, probe: ProbeSpec, target: str) -> Settings:
        of_hosts = self._rendered.get(probe.name, {})
        if target in of_hosts:
            return of_hosts[target]
        if not target and of_hosts:
            return next(iter(of_hosts.values()))
        raise UnusableSettingsError("they were not rendered for this host")

    def _ended(self, sweep: SweepStarted, judgements: Mapping[str, Judgement]) -> SweepEnded:
        measurements, untouched = (
            tuple(self._measurement(target, judgements[target]) for target in targets)
            for targets in (sweep.targets, sweep.untouched)
        )
        return SweepEnded(sweep.wave, sweep.side, sweep.probe, sweep.number, measurements, untouched)

    def _measurement(self, target: str, judgement: Judgement) -> Measurement:
        # Redacted before anything is cut off or joined: half a secret is not found.
        detail = " ".join(self._redact(judgement.detail).split())
        if len(detail) > DETAIL_LIMIT:
            detail = detail[: DETAIL_LIMIT - 1] + "…"
        return Measurement(target, judgement.reading, detail, judgement.value, judgement.asked)


def _everyone(sweep: SweepStarted) -> tuple[str, ...]:
    return (*sweep.targets, *sweep.untouched)


def _tell_tries(judgement: Judgement, retried: int) -> Judgement:
    """Say how often it was measured: what passes at the second try only is worth knowing."""
    if not retried:
        return judgement
    return replace(judgement, detail=f"{judgement.detail} (try {retried + 1})")


def _for_all(targets: Sequence[str], judgement: Judgement) -> Mapping[str, Judgement]:
    return dict.fromkeys(targets, judgement)


def _unexpected(error: Exception) -> Judgement:
    if isinstance(error, UnusableSettingsError):
        return judge_trouble(Trouble.UNUSABLE, more=str(error))
    return judge_unexpected(error)


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
