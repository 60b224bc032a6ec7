"""The tcp probe against real ports."""

from __future__ import annotations

import errno
import socket

import pytest

from tests.unit.probe_tools import free_port, measure_one, raw_server, stays_silent
from wavegate.adapters.probes import network
from wavegate.adapters.probes.network import trouble_of
from wavegate.core.judgement import Trouble
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_that_accepts_is_good_and_its_value_is_the_latency(host):
    with raw_server(stays_silent) as port:
        measurement = measure_one("tcp", {"host": host, "port": str(port)})
    assert measurement.reading is GOOD
    assert measurement.detail.startswith(f"{host}:{port} accepted a connection in ")
    assert 0 <= measurement.value < 2


def test_a_port_that_refuses_is_bad():
    port = free_port()
    measurement = measure_one("tcp", {"host": "127.0.0.1", "port": port})
    assert (measurement.reading, measurement.detail) == (BAD, f"127.0.0.1:{port} refuses the connection")


def test_a_port_whose_queue_is_full_is_bad_when_the_time_is_over():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            measurement = measure_one("tcp", {"host": "127.0.0.1", "port": port}, timeout=0.3)
    assert measurement.reading is BAD
    assert measurement.detail == f"127.0.0.1:{port} accepted no connection within 0.3 s"


def test_a_name_that_cannot_be_resolved_measures_nothing():
    measurement = measure_one("tcp", {"host": "nobody.invalid", "port": 22})
    assert measurement.reading is ERROR
    assert "the name of nobody.invalid:22 cannot be resolved" in measurement.detail


def test_a_name_that_is_no_name_measures_nothing():
    assert measure_one("tcp", {"host": "x" * 300, "port": 22}).reading is ERROR


@pytest.mark.parametrize(
    ("host", "text"), [("web1", "web1:80"), ("10.0.0.1", "10.0.0.1:80"), ("::1", "[::1]:80")]
)
def test_an_address_reads_as_people_write_it(host, text):
    assert network.show_address(host, 80) == text


@pytest.mark.parametrize("port", ["ssh", 0, 70000, None, True])
def test_a_port_that_makes_no_sense_measures_nothing(port):
    measurement = measure_one("tcp", {"host": "127.0.0.1", "port": port})
    assert measurement.reading is ERROR
    assert "wanted a whole number from 1 to 65535" in measurement.detail


def test_one_address_of_a_name_that_accepts_is_enough(monkeypatch):
    with raw_server(stays_silent) as port:
        places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", p)) for p in (free_port(), port)]
        monkeypatch.setattr(network.socket, "getaddrinfo", lambda *a, **k: places)
        assert measure_one("tcp", {"host": "web1", "port": 1}).reading is GOOD


TROUBLES = [
    (errno.ECONNREFUSED, Trouble.REFUSED),
    (errno.ECONNRESET, Trouble.RESET),
    (errno.EHOSTUNREACH, Trouble.HOST_GONE),
    (errno.ETIMEDOUT, Trouble.HOST_GONE),
    (errno.ENETUNREACH, Trouble.NO_NETWORK),
    (errno.EMFILE, Trouble.OWN_LIMIT),
    (errno.EADDRNOTAVAIL, Trouble.OWN_LIMIT),
]


@pytest.mark.parametrize(("number", "trouble"), TROUBLES)
def test_an_error_of_the_network_says_which_trouble_it_is(number, trouble):
    assert trouble_of(OSError(number, "x")) is trouble


def test_of_several_addresses_the_one_that_measured_counts():
    text = "Multiple exceptions: [Errno 101] Connect call failed ('::1', 80), [Errno 111] Connect call failed"
    assert trouble_of(OSError(text)) is Trouble.REFUSED
    assert trouble_of(OSError("nothing known")) is Trouble.OWN_LIMIT
