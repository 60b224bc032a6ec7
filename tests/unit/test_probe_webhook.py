"""The webhook probe: what is told, what is a yes, what is a no, and what is neither."""

from __future__ import annotations

import queue

import pytest
from aiohttp import web

from tests.unit.probe_tools import (
    FakeHostRunner,
    drips,
    free_port,
    measure_one,
    raw_server,
    resets,
    spec,
    stays_silent,
)
from tests.unit.web_servers import says, sends, serving
from wavegate.adapters.probes.prober import LocalProber
from wavegate.core.events import SweepStarted
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


@pytest.mark.parametrize(
    ("handler", "reading", "detail"),
    [
        (says("yes"), GOOD, "answered 200 in "),
        (says("", 204), GOOD, "answered 204 in "),
        (says("\n change freeze until Monday \nmore", 403), BAD, "answered 403, wanted 2xx: change freeze"),
        (says("", 500), BAD, "answered 500, wanted 2xx"),
        (sends(302, "/"), BAD, "answered 302, wanted 2xx"),
    ],
)
def test_an_answer_is_a_yes_or_a_no(handler, reading, detail):
    with serving({"/gate": handler}) as port:
        measurement = measure_one("webhook", {"url": f"http://127.0.0.1:{port}/gate"})
    assert measurement.reading is reading
    assert measurement.detail.startswith(detail)


@pytest.mark.parametrize("talk", [stays_silent, resets, drips])
def test_a_service_that_does_not_answer_has_not_said_no(talk):
    with raw_server(talk) as port:
        measurement = measure_one("webhook", {"url": f"http://127.0.0.1:{port}/"}, timeout=0.5)
    assert measurement.reading is ERROR


def test_nor_has_one_that_cannot_be_reached():
    measurement = measure_one("webhook", {"url": f"http://127.0.0.1:{free_port()}/"})
    assert measurement.reading is ERROR
    assert "refuses the connection" in measurement.detail


def test_what_the_service_is_told(tmp_path):
    heard = queue.Queue()

    async def hears(request):
        heard.put((request.method, request.headers, await request.json()))
        return web.Response(status=202)

    ended = queue.Queue()
    with serving({"/gate": hears}) as port:
        settings = {
            "url": f"http://127.0.0.1:{port}/gate",
            "metadata": {"change": "CHG-1", "count": 7},
            "headers": {"X-Key": "k"},
            "auth": {"token": "t0ken"},
        }
        prober = LocalProber({"p": {"web1": settings}}, str, FakeHostRunner(), tmp_path, "patch-intranet")
        sweep = SweepStarted("pilot", "after", "p", 3, ("web1",))
        prober.measure(sweep, spec("webhook"), ended.put)
        assert ended.get(timeout=20).measurements[0].reading is GOOD
        prober.close()
    method, headers, told = heard.get_nowait()
    assert (method, headers["Content-Type"], headers["X-Key"]) == ("POST", "application/json", "k")
    assert headers["Authorization"] == "Bearer t0ken"
    assert told == {
        "name": "patch-intranet",
        "phase": "after",
        "wave": "pilot",
        "probe": "p",
        "host": "web1",
        "number": 3,
        "metadata": {"change": "CHG-1", "count": "7"},
    }
