"""The probe `webhook`: asks a service whether it may go on, by Flagger's small contract.

A POST of JSON; any 2xx is yes, any other answer is no. A service that does not answer has not said no: that
is an error, which holds the rollout for a person instead of taking a change back because of a dead service.
Import this module late: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

import json
from typing import Any

from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.settings import read_table
from wavegate.adapters.probes.web import WebTroubleError, ask_web
from wavegate.adapters.probes.web_settings import read_headers, read_web_question
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_http import judge_webhook
from wavegate.extensions import Occasion


async def probe_webhook(occasion: Occasion) -> Judgement:
    """Ask once; redirects are answers, and no yes."""
    question = read_web_question(
        occasion,
        method="POST",
        headers={**read_headers(occasion.settings), "Content-Type": "application/json"},
        body=json.dumps(payload(occasion), ensure_ascii=False).encode(),
        redirects=0,
    )
    try:
        answer = await ask_web(question, occasion.timeout)
    except WebTroubleError as error:
        return error.as_error()
    return judge_webhook(answer)


def payload(occasion: Occasion) -> dict[str, Any]:
    """Return what the service is told; `phase` is before, after or rollback; "" outside of one."""
    return {
        "name": occasion.rollout,
        "phase": occasion.side,
        "wave": occasion.wave,
        "probe": occasion.probe,
        "host": occasion.target,
        "number": occasion.number,
        "metadata": {key: str(value) for key, value in read_table(occasion.settings, "metadata").items()},
    }


KIND = EachTarget(probe_webhook)
