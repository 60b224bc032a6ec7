"""Names and connections, as the kinds that speak to a network address share them."""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Any

from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import TROUBLES, Trouble
from wavegate.core.outcomes import Reading

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]

_TROUBLE_OF = {
    errno.ECONNREFUSED: Trouble.REFUSED,
    errno.ECONNRESET: Trouble.RESET,
    errno.ECONNABORTED: Trouble.RESET,
    errno.EPIPE: Trouble.RESET,
    errno.ETIMEDOUT: Trouble.HOST_GONE,
    errno.EHOSTUNREACH: Trouble.HOST_GONE,
    errno.EHOSTDOWN: Trouble.HOST_GONE,
    errno.ENETUNREACH: Trouble.NO_NETWORK,
    errno.ENETDOWN: Trouble.NO_NETWORK,
}


class UnresolvableError(OSError):
    """A name that stands for no address."""


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a name (or of an address itself); raise UnresolvableError."""
    try:
        call = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = call() if _is_address(host) else await run_beside(call, f"resolve {host}")
    except (OSError, UnicodeError) as error:
        raise UnresolvableError(getattr(error, "strerror", None) or "not a proper name") from error
    return [(socket.AddressFamily(family), place) for family, _, _, _, place in found]  # type: ignore[misc]


def show_address(host: str, port: int | None) -> str:
    """Return host and port as people write them (`web1:80`, `[::1]:80`)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def trouble_of(error: OSError) -> Trouble:
    """Return which trouble the error is: what any address of the host did wins over what kept us away."""
    # Tried at several addresses with different ends, aiohttp's error has no number, only a text of all.
    numbers = [error.errno] if error.errno else map(int, re.findall(r"\[Errno (\d+)\]", str(error)))
    troubles = [_TROUBLE_OF.get(number, Trouble.OWN_LIMIT) for number in numbers] or [Trouble.OWN_LIMIT]
    return min(troubles, key=lambda trouble: TROUBLES[trouble][0] is not Reading.BAD)


async def connect_to_any(addresses: Sequence[Address]) -> socket.socket:
    """Return a connection to the first address that accepts; raise the OSError that tells most.

    Whoever gets the connection closes it.
    """
    attempts = [asyncio.create_task(_connect(*address)) for address in addresses]
    errors: list[OSError] = []
    chosen: socket.socket | None = None
    try:
        for attempt in asyncio.as_completed(attempts):
            try:
                chosen = await attempt
            except OSError as error:
                errors.append(error)
            else:
                return chosen
    finally:
        await _give_up(attempts, chosen)
    raise min(errors, key=lambda error: trouble_of(error) in {Trouble.NO_NETWORK, Trouble.OWN_LIMIT})


async def _give_up(attempts: Sequence[asyncio.Task[socket.socket]], chosen: socket.socket | None) -> None:
    """End the attempts that are left, and close every connection but the chosen one."""
    for task in attempts:
        task.cancel()
    for ended in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(ended, socket.socket) and ended is not chosen:
            ended.close()


async def _connect(family: socket.AddressFamily, place: Any) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)  # noqa: FBT003 - the socket's own way to say so
        await asyncio.get_running_loop().sock_connect(connection, place)
    except BaseException:
        connection.close()
        raise
    return connection
