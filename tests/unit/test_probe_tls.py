"""The tls probe against real servers with certificates of an authority of our own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time

import pytest

from tests.unit.probe_tools import free_port, measure_one, raw_server, stays_silent
from tests.unit.web_servers import Authority
from wavegate.core.judgement_tls import judge_expiry
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR
DAY = 86400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@contextlib.contextmanager
def handshaking(context: ssl.SSLContext):
    """Serve handshakes, and remember for which names."""
    names: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    def talk(connection: socket.socket, over: threading.Event) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(1)

    with raw_server(talk) as port:
        yield port, names


def tls(port, authority, **more):
    return {"host": "127.0.0.1", "port": port, "ca_file": authority.ca_file, **more}


def test_a_certificate_that_holds_is_good_and_says_for_how_long(authority):
    with handshaking(authority.server("127.0.0.1", days=30.5)) as (port, _):
        measurement = measure_one("tls", tls(port, authority, valid_for=14 * DAY))
    assert measurement.reading is GOOD
    assert measurement.detail.startswith(f"the certificate of 127.0.0.1:{port} holds for 30 days (until 2")


def test_one_that_expires_soon_is_bad(authority):
    with handshaking(authority.server("127.0.0.1", days=5.5)) as (port, _):
        assert measure_one("tls", tls(port, authority)).reading is GOOD
        measurement = measure_one("tls", tls(port, authority, valid_for=14 * DAY))
    assert measurement.reading is BAD
    assert "expires in 5 days (2" in measurement.detail
    assert measurement.detail.endswith("wanted at least 14 days")


def test_one_that_has_expired_is_bad_with_the_reason(authority):
    with handshaking(authority.server("127.0.0.1", days=-1)) as (port, _):
        measurement = measure_one("tls", tls(port, authority))
    assert measurement.reading is BAD
    assert "a certificate that does not hold: certificate has expired" in measurement.detail


def test_the_name_is_asked_for_and_must_be_the_certificates(authority):
    with handshaking(authority.server("www.example.org")) as (port, names):
        good = measure_one("tls", tls(port, authority, server_name="www.example.org"))
        bad = measure_one("tls", tls(port, authority, server_name="mail.example.org"))
        address = measure_one("tls", tls(port, authority))
    assert good.reading is GOOD
    assert f"127.0.0.1:{port} for www.example.org" in good.detail
    assert (bad.reading, address.reading) == (BAD, BAD)
    assert "not valid for 'mail.example.org'" in bad.detail
    assert "not valid for '127.0.0.1'" in address.detail
    assert names == ["www.example.org", "mail.example.org", None]


def test_a_chain_that_leads_to_nobody_is_bad(authority, tmp_path):
    with handshaking(authority.server("127.0.0.1")) as (port, _):
        measurement = measure_one("tls", {"host": "127.0.0.1", "port": port})
        other = measure_one("tls", tls(port, Authority(tmp_path)))
    assert (measurement.reading, other.reading) == (BAD, BAD)
    assert "unable to get local issuer certificate" in measurement.detail


def greets(connection, over):
    """Greet as a mail server does."""
    connection.sendall(b"220 mail ready\r\n" * 10)
    connection.recv(1)


def resets(connection, over):
    """Reset the connection at the first byte."""
    connection.recv(1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


NOT_TLS = [
    (stays_silent, "accepted the connection and did not answer within 0.5 s"),
    (greets, "makes no TLS handshake"),
    (resets, "closed the connection without an answer"),
]


@pytest.mark.parametrize(("talk", "detail"), NOT_TLS, ids=["silent", "greets", "resets"])
def test_a_service_that_speaks_no_tls_is_bad_within_its_time(authority, talk, detail):
    with raw_server(talk) as port:
        start = time.monotonic()
        measurement = measure_one("tls", tls(port, authority), timeout=0.5)
        assert time.monotonic() - start < 3
    assert measurement.reading is BAD, measurement.detail
    assert detail in measurement.detail


def test_a_port_nobody_listens_on_is_bad_and_a_name_nobody_knows_an_error(authority):
    port = free_port()
    measurement = measure_one("tls", tls(port, authority))
    assert (measurement.reading, measurement.detail) == (BAD, f"127.0.0.1:{port} refuses the connection")
    assert measure_one("tls", {"host": "nobody.invalid", "port": 443}).reading is ERROR


def test_a_name_that_makes_no_sense_measures_nothing(authority):
    with handshaking(authority.server("127.0.0.1")) as (port, _):
        for name in ("." * 3, "x" * 300, "a..b"):
            measurement = measure_one("tls", tls(port, authority, server_name=name))
            assert measurement.reading is ERROR, measurement.detail
            assert "is not a proper name" in measurement.detail


@pytest.mark.parametrize(
    ("left", "wanted", "reading", "words"),
    [
        (30 * DAY, 30 * DAY, GOOD, "holds for 30 days (until 2026-01-31)"),
        (30 * DAY - 1, 30 * DAY, BAD, "expires in 29 days (2026-01-30), wanted at least 30 days"),
        (47 * 3600, 0, GOOD, "holds for 47 hours"),
        (3700, 2 * 3600, BAD, "expires in 1 hour (2026-01-01), wanted at least 2 hours"),
        (10, 3600, BAD, "expires in less than an hour"),
    ],
)
def test_the_time_that_is_left(left, wanted, reading, words):
    now = 1767225600.0  # 2026-01-01
    judged = judge_expiry("web1:443", now + left, now, wanted)
    assert judged.reading is reading
    assert words in judged.detail
