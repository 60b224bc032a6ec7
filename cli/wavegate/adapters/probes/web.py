"""One question over HTTP, over a new connection, bounded in size and time; used by several kinds.

- Proxies of the environment (and ~/.netrc) are not used: a probe asks the host itself, and a proxy's error
  must not be taken for the host's.
- Redirects are followed on the same host and to hosts that are allowed by name, never from https to http.
  What could be a secret (headers, authorization, client certificate) goes to the first origin only.
- The body is read up to 1 MiB. The timeout covers all of it: name, connection, answer, body, redirects.

Import this module late: aiohttp costs a quarter of a second.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Struct, field
from yarl import URL

from wavegate.adapters.probes.certificates import Tls
from wavegate.adapters.probes.network import resolve, show_address, trouble_of
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.judgement_http import BODY_LIMIT, HttpAnswer
from wavegate.core.outcomes import Reading

REDIRECT_LIMIT = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})


class WebQuestion(Struct, frozen=True, kw_only=True):
    """What is asked; a redirect whose status is `wanted` is the answer, and so is any with no `redirects`."""

    url: URL
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str = ""
    body: bytes | None = None
    tls: Tls = field(default_factory=Tls)
    redirects: int = REDIRECT_LIMIT
    redirect_hosts: frozenset[str] = frozenset()
    wanted: frozenset[int] = frozenset()

    @property
    def where(self) -> str:
        """The address without path, query and password: what a sentence may show."""
        return show_address(str(self.url.host), self.url.port)


class WebTroubleError(Exception):
    """What came instead of an answer."""

    def __init__(self, trouble: Trouble, where: str, more: str) -> None:
        super().__init__(more)
        self.trouble, self.where, self.more = trouble, where, more

    def judge(self) -> Judgement:
        """Return what it means where the service that was asked is what is measured."""
        return judge_trouble(self.trouble, self.where, self.more)

    def as_error(self) -> Judgement:
        """Return what it means where the service only tells about something else: nothing was measured."""
        return Judgement(Reading.ERROR, self.judge().detail)


class _RedirectError(Exception):
    """The service sent us where a probe does not go."""

    def __init__(self, trouble: Trouble, more: str) -> None:
        super().__init__(more)
        self.trouble = trouble
        self.more = more


class _Walk(Struct):
    """How far a question got, so that a timeout says what it waited for."""

    slow: Trouble = Trouble.NOT_ACCEPTED


async def ask_web(question: WebQuestion, timeout: float) -> HttpAnswer:
    """Return the answer within `timeout` seconds; raise WebTroubleError when there is none."""
    walk = _Walk()
    try:
        async with asyncio.timeout(timeout):
            return await _ask(question, walk)
    except TimeoutError:
        raise WebTroubleError(walk.slow, question.where, seconds_text(timeout)) from None
    except _RedirectError as error:
        raise WebTroubleError(error.trouble, question.where, error.more) from error
    except UnusableSettingsError:
        raise
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise WebTroubleError(_trouble_of(error), question.where, _reason(error)) from error


def read_url(text: str) -> URL:
    """Return the URL; its text stays out of messages, because it may hold a password.

    A host's variable may have made any scheme of it: nothing but http and https is ever opened.
    """
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


async def _ask(question: WebQuestion, walk: _Walk) -> HttpAnswer:
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
        # aiohttp asks again, unasked, when a connection is closed without an answer: that answer was lost.
        session._retry_connection = False  # noqa: SLF001 - there is no other switch
        return await _follow(session, question, walk, start)


async def _follow(
    session: aiohttp.ClientSession, question: WebQuestion, walk: _Walk, start: float
) -> HttpAnswer:
    url, method, body = question.url, question.method, question.body
    for _ in range(question.redirects + 1):
        async with session.request(
            method,
            url,
            headers=_headers(question, url),
            data=body,
            allow_redirects=False,
            ssl=_tls(question, url),
        ) as response:
            walk.slow = Trouble.NOT_FINISHED
            location = response.headers.get("Location")
            if not _leads_on(question, response.status) or location is None:
                return await _read_answer(response, start)
            response.close()
        url = _redirect(question, url, location)
        if response.status not in _KEEP_METHOD and method != "HEAD":
            method, body = "GET", None
    raise _RedirectError(Trouble.REDIRECTED_TOO_OFTEN, str(question.redirects))


def _leads_on(question: WebQuestion, status: int) -> bool:
    return status in _REDIRECTS and status not in question.wanted and question.redirects > 0


def _headers(question: WebQuestion, url: URL) -> Mapping[str, str]:
    if not _is_own(question, url):
        return {}
    return {
        **question.headers,
        **({"Authorization": question.authorization} if question.authorization else {}),
    }


def _is_own(question: WebQuestion, url: URL) -> bool:
    """Whether what could be a secret may go there: the origin that was asked, or the same host over https."""
    return url.origin() == question.url.origin() or (
        url.host == question.url.host and url.scheme == "https" and url.is_default_port()
    )


def _tls(question: WebQuestion, url: URL) -> Any:
    tls = question.tls if _is_own(question, url) else question.tls.anonymous()
    # aiohttp's own context, made once for all, where nothing is special.
    return tls.verify if url.scheme == "http" or tls == Tls(verify=tls.verify) else tls.context()


def _redirect(question: WebQuestion, url: URL, location: str) -> URL:
    """Return where the redirect leads; raise _RedirectError when a probe does not go there."""
    try:
        target = url.join(URL(location))
    except ValueError:
        raise _RedirectError(Trouble.REDIRECTED_AWAY, "an address that is not a proper one") from None
    allowed = {str(question.url.host), str(url.host), *question.redirect_hosts}
    if target.host is None or target.host not in allowed:
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
        headers=[(name.lower(), value) for name, value in response.headers.items()],
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
    # A refused client certificate comes after the handshake, as an error of the connection.
    if "[SSL" in str(error):
        return Trouble.HANDSHAKE
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
