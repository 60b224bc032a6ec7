"""Real HTTP servers for the probe tests, also over TLS, and certificates of an authority of our own."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import trustme
from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebServer:
    """An aiohttp application in a thread of its own."""

    def __init__(self, routes: Mapping[str, Handler], context: ssl.SSLContext | None = None) -> None:
        self.application = web.Application()
        for path, handler in routes.items():
            self.application.router.add_route("*", path, handler)
        self.context = context
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = web.AppRunner(self.application, handler_cancellation=True, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.context)
        self._loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


@contextlib.contextmanager
def serving(routes: Mapping[str, Handler], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve the paths on a port of 127.0.0.1."""
    server = WebServer(routes, context)
    try:
        yield server.port
    finally:
        server.close()


@dataclass(frozen=True)
class Authority:
    """An authority whose files lie in a folder."""

    folder: Path

    @cached_property
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @cached_property
    def ca_file(self) -> str:
        path = self.folder / "ca.pem"
        self.authority.cert_pem.write_to_path(path)
        return str(path)

    def certificate(self, *names: str, days: float = 30) -> trustme.LeafCert:
        return self.authority.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=days))

    def server(self, *names: str, days: float = 30, wants_client: bool = False) -> ssl.SSLContext:
        """Return the context of a server with a certificate for the names."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.certificate(*names, days=days).configure_cert(context)
        if wants_client:
            self.authority.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def files(self, name: str, *names: str) -> tuple[str, str]:
        """Write a certificate and its key into files of their own."""
        made = self.certificate(*names)
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(key)
        return str(certificate), str(key)


def says(text: str, status: int = 200, **headers: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status, headers=headers)

    return handler


def sends(status: int, location: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"Location": location})

    return handler


async def echo(request: web.Request) -> web.Response:
    """Tell what was asked: method, headers and body."""
    body = await request.text()
    headers = {name.lower(): value for name, value in request.headers.items()}
    return web.json_response(
        {"method": request.method, "headers": headers, "body": body}, headers={"X-Version": "1.1"}
    )
