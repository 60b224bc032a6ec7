"""The http probe's further keys against real servers: bodies, headers, redirects, auth, TLS."""

from __future__ import annotations

import base64
import json
import os

import pytest

from tests.unit.probe_tools import measure_one
from tests.unit.web_servers import Authority, echo, says, sends, serving
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def http(url, **more):
    return {"url": url, "status": [200], **more}


@pytest.fixture(scope="module")
def other():
    """Another service, on another port of the same machine."""
    with serving({"/echo": echo}) as port:
        yield port


@pytest.fixture(scope="module")
def base(other):
    routes = {
        "/echo": echo,
        "/twice": says("x", **{"X-Version": "1.1 "}),
        "/to-echo": sends(302, "/echo"),
        "/to-other-port": sends(307, f"http://127.0.0.1:{other}/echo"),
        "/to-other-host": sends(307, f"http://localhost:{other}/echo"),
        "/to-third": sends(302, "http://third.example/"),
    }
    with serving(routes) as port:
        yield f"http://127.0.0.1:{port}"


AUTH = {"user": "me", "password": "s3cret"}
BASIC = "Basic " + base64.b64encode(b"me:s3cret").decode()
CASES = [
    ("text is sent", "/echo", {"method": "POST", "send": "ping", "json": {"body": "ping"}}, GOOD, "200"),
    (
        "data is sent as JSON",
        "/echo",
        {
            "method": "POST",
            "send": {"a": [1, "ü"]},
            "json": {"body": '{"a": [1, "ü"]}', "headers.content-type": "application/json"},
        },
        GOOD,
        "answered 200",
    ),
    (
        "with a content type of one's own",
        "/echo",
        {
            "method": "PUT",
            "send": {"a": 1},
            "headers": {"content-type": "application/x"},
            "json": {"headers.content-type": "application/x", "method": "PUT"},
        },
        GOOD,
        "answered 200",
    ),
    ("a header that is there", "/echo", {"answer_headers": {"x-VERSION": "1.1"}}, GOOD, "answered 200"),
    ("a header with spaces", "/twice", {"answer_headers": {"X-Version": " 1.1"}}, GOOD, "answered 200"),
    (
        "a header that is another",
        "/echo",
        {"answer_headers": {"X-Version": "1.10"}},
        BAD,
        'header X-Version is "1.1", wanted "1.10"',
    ),
    (
        "a header that is not there",
        "/echo",
        {"answer_headers": {"X-Else": "1"}},
        BAD,
        'there is no header X-Else, wanted "1"',
    ),
    ("basic", "/echo", {"auth": AUTH, "json": {"headers.authorization": BASIC}}, GOOD, "answered 200"),
    (
        "bearer",
        "/echo",
        {"auth": {"token": " t0ken\n"}, "json": {"headers.authorization": "Bearer t0ken"}},
        GOOD,
        "answered 200",
    ),
    ("an empty token", "/echo", {"auth": {"token": "  "}}, ERROR, "auth.token is empty"),
    ("no user", "/echo", {"auth": {"password": "x"}}, ERROR, "auth.user is empty"),
    ("no redirects", "/to-echo", {"redirects": 0}, BAD, "answered 302, wanted 200"),
    ("too many redirects", "/to-echo", {"redirects": 21}, ERROR, "redirects"),
    ("another host", "/to-other-host", {}, BAD, "redirects to another host, localhost"),
    (
        "another host that is allowed",
        "/to-other-host",
        {"redirect_hosts": ["LOCALHOST"], "method": "POST", "send": "x", "json": {"body": "x"}},
        GOOD,
        "answered 200",
    ),
    (
        "and no other",
        "/to-third",
        {"redirect_hosts": ["localhost"]},
        BAD,
        "redirects to another host, third.example",
    ),
]


