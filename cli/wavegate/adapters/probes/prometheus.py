"""The probe `prometheus`: one instant query, judged by expressions.

Prometheus only tells about something else: where it does not answer, nothing was measured.
Import this module late: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

from urllib.parse import urlencode

from yarl import URL

from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.settings import UnusableSettingsError, read_conditions, read_text
from wavegate.adapters.probes.web import WebQuestion, WebTroubleError, ask_web, read_url
from wavegate.adapters.probes.web_settings import read_headers, read_web_question
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_prometheus import judge_prometheus
from wavegate.core.outcomes import Reading
from wavegate.extensions import Occasion

_EMPTY = {"error": Reading.ERROR, "good": Reading.GOOD, "bad": Reading.BAD}


async def probe_prometheus(occasion: Occasion) -> Judgement:
    """Ask once and judge what the query gave."""
    empty = _EMPTY.get(str(occasion.settings.get("empty") or "error"))
    if empty is None:
        raise UnusableSettingsError("empty is none of error, good, bad")
    question = _read_question(occasion)
    try:
        answer = await ask_web(question, occasion.timeout)
    except WebTroubleError as error:
        return error.as_error()
    return judge_prometheus(answer, read_conditions(occasion.settings), empty)


def _read_question(occasion: Occasion) -> WebQuestion:
    settings = occasion.settings
    form = {"query": read_text(settings, "query"), "timeout": f"{occasion.timeout * 1000:.0f}ms"}
    return read_web_question(
        occasion,
        url=_query_url(read_url(read_text(settings, "url"))),
        method="POST",
        headers={**read_headers(settings), "Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form).encode(),
        redirects=0,  # it would lose the query on the way
    )


def _query_url(url: URL) -> URL:
    return url.with_path(url.path.rstrip("/") + "/api/v1/query").with_query(url.query)


KIND = EachTarget(probe_prometheus)
