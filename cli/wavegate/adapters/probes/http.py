"""The probe `http`: asks once, over a new connection, and reads no more of the answer than it looks at.

- Proxies of the environment (and ~/.netrc) are not used: a probe asks the host itself, and a proxy's error
  must not be taken for the host's.
- Redirects are followed on the same host only, never from https to http, five at most; a redirect whose
  status is wanted is the answer.
- The body is read up to 1 MiB. The timeout covers all of it: name, connection, answer, body, redirects.
- The value is the seconds from the question to the last byte read.

Import this module late: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from wavegate.adapters.probes.network import resolve, show_address, trouble_of
from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_number,
    read_table,
    read_text,
)
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.judgement_http import BODY_LIMIT, HttpAnswer, HttpExpectation, judge_http

REDIRECT_LIMIT = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    url: URL
    method: str
    headers: Mapping[str, str]
    verify_tls: bool
    expected: HttpExpectation

    @property
    def where(self) -> str:
        """The address without path, query and password: what a sentence may show."""
        return show_address(str(self.url.host), self.url.port)


class _RedirectError(Exception):
    """The service sent us where a probe does not go."""

    def __init__(self, trouble: Trouble, more: str) -> None:
        super().__init__(more)
        self.trouble = trouble
        self.more = more


@dataclass(slots=True)
class _Walk:
    """How far a question got, so that a timeout says what it waited for."""

    slow: Trouble = Trouble.NOT_ACCEPTED


async def probe_http(_target: str, settings: Mapping[str, Any], timeout: float) -> Judgement:
    """Ask once and judge the answer, or what came instead of one."""
    question, walk = _read_question(settings), _Walk()
    try:
        async with asyncio.timeout(timeout):
            answer = await _ask(question, walk)
    except TimeoutError:
        return judge_trouble(walk.slow, question.where, seconds_text(timeout))
    except _RedirectError as error:
        return judge_trouble(error.trouble, question.where, error.more)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return judge_trouble(_trouble_of(error), question.where, _reason(error))
    return judge_http(question.expected, answer)


def _read_question(settings: Mapping[str, Any]) -> _Question:
    return _Question(
        url=_read_url(read_text(settings, "url")),
        method=str(settings.get("method") or "GET").upper(),
        headers={key: str(value) for key, value in read_table(settings, "headers").items()},
        verify_tls=bool(settings.get("verify_tls", True)),
        expected=HttpExpectation(
            statuses=_read_statuses(settings.get("status", [200])),
            values=read_table(settings, "json"),
            text=str(settings.get("body") or "") or None,
            max_latency=read_number(settings, "max_latency"),
        ),
    )


def _read_url(text: str) -> URL:
    """Return the URL; its text stays out of messages, because it may hold a password."""
    try:
        url = URL(text)
        host, _ = url.host, url.port
    except ValueError:
        raise UnusableSettingsError("the url is not a proper one") from None
    if url.scheme not in {"http", "https"}:
        raise UnusableSettingsError(f'the url\'s scheme is "{url.scheme}", wanted http or https')
    if not host:
        raise UnusableSettingsError("the url names no host")
    return url


def _read_statuses(value: Any) -> tuple[int, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    try:
        statuses = tuple(int(item) for item in items)
    except (TypeError, ValueError):
        statuses = ()
    if not statuses:
        raise UnusableSettingsError(f'status is "{value}", wanted numbers like 200')
    return statuses


async def _ask(question: _Question, walk: _Walk) -> HttpAnswer:
    start = time.perf_counter()
    connector = aiohttp.TCPConnector(force_close=True, use_dns_cache=False, resolver=_Resolver())
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        headers={"User-Agent": "wavegate", "Accept-Encoding": "identity"},
        auto_decompress=False,  # a small answer must not unfold into a large one
        trust_env=False,
        trace_configs=[_trace(walk)],
    ) as session:
        return await _follow(session, question, walk, start)


async def _follow(
    session: aiohttp.ClientSession, question: _Question, walk: _Walk, start: float
) -> HttpAnswer:
    url, method = question.url, question.method
    for _ in range(REDIRECT_LIMIT + 1):
        async with session.request(
            method, url, headers=question.headers, allow_redirects=False, ssl=question.verify_tls
        ) as response:
            walk.slow = Trouble.NOT_FINISHED
            location = response.headers.get("Location")
            wanted = response.status in question.expected.statuses
            if response.status not in _REDIRECTS or location is None or wanted:
                return await _read_answer(response, start)
            response.close()
        url = _redirect(url, location)
        method = method if response.status in {307, 308} or method == "HEAD" else "GET"
    raise _RedirectError(Trouble.REDIRECTED_TOO_OFTEN, str(REDIRECT_LIMIT))


def _redirect(url: URL, location: str) -> URL:
    """Return where the redirect leads; raise _RedirectError when a probe does not go there."""
    try:
        target = url.join(URL(location))
    except ValueError:
        raise _RedirectError(Trouble.REDIRECTED_AWAY, "an address that is not a proper one") from None
    if target.host != url.host:
        raise _RedirectError(
            Trouble.REDIRECTED_AWAY, f"another host, {target.host or 'which it does not name'}"
        )
    if target.scheme not in {url.scheme, "https"}:
        raise _RedirectError(Trouble.REDIRECTED_AWAY, f"the scheme {target.scheme}")
    return target


async def _read_answer(response: aiohttp.ClientResponse, start: float) -> HttpAnswer:
    body, whole = bytearray(), True
    while chunk := await response.content.readany():
        body += chunk
        if len(body) > BODY_LIMIT:
            whole = False
            response.close()
            break
    encoding = response.headers.get("Content-Encoding", "").lower()
    return HttpAnswer(
        status=response.status,
        body=bytes(body[:BODY_LIMIT]),
        seconds=time.perf_counter() - start,
        whole=whole,
        charset=response.charset or "utf-8",
        encoding="" if encoding == "identity" else encoding,
    )


def _trouble_of(error: Exception) -> Trouble:
    kinds: tuple[tuple[type[Exception], Trouble], ...] = (
        (aiohttp.ClientConnectorDNSError, Trouble.UNRESOLVED),
        (aiohttp.ClientConnectorCertificateError, Trouble.CERTIFICATE),
        (aiohttp.ClientSSLError, Trouble.HANDSHAKE),
        (aiohttp.ClientPayloadError, Trouble.BROKEN_OFF),
        (aiohttp.ClientResponseError, Trouble.NOT_HTTP),
        (aiohttp.ServerDisconnectedError, Trouble.RESET),
        (ValueError, Trouble.UNUSABLE),
    )
    for kind, trouble in kinds:
        if isinstance(error, kind):
            return trouble
    return trouble_of(error) if isinstance(error, OSError) else Trouble.UNEXPECTED


def _reason(error: Exception) -> str:
    """Return what the error says, without the question's headers and address, which aiohttp adds to some."""
    if isinstance(error, aiohttp.ClientResponseError):
        return error.message.partition("\n")[0]
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return getattr(error.certificate_error, "verify_message", "") or "it cannot be verified"
    if isinstance(error, aiohttp.ClientConnectorError):
        return str(error.os_error.strerror or error.os_error)
    return "the url is not a proper one" if isinstance(error, aiohttp.InvalidURL) else str(error)


def _trace(walk: _Walk) -> aiohttp.TraceConfig:
    config = aiohttp.TraceConfig()

    def note(trouble: Trouble) -> Any:
        async def step(*_: Any) -> None:
            walk.slow = trouble

        return step

    config.on_connection_create_start.append(note(Trouble.NOT_ACCEPTED))
    config.on_dns_resolvehost_start.append(note(Trouble.RESOLVING))
    config.on_dns_resolvehost_end.append(note(Trouble.NOT_ACCEPTED))
    config.on_connection_create_end.append(note(Trouble.NOT_ANSWERED))
    return config


class _Resolver(AbstractResolver):
    """Resolves in daemon threads, so that a dead name server blocks nobody."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of the name; raise OSError."""
        return [
            ResolveResult(
                hostname=host, host=place[0], port=port, family=found, proto=0, flags=socket.AI_NUMERICHOST
            )
            for found, place in await resolve(host, port)
            if family in {socket.AF_UNSPEC, found}
        ]

    async def close(self) -> None:
        """Nothing to give back."""
