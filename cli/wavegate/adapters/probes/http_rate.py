"""Many requests as one measurement: what a user of the service would lose, and for how long.

Requests begin at even distances, whether or not those before were answered, each over a new connection. One
that cannot begin in time (this machine is busy) is not made up for: what is counted is what was asked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median

from msgspec import Struct

from wavegate.core.events import Asked
from wavegate.core.judgement import Judgement, seconds_text
from wavegate.core.outcomes import Reading

SPAN = 1.0
"""How long one measurement asks when nobody says it, in seconds."""
_ANSWERED = frozenset({Reading.GOOD, Reading.BAD})


class Request(Struct, frozen=True):
    """When a request began, in seconds from the measurement's own begin, and what came of it."""

    at: float
    judgement: Judgement


async def ask_at_rate(ask: Callable[[], Awaitable[Judgement]], rate: float, span: float) -> Judgement:
    """Ask `rate` times a second for `span` seconds, wait for the last answer, and judge all of them."""
    began = time.perf_counter()
    going: list[asyncio.Task[Request]] = []
    at = 0.0
    try:
        while True:
            going.append(asyncio.create_task(_ask(ask, began)))
            at = max(at + 1 / rate, time.perf_counter() - began)
            if at >= span:
                break
            await asyncio.sleep(began + at - time.perf_counter())
        requests = await asyncio.gather(*going)
    finally:
        for task in going:
            task.cancel()
    await asyncio.sleep(max(0.0, began + span - time.perf_counter()))
    return judge_requests(requests, time.perf_counter() - began)


async def _ask(ask: Callable[[], Awaitable[Judgement]], began: float) -> Request:
    at = time.perf_counter() - began
    return Request(at, await ask())


def judge_requests(requests: Sequence[Request], took: float) -> Judgement:
    """Return bad when one failed, good when all were answered well; of unanswered ones alone, an error.

    `took` are the seconds of the whole measurement; each request speaks for the time until the next began.
    """
    ordered = sorted(requests, key=lambda request: request.at)
    until = [request.at for request in ordered[1:]] + [took]
    failed = [request for request in ordered if request.judgement.reading is Reading.BAD]
    lost = [request for request in ordered if request.judgement.reading not in _ANSWERED]
    asked = Asked(
        requests=len(ordered),
        failed=len(failed),
        lost=len(lost),
        down=_seconds(ordered, until, {Reading.BAD}),
        unknown=_seconds(ordered, until, {Reading.ERROR, Reading.INCONCLUSIVE}),
        ends=ordered[-1].judgement.reading,
    )
    values = [one.judgement.value for one in ordered if one.judgement.reading is Reading.GOOD]
    known = [value for value in values if value is not None]
    middle = median(known) if known else None
    return Judgement(_read(ordered, failed, lost), _tell(ordered, failed, lost, took, middle), middle, asked)


def _seconds(ordered: Sequence[Request], until: Sequence[float], readings: set[Reading]) -> float:
    spans = zip(ordered, until, strict=True)
    return round(sum(end - one.at for one, end in spans if one.judgement.reading in readings), 3)


def _read(ordered: Sequence[Request], failed: Sequence[Request], lost: Sequence[Request]) -> Reading:
    if failed:
        return Reading.BAD
    if not lost:
        return Reading.GOOD
    return Reading.ERROR if len(lost) == len(ordered) else Reading.INCONCLUSIVE


def _tell(
    ordered: Sequence[Request],
    failed: Sequence[Request],
    lost: Sequence[Request],
    took: float,
    middle: float | None,
) -> str:
    number = len(ordered)
    if failed or lost:
        trouble, word = (failed, "failed") if failed else (lost, "could not be measured")
        first = trouble[0]
        when = f"the first after {seconds_text(first.at)}"
        return f"{len(trouble)} of {number} requests {word}, {when}: {first.judgement.detail}"
    return (
        f"{number} requests in {seconds_text(took)}, all answered, in {seconds_text(middle or 0.0)} (median)"
    )
