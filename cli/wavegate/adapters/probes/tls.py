"""The probe `tls`: does a service show a certificate that holds, and for how long yet? Sends nothing else."""

from __future__ import annotations

import asyncio
import ssl
import time

from wavegate.adapters.probes.certificates import read_tls
from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.network import (
    UnresolvableError,
    connect_to_any,
    resolve,
    show_address,
    trouble_of,
)
from wavegate.adapters.probes.settings import UnusableSettingsError, read_number, read_text, read_whole
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.judgement_tls import judge_expiry
from wavegate.extensions import Occasion

_LONGER = 366 * 86400.0
"""Seconds, more than any timeout: asyncio's own limit of a minute must not be what ends a handshake."""


async def probe_tls(occasion: Occasion) -> Judgement:
    """Make one handshake; a certificate that does not hold is bad, with OpenSSL's reason."""
    settings, timeout = occasion.settings, occasion.timeout
    host, port = read_text(settings, "host"), read_whole({"port": 443, **settings}, "port", 1, 65535)
    name = str(settings.get("server_name") or "").strip() or host
    valid_for = read_number(settings, "valid_for") or 0.0
    context = read_tls({**settings, "verify_tls": True}, occasion.folder).context()
    where, walk = show_address(host, port), [Trouble.RESOLVING]
    try:
        async with asyncio.timeout(timeout):
            certificate = await _fetch(host, port, name, context, walk)
    except TimeoutError:
        return judge_trouble(walk[-1], where, seconds_text(timeout))
    except UnresolvableError as error:
        return judge_trouble(Trouble.UNRESOLVED, where, str(error))
    except ssl.SSLCertVerificationError as error:
        return judge_trouble(Trouble.CERTIFICATE, where, error.verify_message or str(error))
    except ssl.SSLError as error:
        return judge_trouble(Trouble.HANDSHAKE, where, error.reason or str(error))
    except OSError as error:
        return judge_trouble(trouble_of(error), where, str(error.strerror))
    shown = where if name == host else f"{where} for {name}"
    return judge_expiry(shown, ssl.cert_time_to_seconds(certificate), time.time(), valid_for)


async def _fetch(host: str, port: int, name: str, context: ssl.SSLContext, walk: list[Trouble]) -> str:
    """Return the end of the certificate's time, as OpenSSL writes it; `walk` grows with each step."""
    addresses = await resolve(host, port)
    walk.append(Trouble.NOT_ACCEPTED)
    connection = await connect_to_any(addresses)
    walk.append(Trouble.NOT_ANSWERED)
    try:
        _, writer = await asyncio.open_connection(
            sock=connection, ssl=context, server_hostname=name, ssl_handshake_timeout=_LONGER
        )
    except ssl.SSLError:  # of which some are ValueErrors too
        connection.close()
        raise
    except ValueError:
        connection.close()
        raise UnusableSettingsError(f'server_name "{name}" is not a proper name') from None
    except BaseException:
        connection.close()
        raise
    try:
        shown = writer.get_extra_info("peercert")
        return str(shown["notAfter"])
    finally:
        writer.transport.abort()


KIND = EachTarget(probe_tls)
