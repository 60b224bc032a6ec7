"""The probe `tcp`: does a port accept connections? Sends nothing."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Any

from wavegate.adapters.probes.network import Address, UnresolvableError, resolve, show_address, trouble_of
from wavegate.adapters.probes.settings import read_text, read_whole
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.outcomes import Reading


async def probe_tcp(_target: str, settings: Mapping[str, Any], timeout: float) -> Judgement:
    """Connect once; the value is the seconds until the connection stood (the name's resolving left out)."""
    host, port = read_text(settings, "host"), read_whole(settings, "port", 1, 65535)
    where, slow = show_address(host, port), Trouble.RESOLVING
    try:
        async with asyncio.timeout(timeout):
            addresses = await resolve(host, port)
            slow, start = Trouble.NOT_ACCEPTED, time.perf_counter()
            await _connect_to_any(addresses)
            seconds = time.perf_counter() - start
    except TimeoutError:
        return judge_trouble(slow, where, seconds_text(timeout))
    except UnresolvableError as error:
        return judge_trouble(Trouble.UNRESOLVED, where, str(error))
    except OSError as error:
        return judge_trouble(trouble_of(error), where, str(error.strerror))
    return Judgement(Reading.GOOD, f"{where} accepted a connection in {seconds_text(seconds)}", seconds)


async def _connect_to_any(addresses: list[Address]) -> None:
    """Return when one address accepted; raise the error that tells most when none did."""
    attempts = [asyncio.create_task(_connect(*address)) for address in addresses]
    errors: list[OSError] = []
    try:
        for attempt in asyncio.as_completed(attempts):
            try:
                return await attempt
            except OSError as error:
                errors.append(error)
    finally:
        for task in attempts:
            task.cancel()
        await asyncio.gather(*attempts, return_exceptions=True)
    raise min(errors, key=lambda error: trouble_of(error) in {Trouble.NO_NETWORK, Trouble.OWN_LIMIT})


async def _connect(family: socket.AddressFamily, place: Any) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connection, place)
