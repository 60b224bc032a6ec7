"""The probe `tcp`: does a port accept connections? Sends nothing."""

from __future__ import annotations

import asyncio
import time

from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.network import (
    UnresolvableError,
    connect_to_any,
    resolve,
    show_address,
    trouble_of,
)
from wavegate.adapters.probes.settings import read_text, read_whole
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.outcomes import Reading
from wavegate.extensions import Occasion


async def probe_tcp(occasion: Occasion) -> Judgement:
    """Connect once; the value is the seconds until the connection stood (the name's resolving left out)."""
    host, port = read_text(occasion.settings, "host"), read_whole(occasion.settings, "port", 1, 65535)
    timeout = occasion.timeout
    where, slow = show_address(host, port), Trouble.RESOLVING
    try:
        async with asyncio.timeout(timeout):
            addresses = await resolve(host, port)
            slow, start = Trouble.NOT_ACCEPTED, time.perf_counter()
            connection = await connect_to_any(addresses)
            seconds = time.perf_counter() - start
            connection.close()
    except TimeoutError:
        return judge_trouble(slow, where, seconds_text(timeout))
    except UnresolvableError as error:
        return judge_trouble(Trouble.UNRESOLVED, where, str(error))
    except OSError as error:
        return judge_trouble(trouble_of(error), where, str(error.strerror))
    return Judgement(Reading.GOOD, f"{where} accepted a connection in {seconds_text(seconds)}", seconds)


KIND = EachTarget(probe_tcp)
