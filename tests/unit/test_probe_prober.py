"""The prober keeps its promise whatever happens: one end a sweep, one measurement a target, in order."""

from __future__ import annotations

import asyncio
import queue
import threading
import time

import pytest
from msgspec.structs import replace

from tests.unit.probe_tools import (
    WAIT,
    FakeHostRunner,
    measure_all,
    prober,
    raw_server,
    spec,
    stays_silent,
    sweep,
)
from wavegate.adapters.probes import host, tcp
from wavegate.adapters.probes import prober as prober_module
from wavegate.adapters.probes.kinds import EachTarget
from wavegate.core.events import SweepEnded
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def test_measure_returns_at_once_and_reports_later():
    with raw_server(stays_silent) as port:
        ended = queue.Queue()
        with prober({"p": {"web1": {"url": f"http://127.0.0.1:{port}/"}}}) as made:
            start = time.monotonic()
            made.measure(sweep("web1"), spec("http", 0.5), ended.put)
            assert time.monotonic() - start < 0.3
            event = ended.get(timeout=WAIT)
        assert ended.empty()
    assert isinstance(event, SweepEnded)
    assert (event.wave, event.side, event.probe, event.number) == ("pilot", "after", "p", 1)


def test_no_thread_is_started_before_the_first_sweep():
    with prober({}):
        assert not any(thread.name == "wavegate-prober" for thread in threading.enumerate())


@pytest.mark.parametrize("kind", ["http", "tcp", "command", "host", "horoscope"])
def test_a_target_without_settings_measures_nothing(kind):
    (measurement,) = measure_all(kind, {}, targets=["web1"])
    assert (measurement.target, measurement.reading) == ("web1", ERROR)


def test_a_surprise_inside_a_kind_is_an_error_of_its_target_with_its_name(monkeypatch):
    async def surprise(occasion):
        if occasion.target == "web1":
            raise KeyError("what")
        return await tcp.probe_tcp(occasion)

    monkeypatch.setattr(tcp, "KIND", EachTarget(surprise))
    with raw_server(stays_silent) as port:
        settings = {"host": "127.0.0.1", "port": port}
        first, second = measure_all("tcp", {"web1": settings, "web2": settings})
    assert first.reading is ERROR
    assert "KeyError" in first.detail
    assert second.reading is GOOD


@pytest.mark.parametrize("rendered", [["", "web1"], ["web1", "web2"]])
def test_a_probe_measured_once_takes_its_own_settings_or_the_first_hosts(rendered):
    settings = {name: {"argv": ["echo", name or "once"]} for name in rendered}
    (measurement,) = measure_all("command", settings, targets=[""])
    assert (measurement.target, measurement.reading) == ("", GOOD)
    assert measurement.detail == f"ended with exit code 0: {rendered[0] or 'once'}"


def test_a_sweep_without_targets_ends():
    ended = queue.Queue()
    with prober({}) as made:
        made.measure(sweep(), spec("tcp"), ended.put)
        assert ended.get(timeout=WAIT).measurements == ()


def test_targets_that_hang_do_not_delay_the_others_beyond_their_timeout():
    with raw_server(stays_silent) as port:
        rendered = {f"web{n}": {"url": f"http://127.0.0.1:{port}/"} for n in range(100)}
        start = time.monotonic()
        measurements = measure_all("http", rendered, timeout=1.0)
        assert time.monotonic() - start < 4
    assert [m.target for m in measurements] == list(rendered)
    assert {m.reading for m in measurements} == {BAD}


def test_close_reports_what_was_under_way_as_stopped_and_ends_the_thread():
    ended = queue.Queue()
    with (
        raw_server(stays_silent) as port,
        prober({"p": {"web1": {"url": f"http://127.0.0.1:{port}/"}}}) as made,
    ):
        made.measure(sweep("web1"), spec("http", 600), ended.put)
        made.close()
        event = ended.get_nowait()
        assert not any(thread.name == "wavegate-prober" for thread in threading.enumerate())
    assert event.measurements[0].reading is ERROR
    assert "was stopped" in event.measurements[0].detail


