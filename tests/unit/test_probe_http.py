"""The http probe against real servers, well and ill behaved."""

from __future__ import annotations

import asyncio
import gzip
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
import tracemalloc

import pytest
from aiohttp import web

from tests.unit.probe_tools import (
    drips,
    drips_headers,
    free_port,
    measure_all,
    measure_one,
    raw_server,
    resets,
    says,
    stays_silent,
)
from wavegate.adapters.probes import network
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def http(url, **more):
    return {"url": url, "status": [200], **more}


async def _healthz(request):
    return web.json_response({"version": "1.1", "state": {"database": "ok"}, "workers": 3})


async def _endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x" * 65536)


async def _slow(request):
    await asyncio.sleep(0.2)
    return web.Response(text="slow")


async def _echo(request):
    return web.json_response({"method": request.method, "token": request.headers.get("X-Token", "")})


async def _bomb(request):
    packed = gzip.compress(b"x" * 50_000_000)
    return web.Response(body=packed, headers={"Content-Encoding": "gzip"})


def _says(text, status=200):
    async def handler(request):
        return web.Response(text=text, status=status)

    return handler


def _sends(status, location):
    async def handler(request):
        return web.Response(status=status, headers={"Location": location})

    return handler


def _application():
    app = web.Application()
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/endless", _endless)
    app.router.add_get("/slow", _slow)
    app.router.add_route("*", "/echo", _echo)
    app.router.add_get("/bomb", _bomb)
    app.router.add_get("/text", _says("<html>it is up</html>"))
    app.router.add_get("/ill", _says("down", 503))
    app.router.add_get("/to-plain", _to_plain)
    app.router.add_get("/to-healthz", _sends(302, "/healthz"))
    app.router.add_get("/loop", _sends(302, "/loop"))
    app.router.add_get("/elsewhere", _sends(302, "http://other.example/healthz"))
    app.router.add_get("/to-file", _sends(302, "file:///etc/passwd"))
    app.router.add_get("/to-nonsense", _sends(302, "http://[broken"))
    app.router.add_post("/moved", _sends(307, "/echo"))
    app.router.add_post("/see-other", _sends(303, "/echo"))
    return app


async def _to_plain(request):
    return web.Response(status=301, headers={"Location": f"http://{request.host}/healthz"})


class Server:
    """An aiohttp server in a thread."""

    def __init__(self, context=None):
        self.loop = asyncio.new_event_loop()
        self.context = context
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def serve(self):
        asyncio.set_event_loop(self.loop)
        runner = web.AppRunner(_application(), handler_cancellation=True, shutdown_timeout=0.1)
        self.loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self.context)
        self.loop.run_until_complete(site.start())
        self.port = runner.addresses[0][1]
        self.ready.set()
        self.loop.run_forever()
        self.loop.run_until_complete(runner.cleanup())
        self.loop.close()

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


@pytest.fixture(scope="module")
def base(server):
    return f"http://127.0.0.1:{server.port}"


