"""The prometheus probe against a server that answers as Prometheus does, and as it should not."""

from __future__ import annotations

import base64
import json
import math
import time

import pytest
from aiohttp import web

from tests.unit.probe_tools import drips, free_port, measure_one, raw_server, says, stays_silent
from tests.unit.web_servers import serving
from wavegate.core.outcomes import Reading

GOOD, BAD, INCONCLUSIVE, ERROR = Reading.GOOD, Reading.BAD, Reading.INCONCLUSIVE, Reading.ERROR


def success(kind, result):
    return {"status": "success", "data": {"resultType": kind, "result": result}}


def vector(*values):
    return success(
        "vector",
        [{"metric": {"host": f"web{n}"}, "value": [1.5, value]} for n, value in enumerate(values, start=1)],
    )


ANSWERS = {
    "one": vector("0.25"),
    "three": vector("1", "2", "30"),
    "none": vector(),
    "nan": vector("1", "NaN"),
    "inf": vector("+Inf"),
    "scalar": success("scalar", [1.5, "7"]),
    "text": success("string", [1.5, "seven"]),
    "range": success("matrix", [{"metric": {}, "values": [[1, "1"]]}]),
    "histogram": success("vector", [{"metric": {}, "histogram": [1, {"count": "3"}]}]),
    "odd": success("vector", [{"metric": {}, "value": [1, "seven"]}]),
    "odder": success("vector", [7]),
    "oddest": {"status": "success", "data": []},
    "list": [1],
}


async def answer(request):
    form = await request.post()
    query = form["query"]
    if query in ANSWERS:
        return web.json_response(ANSWERS[query])
    if query == "who":
        wanted = "Basic " + base64.b64encode(b"me:s3cret").decode()
        return web.json_response(vector("1" if request.headers.get("Authorization") == wanted else "0"))
    if query == "timeout":
        return web.json_response(vector(form["timeout"].rstrip("ms")))
    if query == "html":
        return web.Response(text="<html>502 Bad Gateway</html>", status=502)
    if query == "endless":
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"[" * 65536)
    error = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error: unexpected end"}
    return web.json_response(error, status=400)


@pytest.fixture(scope="module")
def url():
    async def moved(request):
        return web.Response(status=302, headers={"Location": "/api/v1/query"})

    with serving({"/api/v1/query": answer, "/deep/api/v1/query": answer, "/old/api/v1/query": moved}) as port:
        yield f"http://127.0.0.1:{port}"


def ask(url, query, good="", bad="", timeout=5.0, **more):
    settings = {"url": url, "query": query, "good_when": good or None, "bad_when": bad or None, **more}
    return measure_one("prometheus", settings, timeout=timeout)


CASES = [
    ("one", "value < 0.5", "", GOOD, "the query gave 0.25; good_when (value < 0.5) is true"),
    ("one", "value < 0.1", "", BAD, "the query gave 0.25; good_when (value < 0.1) is false"),
    ("one", "", "value > 0.1", BAD, "the query gave 0.25; bad_when (value > 0.1) is true"),
    ("one", "value < 0.1", "value > 0.5", INCONCLUSIVE, "the query gave 0.25; good_when"),
    ("one", "result[0].metric.host == 'web1' and result[0].value == 0.25", "", GOOD, "gave 0.25"),
    ("one", "value", "", ERROR, "it gave 0.25, which is neither true nor false"),
    ("three", "value < 5", "", ERROR, "there is no single value: the query gave 3 series, look at result"),
    (
        "three",
        "result | selectattr('value', 'gt', 5) | list | length == 0",
        "",
        BAD,
        "the query gave 3 series, from 1 to 30",
    ),
    ("three", "result | map(attribute='value') | max < 31", "", GOOD, "from 1 to 30"),
    ("none", "value < 5", "", ERROR, "no data: the query gave no series"),
    ("nan", "", "value > 5", ERROR, "no data: the query gave NaN"),
    ("inf", "", "value > 5", BAD, "the query gave inf; bad_when (value > 5) is true"),
    ("scalar", "value == 7", "", GOOD, "the query gave 7"),
    ("text", "value == 7", "", ERROR, "the query gives a string, wanted a vector or a scalar"),
    ("range", "value == 7", "", ERROR, "the query gives a matrix, wanted a vector or a scalar: make it one"),
    ("histogram", "value == 7", "", ERROR, "gives a native histogram"),
    ("odd", "value == 7", "", ERROR, "Prometheus answered with a value that is no number"),
    ("odder", "value == 7", "", ERROR, "Prometheus answered with a series that has no labels"),
    ("oddest", "value == 7", "", ERROR, "Prometheus answered 200 with something else than a result"),
    ("list", "value == 7", "", ERROR, "Prometheus answered 200 with something else than a result"),
    ("html", "value == 7", "", ERROR, "Prometheus answered 502 with something that is no JSON"),
    ("endless", "value == 7", "", ERROR, "Prometheus answered with more than 1048576 bytes"),
    ("up{", "value == 7", "", ERROR, "Prometheus refuses the query: bad_data: 1:3: parse error"),
    ("timeout", "value == 5000", "", GOOD, "the query gave 5000"),
]


