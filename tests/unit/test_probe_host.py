"""The host probe: one run for all hosts, each judged by its own settings."""

from __future__ import annotations

import pytest

from tests.unit.probe_tools import FakeHostRunner, measure_all
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def state(intranet="active", free=45.0):
    disk = {"free_percent": free, "free_bytes": 2**30, "total_bytes": 2**31}
    return {"services": {"intranet": intranet}, "disk": {"/": disk, "/data": disk}, "errors": {}}


SETTINGS = {"services": ["intranet"], "disk_free": {"/": {"percent": 10}}}


def test_all_hosts_are_asked_in_one_run_for_what_any_of_them_needs():
    runner = FakeHostRunner({"web1": state(), "web2": state("failed", 4)})
    other = {"services": ["cron"], "disk_free": {"/data": {"bytes": 1}}}
    measure_all("host", {"web1": SETTINGS, "web2": other}, runner=runner, timeout=7)
    assert runner.calls == [
        (("web1", "web2"), {"services": ["cron", "intranet"], "paths": ["/", "/data"]}, 7),
    ]


ANSWERS = [
    ("well", state(), GOOD, "service intranet is active; / has 45% free"),
    (
        "ill",
        state("failed", 4),
        BAD,
        "service intranet is failed, wanted active; / has 4% free, wanted at least 10%",
    ),
    (
        "unreachable",
        "unreachable: no route to host",
        ERROR,
        "the host could not be asked: unreachable: no route to host",
    ),
    ("no answer", None, ERROR, "the host could not be asked: it gave no answer in time"),
    ("nonsense", {"services": 7, "disk": ["/"]}, ERROR, "the measurement itself failed: "),
    ("an empty answer", {}, ERROR, "service intranet could not be measured: the host gave no answer to it"),
]


@pytest.mark.parametrize(
    ("answer", "reading", "detail"), [c[1:] for c in ANSWERS], ids=[c[0] for c in ANSWERS]
)
def test_a_host_is_measured_and_the_others_are_not_touched_by_it(answer, reading, detail):
    answers = {"web1": state(), "web2": answer} if answer is not None else {"web1": state()}
    first, second = measure_all("host", {"web1": SETTINGS, "web2": SETTINGS}, runner=FakeHostRunner(answers))
    assert first.reading is GOOD
    assert second.reading is reading
    assert detail in second.detail


def test_a_runner_that_fails_is_an_error_of_every_host():
    runner = FakeHostRunner(error=RuntimeError("no ansible here"))
    measurements = measure_all("host", {"web1": SETTINGS, "web2": SETTINGS}, runner=runner)
    assert {m.reading for m in measurements} == {ERROR}
    assert "RuntimeError: no ansible here" in measurements[0].detail


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"services": "intranet"}, 'services is "intranet", wanted a list'),
        ({"disk_free": {"/": "10%"}}, 'disk_free of / is "10%", wanted percent or bytes'),
        ({"disk_free": {"/": {"percent": "ten"}}}, 'percent is "ten", wanted a number'),
        ({"memory_free": "10%"}, 'memory_free is "10%", wanted a number'),
        ({"load_per_core": -1}, 'load_per_core is "-1", wanted a number'),
    ],
)
def test_settings_that_make_no_sense_keep_only_their_host_from_being_asked(settings, detail):
    runner = FakeHostRunner({"web1": state()})
    first, second = measure_all("host", {"web1": SETTINGS, "web2": settings}, runner=runner)
    assert first.reading is GOOD
    assert second.reading is ERROR
    assert detail in second.detail
    assert runner.calls[0][0] == ("web1",)


def test_no_run_is_made_when_no_host_can_be_asked():
    runner = FakeHostRunner()
    measure_all("host", {"web1": {"services": "x"}}, runner=runner)
    assert runner.calls == []