@pytest.mark.parametrize(
    ("path", "wanted", "reading", "detail"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_key_means_what_is_documented(base, path, wanted, reading, detail):
    measurement = measure_one("http", http(base + path, **wanted))
    assert measurement.reading is reading, measurement.detail
    assert detail in measurement.detail


@pytest.mark.parametrize(
    ("path", "more"),
    [("/to-other-port", {}), ("/to-other-host", {"redirect_hosts": ["localhost"]})],
)
def test_what_could_be_a_secret_is_not_sent_to_whom_it_is_not_for(base, path, more):
    settings = http(base + path, auth=AUTH, headers={"X-Key": "k3y"}, json={"headers.x-key": "k3y"}, **more)
    measurement = measure_one("http", settings)
    assert measurement.reading is BAD
    assert 'there is no "x-key" in "headers"' in measurement.detail
    settings = http(base + path, auth=AUTH, json={"headers.authorization": BASIC}, **more)
    assert 'there is no "authorization" in "headers"' in measure_one("http", settings).detail


def test_on_the_same_origin_they_go_along(base):
    settings = http(f"{base}/to-echo", auth=AUTH, json={"headers.authorization": BASIC})
    assert measure_one("http", settings).reading is GOOD


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def secure(authority):
    with serving({"/echo": echo}, authority.server("localhost", "127.0.0.1")) as port:
        yield port


@pytest.fixture(scope="module")
def guarded(authority):
    """A service that lets nobody in without a certificate."""
    with serving({"/echo": echo}, authority.server("127.0.0.1", wants_client=True)) as port:
        yield f"https://127.0.0.1:{port}/echo"


def test_an_authority_of_ones_own_is_trusted_and_nobody_else(secure, authority, tmp_path):
    url = f"https://localhost:{secure}/echo"
    assert measure_one("http", http(url, ca_file=authority.ca_file)).reading is GOOD
    stranger = Authority(tmp_path).ca_file
    for more in ({}, {"ca_file": stranger}):
        measurement = measure_one("http", http(url, **more))
        assert measurement.reading is BAD
        assert "a certificate that does not hold: unable to get local issuer" in measurement.detail


def test_a_certificate_for_another_name_is_bad(authority):
    with serving({"/echo": echo}, authority.server("www.example.org")) as port:
        measurement = measure_one("http", http(f"https://localhost:{port}/echo", ca_file=authority.ca_file))
    assert measurement.reading is BAD
    assert "Hostname mismatch, certificate is not valid for 'localhost'" in measurement.detail


def test_a_client_certificate_is_shown(guarded, authority):
    certificate, key = authority.files("probe", "probe.example.org")
    trusted = {"ca_file": authority.ca_file}
    shown = http(guarded, client_certificate=certificate, client_key=key, **trusted)
    assert measure_one("http", shown).reading is GOOD
    unverified = http(guarded, client_certificate=certificate, client_key=key, verify_tls=False)
    assert measure_one("http", unverified).reading is GOOD
    measurement = measure_one("http", http(guarded, **trusted))
    assert measurement.reading is BAD  # in TLS 1.3 the refusal comes after the handshake, or as a hang-up
    assert "makes no TLS handshake" in measurement.detail or "closed the connection" in measurement.detail


def test_a_certificate_that_was_renewed_is_read_again(secure, authority, tmp_path):
    file = tmp_path / "ca.pem"
    stranger = Authority(tmp_path / "stranger")
    stranger.folder.mkdir()
    file.write_bytes(open(stranger.ca_file, "rb").read())  # noqa: PTH123, SIM115
    settings = http(f"https://localhost:{secure}/echo", ca_file=str(file))
    assert measure_one("http", settings).reading is BAD
    file.write_bytes(open(authority.ca_file, "rb").read())  # noqa: PTH123, SIM115
    os.utime(file, ns=(1, 1))
    assert measure_one("http", settings).reading is GOOD


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"ca_file": "no/such.pem"}, 'ca_file "no/such.pem" cannot be read: No such file or directory'),
        ({"ca_file": "README.md"}, "holds no certificate"),
        ({"client_certificate": "README.md"}, "holds no certificate with its key"),
        ({"client_certificate": "a\0b"}, "cannot be read: it is no proper path"),
    ],
)
def test_files_that_are_of_no_use_measure_nothing(secure, settings, detail):
    measurement = measure_one("http", http(f"https://localhost:{secure}/echo", **settings))
    assert measurement.reading is ERROR
    assert detail in measurement.detail


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(secure, authority, tmp_path):
    from cryptography.hazmat.primitives import serialization

    certificate, key = authority.files("locked", "x.example.org")
    private = serialization.load_pem_private_key(open(key, "rb").read(), None)  # noqa: PTH123, SIM115
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"pass"),
        )
    )
    settings = http(
        f"https://localhost:{secure}/echo", client_certificate=certificate, client_key=str(locked)
    )
    measurement = measure_one("http", settings)
    assert measurement.reading is ERROR
    assert "unencrypted" in measurement.detail


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "ws", "data", "unix", "HTTPX"])
def test_whatever_scheme_a_variable_makes_of_a_url_nothing_is_opened(scheme, monkeypatch, tmp_path):
    from wavegate.adapters.probes import web

    def opens(*_, **__):
        raise AssertionError("something was opened")

    monkeypatch.setattr(web.aiohttp, "ClientSession", opens)
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    for kind, more in (
        ("http", {"body": "s3cret"}),
        ("prometheus", {"query": "up", "good_when": "value == 1"}),
        ("webhook", {}),
    ):
        measurement = measure_one(kind, {"url": f"{scheme}://{secret}", **more})
        assert measurement.reading is ERROR
        assert "wanted http or https" in measurement.detail


def test_json_numbers_beyond_all_bounds_are_no_surprise(base):
    body = json.dumps({"a": 10**400})
    with serving({"/big": says(body)}) as port:
        measurement = measure_one("http", http(f"http://127.0.0.1:{port}/big", json={"a": 1}))
    assert measurement.reading is BAD