@pytest.mark.parametrize(
    ("query", "good", "bad", "reading", "detail"), CASES, ids=[f"{c[0]} {c[1]} {c[2]}" for c in CASES]
)
def test_an_answer_is_measured(url, query, good, bad, reading, detail):
    measurement = ask(url, query, good, bad)
    assert measurement.reading is reading, measurement.detail
    assert detail in measurement.detail


@pytest.mark.parametrize(("query", "value"), [("one", 0.25), ("three", None), ("none", None), ("inf", None)])
def test_the_value_is_the_one_number_and_always_fit_for_json(url, query, value):
    measured = ask(url, query, bad="result | length > 99").value
    assert measured == value
    assert measured is None or math.isfinite(json.loads(json.dumps(measured)))


@pytest.mark.parametrize(("empty", "reading"), [("good", GOOD), ("bad", BAD), ("error", ERROR)])
def test_an_empty_answer_means_what_is_said(url, empty, reading):
    measurement = ask(url, "none", bad="result | length > 0", empty=empty)
    assert measurement.reading is reading
    assert "no data" in measurement.detail


def test_no_data_that_is_nan_is_never_good(url):
    assert ask(url, "nan", good="true == true or value", empty="good").reading is ERROR


def test_a_path_before_the_api_and_a_slash_at_the_end(url):
    assert ask(f"{url}/deep/", "one", "value == 0.25").reading is GOOD


def test_who_asks_is_told(url):
    assert ask(url, "who", "value == 1", auth={"user": "me", "password": "s3cret"}).reading is GOOD
    assert ask(url, "who", "value == 1").reading is BAD


def test_a_redirect_is_no_answer(url):
    measurement = ask(f"{url}/old", "one", "value == 0.25")
    assert measurement.reading is ERROR
    assert "answered 302" in measurement.detail


def test_a_prometheus_that_cannot_be_reached_is_an_error_and_never_a_failure():
    port = free_port()
    measurement = ask(f"http://127.0.0.1:{port}", "one", "value == 1")
    assert (measurement.reading, measurement.detail) == (ERROR, f"127.0.0.1:{port} refuses the connection")
    assert ask("http://nobody.invalid", "one", "value == 1").reading is ERROR
    assert ask(f"https://127.0.0.1:{port}", "one", "value == 1").reading is ERROR


@pytest.mark.parametrize("talk", [stays_silent, drips, says(b""), says(b"220 mail ready\r\n")])
def test_nor_one_that_answers_badly_and_its_time_holds(talk):
    with raw_server(talk) as port:
        start = time.monotonic()
        measurement = ask(f"http://127.0.0.1:{port}", "one", "value == 1", timeout=0.5)
        assert time.monotonic() - start < 3
    assert measurement.reading is ERROR
