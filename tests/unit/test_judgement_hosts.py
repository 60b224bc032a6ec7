"""What hosts, playbooks, suites and modules say, as tables that read like sentences."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavegate.core.debian_versions import is_at_least, is_version
from wavegate.core.events import HostFinished
from wavegate.core.judgement_activity import LogWatch
from wavegate.core.judgement_host import HostExpectation, judge_host
from wavegate.core.judgement_playbook import judge_finished
from wavegate.core.judgement_software import PackageWish, UpdatesWish
from wavegate.core.judgement_suite import Result, SuiteCase, judge_suite
from wavegate.core.judgement_time import TimeWish
from wavegate.core.outcomes import Outcome, Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def wants(**conditions):
    return HostExpectation(**conditions)


def updates(count, age=60.0):
    names = [f"package{number}" for number in range(count)]
    return {"security_updates": {"count": count, "names": names, "lists_age": age}}


def log(*ages, newest="ERROR: full"):
    return {"logs": [{"unit": "app", "pattern": "ERR", "ages": list(ages), "newest": newest}]}


APP = LogWatch("app", "ERR", at_most=1, since=60.0)
SINCE_CHANGE = LogWatch("app", "ERR")
EXACTLY, LEAST = {"web": PackageWish("1.1-2")}, {"web": PackageWish("1.1", or_newer=True)}

HOSTS = [
    (
        "inodes",
        wants(inodes_free={"/": 10}),
        {"disk": {"/": {"inodes_free_percent": 9.96}}},
        BAD,
        "/ (inodes) has 9.9% free, wanted at least 10%",
    ),
    (
        "enough inodes",
        wants(inodes_free={"/": 10}),
        {"disk": {"/": {"inodes_free_percent": 10}}},
        GOOD,
        "10% free",
    ),
    (
        "no inodes told",
        wants(inodes_free={"/": 10}),
        {"disk": {"/": {}}, "errors": {"inodes of /": "no fixed number"}},
        ERROR,
        "no fixed number",
    ),
    (
        "swap",
        wants(swap_used_percent=50),
        {"swap_used_percent": 50.01, "swap_total_bytes": 9},
        BAD,
        "50.1% of the swap is used, wanted at most 50%",
    ),
    (
        "no swap",
        wants(swap_used_percent=0),
        {"swap_used_percent": 0.0, "swap_total_bytes": 0},
        GOOD,
        "no swap",
    ),
    ("swap not told", wants(swap_used_percent=0), {}, ERROR, "used swap could not be measured"),
    ("this version", wants(packages=EXACTLY), {"packages": {"web": "1.1-2"}}, GOOD, "package web is 1.1-2"),
    ("a newer one", wants(packages=EXACTLY), {"packages": {"web": "1.1-3"}}, BAD, "is 1.1-3, wanted 1.1-2"),
    ("at least", wants(packages=LEAST), {"packages": {"web": "1:0.1"}}, GOOD, "is 1:0.1"),
    (
        "too old",
        wants(packages=LEAST),
        {"packages": {"web": "1.1~rc1"}},
        BAD,
        "is 1.1~rc1, wanted 1.1 or newer",
    ),
    ("not installed", wants(packages=LEAST), {"packages": {"web": ""}}, BAD, "web is not installed"),
    (
        "no dpkg",
        wants(packages=LEAST),
        {"packages": {}, "errors": {"packages": "no dpkg-query"}},
        ERROR,
        "no dpkg-query",
    ),
    (
        "no update",
        wants(security_updates=UpdatesWish()),
        updates(0),
        GOOD,
        "no pending security update by lists of 1 min ago",
    ),
    (
        "updates",
        wants(security_updates=UpdatesWish(1)),
        updates(2),
        BAD,
        "2 pending security updates by lists of 1 min ago, wanted at most 1: package0, package1",
    ),
    (
        "old lists",
        wants(security_updates=UpdatesWish(0, 3600)),
        updates(0, 7200.0),
        ERROR,
        "the package lists are 2 h old, wanted at most 1 h",
    ),
    (
        "no apt",
        wants(security_updates=UpdatesWish()),
        {"errors": {"security_updates": "no lists"}},
        ERROR,
        "no lists",
    ),
    ("apt rests", wants(package_manager_free=True), {"package_manager": []}, GOOD, "is not at work"),
    (
        "apt works",
        wants(package_manager_free=True),
        {"package_manager": ["x is held by apt"]},
        BAD,
        "x is held by apt",
    ),
    ("apt unknown", wants(package_manager_free=True), {}, ERROR, "could not be measured"),
    (
        "in sync",
        wants(time=TimeWish(True)),
        {"time": {"synced": True, "source": "chrony"}},
        GOOD,
        "in sync (chrony)",
    ),
    (
        "not in sync",
        wants(time=TimeWish(False, 1.0)),
        {"time": {"synced": False, "source": "systemd"}},
        BAD,
        "time is not in sync (systemd says so)",
    ),
    (
        "off",
        wants(time=TimeWish(True, 0.1)),
        {"time": {"synced": True, "offset": -0.10001, "source": "chrony"}},
        BAD,
        "time is off by 100.1 ms, wanted at most 100 ms",
    ),
    (
        "hardly off",
        wants(time=TimeWish(False, 2)),
        {"time": {"synced": True, "offset": 1.5}},
        GOOD,
        "off by 1.5 s",
    ),
    (
        "offset unknown",
        wants(time=TimeWish(False, 2)),
        {"time": {"synced": True, "source": "systemd"}},
        ERROR,
        "by how much time is off could not be measured",
    ),
    ("time unknown", wants(time=TimeWish(True)), {"errors": {"time": "no chronyc"}}, ERROR, "no chronyc"),
    ("listens", wants(ports=(80,)), {"listening": {"80": True}}, GOOD, "port 80 is listening"),
    (
        "does not listen",
        wants(ports=(80,)),
        {"listening": {"80": False}},
        BAD,
        "nothing listens on TCP port 80",
    ),
    ("port unknown", wants(ports=(80,)), {"listening": {}}, ERROR, "whether port 80 is listening"),
    ("runs", wants(processes={"web": 2}), {"processes": {"web": 2}}, GOOD, "2 processes web"),
    (
        "does not run",
        wants(processes={"web": 1}),
        {"processes": {"web": 0}},
        BAD,
        "no process web, wanted at least 1",
    ),
    ("hidden", wants(processes={"web": 1}), {"errors": {"processes": "hidden"}}, ERROR, "hidden"),
    (
        "quiet log",
        wants(logs=(APP,)),
        log(5, 61),
        GOOD,
        '1 entry with "ERR" in the log of app in the last 1 min',
    ),
    ("loud log", wants(logs=(APP,)), log(5, 60), BAD, "2 entries"),
    ("its newest entry", wants(logs=(APP,)), log(5, 60), BAD, "wanted at most 1; the newest: ERROR: full"),
    ("endless log", wants(logs=(APP,)), log(*[1] * 1000), BAD, "1000 entries or more"),
    ("log unknown", wants(logs=(APP,)), {"errors": {"log of app": "no such unit"}}, ERROR, "no such unit"),
    (
        "log of another pattern",
        wants(logs=(LogWatch("app", "X", since=1.0),)),
        log(),
        ERROR,
        "could not be measured",
    ),
    ("no change to look back to", wants(logs=(SINCE_CHANGE,)), log(), ERROR, "`since: 15m` names one"),
    (
        "fresh",
        wants(fresh={"/b": 3600}),
        {"fresh": {"/b": {"age": 3600.0, "newest": "x"}}},
        GOOD,
        "/b (its newest file is x) is 1 h old",
    ),
    (
        "old",
        wants(fresh={"/b": 3600}),
        {"fresh": {"/b": {"age": 3600.5}}},
        BAD,
        "/b is 1.1 h old, wanted at most 1 h",
    ),
    (
        "missing",
        wants(fresh={"/b": 60}),
        {"fresh": {"/b": {"why": "does not exist"}}},
        BAD,
        "/b does not exist",
    ),
    ("of tomorrow", wants(fresh={"/b": 60}), {"fresh": {"/b": {"age": -86400}}}, ERROR, "1 d in the future"),
    (
        "age unknown",
        wants(fresh={"/b": 60}),
        {"errors": {"fresh /b": "Permission denied"}},
        ERROR,
        "Permission denied",
    ),
    (
        "bad hides no error",
        wants(ports=(80,), swap_used_percent=1),
        {"listening": {"80": False}},
        BAD,
        "nothing listens",
    ),
]


@pytest.mark.parametrize(
    ("wanted", "state", "reading", "detail"), [c[1:] for c in HOSTS], ids=[c[0] for c in HOSTS]
)
def test_what_is_seen_on_a_host(wanted, state, reading, detail):
    judgement = judge_host(wanted, state)
    assert judgement.reading is reading
    assert detail in judgement.detail


@pytest.mark.parametrize(("ago", "reading"), [(10.0, GOOD), (60.0, BAD)])
def test_a_log_without_since_is_looked_at_from_the_change_on(ago, reading):
    assert judge_host(wants(logs=(SINCE_CHANGE,)), log(20.0), ago).reading is reading


def finished(outcome, **more):
    return HostFinished("b", "web1", outcome, **more)


PLAYBOOKS = [
    (finished(Outcome.DONE), GOOD, "the playbook went through"),
    (finished(Outcome.DONE, changed=2, rescued=1), GOOD, "2 tasks changed something, 1 failure rescued"),
    (finished(Outcome.FAILED, task="Look", reason="no"), BAD, "task Look failed: no"),
    (finished(Outcome.UNREACHABLE, reason="no route"), ERROR, "unreachable: no route"),
    (finished(Outcome.TIMED_OUT), ERROR, "did not end within 5 s"),
    (
        finished(Outcome.ABORTED, reason="cut off"),
        ERROR,
        "did not get through on this host (aborted): cut off",
    ),
    (finished(Outcome.NOT_STARTED), ERROR, "(not_started): no reason is known"),
    (finished(Outcome.SKIPPED, reason="no play targets it"), ERROR, "nothing was tested: no play targets it"),
    (None, ERROR, "without a word"),
]


@pytest.mark.parametrize(("outcome", "reading", "detail"), PLAYBOOKS)
def test_what_a_playbook_says_about_a_host(outcome, reading, detail):
    judgement = judge_finished(outcome, 5.0)
    assert judgement.reading is reading
    assert detail in judgement.detail


def test_only_done_is_good_and_only_failed_is_bad():
    readings = {outcome: judge_finished(finished(outcome), 1).reading for outcome in Outcome}
    assert {one for one, reading in readings.items() if reading is GOOD} == {Outcome.DONE}
    assert {one for one, reading in readings.items() if reading is BAD} == {Outcome.FAILED}


def test_what_could_not_be_ended_on_the_host_is_told():
    assert judge_finished(finished(Outcome.TIMED_OUT), 1, "a task is at work").detail.endswith(
        "; a task is at work"
    )


def ran(result, host="web1", test="test_it", message=""):
    return SuiteCase(host, test, result, message)


SUITES = [
    ("passed", [ran(Result.PASSED), ran(Result.SKIPPED)], "", GOOD, "1 test passed, 1 skipped: test_it"),
    (
        "failed",
        [ran(Result.PASSED), ran(Result.FAILED, message="port 80")],
        "",
        BAD,
        "1 of 2 tests failed: test_it: port 80",
    ),
    (
        "broken",
        [ran(Result.PASSED), ran(Result.BROKEN, message="ssh")],
        "",
        ERROR,
        "1 of 2 tests could not be carried out",
    ),
    ("failed and broken", [ran(Result.FAILED), ran(Result.BROKEN)], "", BAD, "1 of 2 tests failed"),
    ("failed before its time was over", [ran(Result.FAILED)], "too slow", BAD, "failed"),
    (
        "passed before its time was over",
        [ran(Result.PASSED)],
        "too slow",
        ERROR,
        "did not get through: too slow",
    ),
    ("no test", [], "", ERROR, "no test for this host"),
    ("only another host's test", [ran(Result.PASSED, host="web2")], "", ERROR, "no test for this host"),
    ("only a test of no host", [ran(Result.PASSED, host="")], "", ERROR, "no test for this host"),
    ("a failed test of no host", [ran(Result.PASSED), ran(Result.FAILED, host="")], "", BAD, "failed"),
    ("skipped", [ran(Result.SKIPPED, message="later")], "", ERROR, "every test was skipped: test_it: later"),
]


@pytest.mark.parametrize(
    ("results", "trouble", "reading", "detail"), [c[1:] for c in SUITES], ids=[c[0] for c in SUITES]
)
def test_what_a_suite_says_about_a_host(results, trouble, reading, detail):
    judgement = judge_suite("web1", results, trouble)
    assert judgement.reading is reading
    assert detail in judgement.detail


VERSIONS = [
    "0",
    "1.0",
    "1.0-1",
    "1.0~rc1",
    "1:0.9",
    "1.0+b1",
    "1.0-0",
    "1.00",
    "1.0a",
    "2.36-9+deb12u9",
    "1~~a",
    "0~",
]


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="compared with dpkg itself")
@settings(max_examples=40, deadline=None)
@given(
    st.tuples(
        *[st.one_of(st.sampled_from(VERSIONS), st.from_regex(r"[0-9][0-9a.+~]{0,6}", fullmatch=True))] * 2
    )
)
def test_versions_are_compared_as_dpkg_compares_them(pair):
    first, second = pair
    done = subprocess.run(["dpkg", "--compare-versions", first, "ge", second], check=False)
    assert is_at_least(first, second) is (done.returncode == 0)
    assert is_at_least(first, first)


@pytest.mark.parametrize(
    ("text", "holds"), [("1.2-3", True), ("1:2~a+b", True), ("", False), ("1 2", False), ("ü", False)]
)
def test_what_can_be_a_version(text, holds):
    assert is_version(text) is holds
