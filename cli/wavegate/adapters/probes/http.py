"""The probe `http`: asks once and holds the answer against everything that is wanted of it.

The value is the seconds from the question to the last byte read. How it asks is told in `web`. With `rate`
one measurement is of many requests, as `http_rate` tells.
Import this module late: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from wavegate.adapters.probes.http_rate import SPAN, ask_at_rate
from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_number,
    read_table,
    read_texts,
    read_whole,
)
from wavegate.adapters.probes.web import REDIRECT_LIMIT, WebQuestion, WebTroubleError, ask_web
from wavegate.adapters.probes.web_settings import read_headers, read_web_question
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_http import HttpExpectation, judge_http
from wavegate.extensions import Occasion


async def probe_http(occasion: Occasion) -> Judgement:
    """Ask once and judge the answer, or what came instead of one; with `rate`, ask again and again."""
    if rate := read_number(occasion.settings, "rate"):
        once = replace(occasion, settings={**occasion.settings, "rate": None})
        span = read_number(occasion.settings, "span") or SPAN
        return await ask_at_rate(functools.partial(probe_http, once), rate, span)
    expected = _read_expectation(occasion.settings)
    question = _read_question(occasion, expected)
    try:
        answer = await ask_web(question, occasion.timeout)
    except WebTroubleError as error:
        return error.judge()
    return judge_http(expected, answer)


def _read_question(occasion: Occasion, expected: HttpExpectation) -> WebQuestion:
    settings = occasion.settings
    headers, body = read_headers(settings), _read_body(settings.get("send"))
    if not isinstance(settings.get("send") or "", str) and "content-type" not in map(str.lower, headers):
        headers["Content-Type"] = "application/json"
    return read_web_question(
        occasion,
        method=str(settings.get("method") or "GET").upper(),
        headers=headers,
        body=body,
        redirects=read_whole({"redirects": REDIRECT_LIMIT, **settings}, "redirects", 0, 20),
        redirect_hosts=frozenset(name.lower() for name in read_texts(settings, "redirect_hosts")),
        wanted=frozenset(expected.statuses),
    )


def _read_expectation(settings: Mapping[str, Any]) -> HttpExpectation:
    return HttpExpectation(
        statuses=_read_statuses(settings.get("status", [200])),
        values=read_table(settings, "json"),
        text=str(settings.get("body") or "") or None,
        headers={key: str(value) for key, value in read_table(settings, "answer_headers").items()},
        max_latency=read_number(settings, "max_latency"),
    )


def _read_statuses(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    try:
        statuses = tuple(int(item) for item in items)
    except (TypeError, ValueError):
        statuses = ()
    if not statuses:
        raise UnusableSettingsError(f'status is "{value}", wanted numbers like 200')
    return statuses


def _read_body(send: Any) -> bytes | None:
    if send is None or send == "":
        return None
    if isinstance(send, str):
        return send.encode()
    return json.dumps(send, ensure_ascii=False).encode()


KIND = EachTarget(probe_http)