@pytest.fixture(scope="module")
def secure_base(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("no openssl on this machine to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=web1"]
    subprocess.run([*words, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    made = Server(context)
    yield f"https://127.0.0.1:{made.port}"
    made.close()


WELL_BEHAVED = [
    ("healthy", "/healthz", {}, GOOD, "answered 200 in "),
    ("version as wanted", "/healthz", {"json": {"version": "1.1"}}, GOOD, "answered 200"),
    ("number written by a template", "/healthz", {"json": {"workers": "3"}}, GOOD, "answered 200"),
    ("other version", "/healthz", {"json": {"version": "1.0"}}, BAD, 'json version is "1.1", wanted "1.0"'),
    (
        "path not there",
        "/healthz",
        {"json": {"state.cache": "ok"}},
        BAD,
        'json state.cache: there is no "cache" in "state", wanted "ok"',
    ),
    ("not json", "/text", {"json": {"version": "1.1"}}, BAD, "the body is not valid JSON"),
    ("text", "/text", {"body": "it is up"}, GOOD, "answered 200"),
    ("other text", "/text", {"body": "it is down"}, BAD, '"it is down" is not in the body'),
    ("ill", "/ill", {}, BAD, "answered 503, wanted 200"),
    ("ill as wanted", "/ill", {"status": [503]}, GOOD, "answered 503"),
    ("a method", "/echo", {"method": "post", "json": {"method": "POST"}}, GOOD, "answered 200"),
    ("headers", "/echo", {"headers": {"X-Token": 7}, "json": {"token": "7"}}, GOOD, "answered 200"),
    ("too slow", "/slow", {"max_latency": 0.05}, BAD, "wanted at most 0.05 s"),
    ("fast enough", "/slow", {"max_latency": "4"}, GOOD, "answered 200"),
    ("same host redirect", "/to-healthz", {"json": {"version": "1.1"}}, GOOD, "answered 200"),
    ("redirect that is wanted", "/to-healthz", {"status": [302]}, GOOD, "answered 302"),
    ("redirect to another host", "/elsewhere", {}, BAD, "redirects to another host, other.example"),
    ("redirect to another scheme", "/to-file", {}, BAD, "redirects to another host"),
    ("redirect to nonsense", "/to-nonsense", {}, BAD, "redirects to an address that is not a proper one"),
    ("redirects without end", "/loop", {}, BAD, "redirects more than 5 times"),
    ("307 keeps the method", "/moved", {"method": "POST", "json": {"method": "POST"}}, GOOD, "answered 200"),
    ("303 asks with GET", "/see-other", {"method": "POST", "json": {"method": "GET"}}, GOOD, "answered 200"),
    ("endless body nobody asked about", "/endless", {}, GOOD, "answered 200"),
    ("endless body, text wanted", "/endless", {"body": "up"}, BAD, "not in the first MiB"),
    ("endless body, json wanted", "/endless", {"json": {"a": 1}}, BAD, "longer than 1048576 bytes"),
    ("packed body nobody asked about", "/bomb", {}, GOOD, "answered 200"),
    ("packed body, no text wanted", "/bomb", {"body": "", "json": {}}, GOOD, "answered 200"),
    ("packed body, text wanted", "/bomb", {"body": "up"}, BAD, "in the encoding gzip"),
]


@pytest.mark.parametrize(
    ("path", "wanted", "reading", "detail"), [c[1:] for c in WELL_BEHAVED], ids=[c[0] for c in WELL_BEHAVED]
)
def test_an_answer_is_measured(base, path, wanted, reading, detail):
    measurement = measure_one("http", http(base + path, **wanted))
    assert (measurement.target, measurement.reading) == ("web1", reading), measurement.detail
    assert detail in measurement.detail


def test_the_value_is_the_latency_in_seconds(base):
    assert 0.2 <= measure_one("http", http(f"{base}/slow")).value < 4


UNUSABLE = [
    ("file:///etc/passwd", 'scheme is "file", wanted http or https'),
    ("ftp://127.0.0.1/x", 'scheme is "ftp", wanted http or https'),
    ("gopher://s3cret@127.0.0.1/x", 'scheme is "gopher"'),
    ("127.0.0.1:80/healthz", "wanted http or https"),
    ("http://", "names no host"),
    ("http://[broken/", "not a proper one"),
    ("http://web1:99999/", "not a proper one"),
    ("  ", "wanted a text"),
    (None, "wanted a text"),
]


@pytest.mark.parametrize(("url", "detail"), UNUSABLE)
def test_a_url_that_makes_no_sense_measures_nothing(url, detail):
    measurement = measure_one("http", http(url))
    assert measurement.reading is ERROR
    assert detail in measurement.detail
    assert "s3cret" not in measurement.detail


@pytest.mark.parametrize(
    "wanted",
    [
        {"status": []},
        {"status": ["ok"]},
        {"max_latency": "soon"},
        {"json": "x"},
        {"headers": {"X-A": "a\r\nb"}},
    ],
)
def test_settings_that_make_no_sense_measure_nothing(base, wanted):
    measurement = measure_one("http", http(f"{base}/healthz", **wanted))
    assert measurement.reading is ERROR
    assert "cannot be measured with these settings" in measurement.detail


HEAD = b"HTTP/1.1 200 OK\r\n"
ILL_BEHAVED = [
    ("says nothing", stays_silent, "accepted the connection and did not answer within 0.5 s"),
    ("drips its headers", drips_headers, "accepted the connection and did not answer within 0.5 s"),
    ("drips its body", drips, "began to answer and did not finish within 0.5 s"),
    ("resets", resets, "closed the connection without an answer"),
    ("hangs up", says(b""), "closed the connection without an answer"),
    ("breaks off", says(HEAD + b"Content-Length: 100\r\n\r\nhalf"), "broke off its answer"),
    ("is no web server", says(b"220 mail ready\r\n"), "is not proper HTTP"),
    ("has a huge header", says(HEAD + b"X-Huge: " + b"x" * 100_000 + b"\r\n\r\n"), "is not proper HTTP"),
    ("has endless headers", says(HEAD + b"X-A: b\r\n" * 100_000), "is not proper HTTP"),
]


@pytest.mark.parametrize(("talk", "detail"), [c[1:] for c in ILL_BEHAVED], ids=[c[0] for c in ILL_BEHAVED])
def test_a_service_that_answers_badly_is_bad_within_its_time(talk, detail):
    with raw_server(talk) as port:
        start = time.monotonic()
        measurement = measure_one("http", http(f"http://127.0.0.1:{port}/"), timeout=0.5)
        assert time.monotonic() - start < 3
    assert measurement.reading is BAD, measurement.detail
    assert detail in measurement.detail


def test_a_port_nobody_listens_on_is_bad():
    port = free_port()
    measurement = measure_one("http", http(f"http://127.0.0.1:{port}/"))
    assert (measurement.reading, measurement.detail) == (BAD, f"127.0.0.1:{port} refuses the connection")


def test_a_name_that_cannot_be_resolved_measures_nothing():
    measurement = measure_one("http", http("http://nobody.invalid/"))
    assert measurement.reading is ERROR
    assert "the name of nobody.invalid:80 cannot be resolved" in measurement.detail


def test_a_name_server_that_hangs_measures_nothing_and_delays_nobody(base, monkeypatch):
    over, real = threading.Event(), socket.getaddrinfo

    def hangs(host, *rest, **more):
        if host == "slow.example":
            over.wait(20)
        return real(host, *rest, **more)

    monkeypatch.setattr(network.socket, "getaddrinfo", hangs)
    rendered = {f"slow{n}": http("http://slow.example/") for n in range(40)} | {
        "web1": http(f"{base}/healthz")
    }
    start = time.monotonic()
    measurements = measure_all("http", rendered, timeout=0.5)
    over.set()
    assert time.monotonic() - start < 3
    assert measurements[-1].reading is GOOD
    assert {m.reading for m in measurements[:-1]} == {ERROR}
    assert measurements[0].detail == "the name of slow.example:80 was not resolved within 0.5 s"


def test_a_name_works_as_well_as_an_address(server):
    assert measure_one("http", http(f"http://localhost:{server.port}/healthz")).reading is GOOD


def test_a_certificate_that_does_not_hold_is_bad(secure_base):
    measurement = measure_one("http", http(f"{secure_base}/healthz", verify_tls=True))
    assert measurement.reading is BAD
    assert "presents a certificate that does not hold: self" in measurement.detail


def test_a_certificate_that_nobody_wants_verified_is_not_looked_at(secure_base):
    assert measure_one("http", http(f"{secure_base}/healthz", verify_tls=False)).reading is GOOD


def test_a_service_that_speaks_no_tls_is_bad(base):
    measurement = measure_one("http", http(base.replace("http:", "https:") + "/healthz"))
    assert measurement.reading is BAD
    assert "makes no TLS handshake" in measurement.detail


def test_a_redirect_from_https_to_http_is_not_followed(secure_base):
    measurement = measure_one("http", http(f"{secure_base}/to-plain", verify_tls=False))
    assert measurement.reading is BAD
    assert "redirects to the scheme http" in measurement.detail


def test_proxies_of_the_environment_are_not_asked(base, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    assert measure_one("http", http(f"{base}/healthz")).reading is GOOD


def test_endless_answers_of_many_hosts_cost_little_memory(base):
    rendered = {f"web{n}": http(f"{base}/endless") for n in range(20)}
    tracemalloc.start()
    measurements = measure_all("http", rendered)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert {m.reading for m in measurements} == {GOOD}
    assert peak < 120 * 1024 * 1024


def test_a_secret_in_an_answer_is_redacted_before_it_is_cut():
    secret = "hunter2-" * 80
    body = json.dumps({"version": f'say "hi" {secret}'}).encode()
    answer = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with raw_server(says(answer)) as port:
        measurement = measure_one(
            "http",
            http(f"http://127.0.0.1:{port}/", json={"version": "1.1"}),
            redact=lambda text: text.replace(secret, "***"),
        )
    assert measurement.detail == 'json version is "say "hi" ***", wanted "1.1"'


def test_a_password_in_the_url_is_not_shown():
    measurement = measure_one("http", http(f"http://me:s3cret@127.0.0.1:{free_port()}/?token=s3cret"))
    assert measurement.reading is BAD
    assert "s3cret" not in measurement.detail
