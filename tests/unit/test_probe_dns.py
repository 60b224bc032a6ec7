"""The dns probe against a real name server on a port of this machine."""

from __future__ import annotations

import time

import dns.zone
import pytest

from tests.unit.name_server import NameServer
from tests.unit.probe_tools import free_port, measure_one
from wavegate.adapters.probes import dns as probe_module
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR
ZONE = dns.zone.from_text(
    """
@ 60 IN SOA ns1 admin 1 2 3 4 5
@ 60 IN NS ns1
@ 60 IN MX 10 mail
@ 60 IN TXT "v=spf1 " "-all"
web 60 IN A 192.0.2.2
web 60 IN A 192.0.2.1
web 60 IN AAAA 2001:db8::1
www 60 IN CNAME web
_ldap._tcp 60 IN SRV 0 5 389 web
big 60 IN TXT """
    + " ".join(f'"{letter * 200}"' for letter in "abcdef")
    + """
1.2.0.192 60 IN PTR web
""",
    origin="example.org.",
    relativize=False,
)


@pytest.fixture(scope="module")
def shared():
    made = NameServer(ZONE)
    yield made
    made.close()


@pytest.fixture
def server(shared):
    shared.mood, shared.asked = "", []
    return shared


def ask(server, name, kind="A", *answers, timeout=5.0, **more):
    where = {"server": "127.0.0.1", "port": server.port} if server else {}
    settings = {"name": name, "type": kind, "answers": list(answers), **where, **more}
    return measure_one("dns", settings, timeout=timeout)


CASES = [
    ("web.example.org", "A", (), GOOD, "web.example.org A is 192.0.2.1, 192.0.2.2, in "),
    ("web.example.org.", "A", ("192.0.2.2", "192.0.2.1"), GOOD, "web.example.org A is"),
    ("web.example.org", "A", ("192.0.2.1",), BAD, "is 192.0.2.1, 192.0.2.2, wanted 192.0.2.1"),
    ("web.example.org", "A", ("192.0.2.9",), BAD, "is 192.0.2.1, 192.0.2.2, wanted 192.0.2.9"),
    ("web.example.org", "AAAA", ("2001:DB8:0::1",), GOOD, "is 2001:db8::1"),
    ("WWW.example.org", "A", ("192.0.2.1", "192.0.2.2"), GOOD, "192.0.2.1"),
    ("www.example.org", "CNAME", ("WEB.example.org",), GOOD, "CNAME is web.example.org"),
    ("example.org", "MX", ("10 mail.example.org",), GOOD, "MX is 10 mail.example.org"),
    ("example.org", "TXT", ("v=spf1 -all",), GOOD, "TXT is v=spf1 -all"),
    ("example.org", "TXT", ("v=spf1 ~all",), BAD, "TXT is v=spf1 -all, wanted v=spf1 ~all"),
    ("_ldap._tcp.example.org", "SRV", ("0 5 389 web.example.org.",), GOOD, "0 5 389 web.example.org"),
    ("1.2.0.192.example.org", "PTR", ("web.example.org",), GOOD, "PTR is web.example.org"),
    ("nobody.example.org", "A", (), BAD, "nobody.example.org A: there is no such name"),
    ("www.example.org", "MX", (), BAD, "www.example.org MX: the name has no such record"),
    ("web.example.org", "A", ("web1",), ERROR, 'answers: "web1" is no record of type A'),
    ("web.example.org", "Q", (), ERROR, 'type "Q" is no type of records'),
    ("a..b", "A", (), ERROR, 'name "a..b" is not a proper name'),
    (" ", "A", (), ERROR, "wanted a text"),
]


@pytest.mark.parametrize(
    ("name", "kind", "answers", "reading", "detail"), CASES, ids=[f"{c[0]} {c[1]} {c[2]}" for c in CASES]
)
def test_an_answer_is_measured(server, name, kind, answers, reading, detail):
    measurement = ask(server, name, kind, *answers)
    assert measurement.reading is reading, measurement.detail
    assert detail in measurement.detail


def test_an_address_is_asked_for_backwards(server):
    measurement = ask(server, "192.0.2.1", "PTR")
    assert server.asked == ["1.2.0.192.in-addr.arpa. udp"]
    assert measurement.reading is BAD
    assert "there is no such name" in measurement.detail


def test_an_answer_too_long_for_udp_is_fetched_over_tcp(server):
    assert ask(server, "big.example.org", "TXT").reading is GOOD
    assert [how.rpartition(" ")[2] for how in server.asked] == ["udp", "tcp"]


def test_the_value_is_the_latency_and_may_be_too_long(server):
    measurement = ask(server, "web.example.org", max_latency=5)
    assert measurement.reading is GOOD
    assert 0 <= measurement.value < 5
    assert "wanted at most" in ask(server, "web.example.org", max_latency="0").detail


@pytest.mark.parametrize(
    ("mood", "detail"),
    [
        ("silent", "gave no answer within 0.5 s"),
        ("SERVFAIL", "SERVFAIL"),
        ("REFUSED", "REFUSED"),
        ("garbage", ""),
    ],
)
def test_a_named_server_that_does_not_answer_is_bad_within_its_time(server, mood, detail):
    server.mood = mood
    start = time.monotonic()
    measurement = ask(server, "web.example.org", timeout=0.5)
    assert time.monotonic() - start < 3
    assert measurement.reading is BAD, measurement.detail
    assert f"web.example.org A: 127.0.0.1:{server.port} g" in measurement.detail
    assert detail in measurement.detail


def test_a_server_that_is_not_there_is_bad_and_one_without_a_name_an_error():
    settings = {"name": "web.example.org", "server": "127.0.0.1", "port": free_port()}
    assert measure_one("dns", settings, timeout=0.5).reading is BAD
    assert measure_one("dns", {**settings, "server": "nobody.invalid"}, timeout=2).reading is ERROR


@pytest.mark.parametrize("mood", ["silent", "SERVFAIL"])
def test_where_this_machines_own_servers_fail_nothing_was_measured(server, monkeypatch, mood):
    use_as_own(server, monkeypatch)
    server.mood = mood
    measurement = ask(None, "web.example.org", timeout=0.5)
    assert measurement.reading is ERROR
    assert "the name server of this machine" in measurement.detail
    server.mood = ""
    assert ask(None, "web.example.org").reading is GOOD
    assert ask(None, "nobody.example.org").reading is BAD


def use_as_own(server, monkeypatch):
    """Let the resolver find the server as if /etc/resolv.conf named it."""
    real = probe_module.dns.asyncresolver.Resolver

    def make(*, configure=True):
        made = real(configure=False)
        if configure:
            made.nameservers, made.port = ["127.0.0.1"], server.port
        return made

    monkeypatch.setattr(probe_module.dns.asyncresolver, "Resolver", make)


def test_a_machine_without_a_name_server_measures_nothing(monkeypatch):
    def none(**_):
        raise probe_module.dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(probe_module.dns.asyncresolver, "Resolver", none)
    measurement = ask(None, "web.example.org")
    assert measurement.reading is ERROR
    assert "names none" in measurement.detail