def test_closing_twice_is_closing_once():
    with prober({}) as made:
        ended = queue.Queue()
        made.measure(sweep(), spec("tcp"), ended.put)
        made.close()
        made.close()
    assert ended.get_nowait().measurements == ()


def test_a_sweep_after_close_is_reported_as_stopped():
    ended = queue.Queue()
    with prober({}) as made:
        made.close()
        made.measure(sweep("web1", "web2"), spec("tcp"), ended.put)
    assert [m.reading for m in ended.get_nowait().measurements] == [ERROR, ERROR]


def test_close_ends_the_host_runner_that_is_under_way():
    release = threading.Event()

    class Hanging(FakeHostRunner):
        def __call__(self, hosts, module_args, timeout):
            release.wait(WAIT)
            return {}

        def close(self):
            release.set()

    ended = queue.Queue()
    with prober({"p": {"web1": {"services": ["a"]}}}, Hanging()) as made:
        made.measure(sweep("web1"), spec("host", 600), ended.put)
        made.close()
    assert ended.get_nowait().measurements[0].reading is ERROR
    assert release.is_set()


def test_a_host_runner_that_does_not_come_back_is_an_error(monkeypatch):
    monkeypatch.setattr(host, "HOST_GRACE", 0.1)
    release = threading.Event()

    class Hanging(FakeHostRunner):
        def __call__(self, hosts, module_args, timeout):
            release.wait(WAIT)
            return {}

    (measurement,) = measure_all("host", {"web1": {"services": ["a"]}}, runner=Hanging(), timeout=0.2)
    release.set()
    assert measurement.reading is ERROR
    assert measurement.detail == "the host could not be asked: it gave no answer in time"


def test_details_are_one_short_line():
    (measurement,) = measure_all("command", {"web1": {"argv": ["echo", "a  b" * 1000]}})
    assert len(measurement.detail) == prober_module.DETAIL_LIMIT
    assert measurement.detail.endswith("…")


def test_no_more_connections_are_open_at_once_than_allowed(monkeypatch):
    open_now, most = 0, 0

    async def counting(occasion):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0)
        open_now -= 1
        return await tcp.probe_tcp(replace(occasion, settings={"host": "127.0.0.1", "port": "x"}))

    monkeypatch.setattr(tcp, "KIND", EachTarget(counting))
    measure_all("tcp", {f"web{n}": {} for n in range(500)})
    assert most == prober_module.CONNECTIONS_AT_ONCE


def _succeeds_at(log: str, number: int) -> dict[str, list[str]]:
    script = f'echo >> {log}-$WAVEGATE_TARGET; test "$(wc -l < {log}-$WAVEGATE_TARGET)" -ge {number}'
    return {"argv": ["sh", "-c", script]}


def measure_with_retries(retries, settings, tmp_path):
    ended = queue.Queue()
    with prober({"p": settings}) as made:
        made.measure(sweep(*settings), replace(spec("command", 5.0), retries=retries), ended.put)
        event = ended.get(timeout=WAIT)
    tries = {host: len((tmp_path / f"log-{host}").read_text().splitlines()) for host in settings}
    return {one.target: one for one in event.measurements}, tries


def test_what_is_not_good_is_measured_again_and_only_that(tmp_path):
    log = str(tmp_path / "log")
    settings = {"web1": _succeeds_at(log, 1), "web2": _succeeds_at(log, 2), "web3": _succeeds_at(log, 9)}
    found, tries = measure_with_retries(2, settings, tmp_path)
    assert tries == {"web1": 1, "web2": 2, "web3": 3}
    assert [found[host].reading for host in settings] == [GOOD, GOOD, BAD]
    assert "try" not in found["web1"].detail
    assert found["web2"].detail.endswith("(try 2)")
    assert found["web3"].detail.endswith("(try 3)")


def test_without_retries_it_is_measured_once(tmp_path):
    found, tries = measure_with_retries(0, {"web2": _succeeds_at(str(tmp_path / "log"), 2)}, tmp_path)
    assert (found["web2"].reading, tries) == (BAD, {"web2": 1})
