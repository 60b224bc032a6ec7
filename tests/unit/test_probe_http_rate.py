"""Many requests as one measurement, against a real server that loses some of them."""

from __future__ import annotations

import pytest

from tests.unit.probe_tools import free_port, measure_one, raw_server, says, stays_silent
from wavegate.adapters.probes.http_rate import Request, judge_requests
from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading

LETTERS = {"g": Reading.GOOD, "b": Reading.BAD, "e": Reading.ERROR}
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def judge(letters: str, took: float) -> Judgement:
    """Return what requests a tenth of a second apart mean."""
    requests = [Request(place / 10, Judgement(LETTERS[one], one, 0.01)) for place, one in enumerate(letters)]
    return judge_requests(requests[::-1], took)


@pytest.mark.parametrize(
    ("letters", "reading", "failed", "lost", "down", "unknown", "ends"),
    [
        ("gggggggggg", "good", 0, 0, 0.0, 0.0, "good"),
        ("ggbggggggg", "bad", 1, 0, 0.1, 0.0, "good"),
        ("ggbbbggggb", "bad", 4, 0, 0.4, 0.0, "bad"),
        ("bbbbbbbbbb", "bad", 10, 0, 1.0, 0.0, "bad"),
        ("eeeeeeeeee", "error", 0, 10, 0.0, 1.0, "error"),
        ("gggeeggggg", "inconclusive", 0, 2, 0.0, 0.2, "good"),
        ("gggeebgggg", "bad", 1, 2, 0.1, 0.2, "good"),
    ],
)
def test_what_many_requests_mean(letters, reading, failed, lost, down, unknown, ends):
    found = judge(letters, 1.0)
    assert found.reading == reading
    assert found.asked is not None
    assert (found.asked.requests, found.asked.failed, found.asked.lost) == (10, failed, lost)
    assert (found.asked.down, found.asked.unknown, found.asked.ends) == (down, unknown, ends)


def test_the_sentence_tells_how_many_failed_and_how_the_first_did():
    assert judge("ggbbg", 0.5).detail == "2 of 5 requests failed, the first after 0.2 s: b"
    assert judge("gg", 0.2).detail == "2 requests in 0.2 s, all answered, in 0.01 s (median)"
    assert judge("bb", 0.2).value is None


def settings(port, **more):
    return {"url": f"http://127.0.0.1:{port}/", "status": [200], "rate": 40, "span": 0.5, **more}


def test_a_good_service_is_asked_at_the_rate_that_was_wanted():
    with raw_server(says(OK)) as port:
        found = measure_one("http", settings(port))
    assert found.reading == "good"
    assert found.asked.requests in range(15, 21)
    assert (found.asked.failed, found.asked.down, found.asked.ends) == (0, 0.0, "good")
    assert 0 < found.value < 0.5


def test_single_lost_requests_are_seen_and_cost_no_more_than_their_own_time():
    served = iter(range(1000))

    def sometimes(connection, over):
        if next(served) not in {5, 6}:
            says(OK)(connection, over)

    with raw_server(sometimes) as port:
        found = measure_one("http", settings(port))
    assert found.reading == "bad"
    assert found.asked.failed == 2
    assert 0.02 <= found.asked.down <= 0.2
    assert "2 of " in found.detail


def test_a_service_that_is_gone_is_down_all_of_the_time():
    found = measure_one("http", settings(free_port()))
    assert found.asked.failed == found.asked.requests > 10
    assert found.asked.down >= 0.49
    assert "refuses the connection" in found.detail


def test_who_does_not_answer_holds_nobody_up_longer_than_the_timeout():
    with raw_server(stays_silent) as port:
        found = measure_one("http", settings(port, span=0.2), timeout=0.3)
    assert found.reading == "bad"
    assert found.asked.failed == found.asked.requests
    assert found.asked.down <= 0.8


def test_a_name_that_means_nothing_is_unknown_and_not_down():
    found = measure_one("http", {**settings(1, span=0.2), "url": "http://no.such.host.invalid/"})
    assert found.reading == "error"
    assert found.asked.lost == found.asked.requests
    assert (found.asked.down, found.asked.failed) == (0.0, 0)
