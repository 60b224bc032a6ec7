"""The report as text, JSON and JUnit XML."""

import json
import re
from datetime import UTC
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped

from tests.unit import report_rollouts as rollouts
from tests.unit.report_rollouts import EVIL, tell
from wavegate.reports.json_report import render_json
from wavegate.reports.junit import render_junit
from wavegate.reports.text import render_text

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", rollouts.SCENARIOS)
def test_the_text_fits_in_80_columns_and_holds_no_control_characters(name):
    text = render_text(tell(name), zone=UTC)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert all(one.isprintable() or one == "\n" for one in text)


def test_the_text_tells_the_whole_story():
    text = render_text(tell("rolled_back"), zone=UTC)
    for sentence in (
        "Rollout report: patch  [rolled back]",
        "1 host was put back",
        "started     12 Jan 1970, 13:46:40 UTC",
        "gate healthy after wave pilot: fail",
        "first bad on pilot-01: 503, wanted 200",
        "done about it: put back by the rollback",
        "fastest 5.0 ms, middle 7.0 ms, slowest 63 ms",
    ):
        assert sentence in text


def test_color_only_adds_escapes_and_changes_no_word():
    facts = tell("rollback_failed")
    colored = render_text(facts, color=True, zone=UTC)
    assert "\x1b[31m" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in plain.splitlines()] == render_text(facts, zone=UTC).splitlines()


def test_of_a_large_fleet_only_the_hosts_with_something_to_tell_are_listed():
    text = render_text(tell("large"), zone=UTC)
    assert "199 hosts done: not listed here" in text
    assert "site-077" not in text
    assert re.search(r"site-123 +site +failed +10 s +2 +Install intranet", text)
    assert len(text.splitlines()) < 60


def test_markup_in_names_is_shown_as_it_is():
    assert "[red]" in render_text(tell("hostile"), zone=UTC)


KEYS = {
    "": "format rollout headline budget waves hosts gates impact rollback taken_out pins pauses troubles "
    "left left_out timeline",
    "rollout": "id name description file plan_hash playbooks by status died reason created_at started_at "
    "ended_at as_of seconds notes",
    "rollout.playbooks": "procedure path",
    "budget": "tolerated bad",
    "waves": "name standing hosts batches tolerated bad started_at worked_until completed_at ended_at "
    "seconds gates",
    "waves.gates": "side name",
    "hosts": "name wave standing bad found_bad trouble tries",
    "hosts.tries": "batch procedures started_at ended_at seconds outcome task reason completed changed "
    "rescued output",
    "gates": "wave side name verdict reason opened_at decided_at soak_seconds decides targets probes "
    "asked_until votes overridden_by override_reason",
    "gates.probes": "name kind decides targets sweeps counts first_bad last_bad last_error bad_targets "
    "latency_seconds points compared",
    "gates.probes.counts": "good bad inconclusive error",
    "gates.probes.first_bad": "at target detail",
    "gates.probes.latency_seconds": "min median max",
    "gates.probes.points": "at counts latency_seconds",
    "rollback": "wave reason started_at ended_at hosts put_back not_put_back",
    "troubles": "tone subject what done look",
    "timeline": "at tone text",
}


def first_of(data, path):
    for part in filter(None, path.split(".")):
        data = data[part]
        data = data[0] if isinstance(data, list) else data
    return data


@pytest.mark.parametrize("path", KEYS)
def test_the_json_keys_are_the_promised_ones_and_documented(path):
    data = json.loads(render_json(tell("rolled_back")))
    assert list(first_of(data, path)) == KEYS[path].split()
    section = (ROOT / "docs/json.md").read_text(encoding="utf-8").split("\n## report\n")[1].split("\n## ")[0]
    assert [key for key in KEYS[path].split() if f"`{key}`" not in section] == []


def test_the_json_of_a_standstill_is_promised_too():
    [pause] = json.loads(render_json(tell("resumed")))["pauses"]
    assert list(pause) == ["status", "reason", "since", "until", "resumed_by"]


def test_the_json_says_its_format_and_keeps_names_as_they_are():
    data = json.loads(render_json(tell("hostile")))
    assert data["format"] == 1
    assert data["hosts"][0]["name"] == f"{EVIL}-01"
    assert "\x00" in data["rollout"]["reason"]


def counted(xml):
    return {suite.name: (suite.tests, suite.failures, suite.errors, suite.skipped) for suite in xml}


JUNIT = {
    "completed": {"pilot": (2, 0, 0, 0), "office": (5, 1, 0, 0), "site": (8, 0, 0, 0)},
    "halted": {"pilot": (2, 0, 0, 0), "office": (5, 0, 2, 2), "site": (8, 0, 0, 8)},
    "rolled_back": {"pilot": (2, 2, 0, 0), "office": (5, 0, 0, 5), "site": (8, 0, 0, 8)},
    "rollback_failed": {"pilot": (2, 0, 0, 0), "office": (5, 1, 2, 2), "site": (8, 0, 0, 8)},
    "held": {"pilot": (2, 0, 1, 0), "office": (5, 0, 0, 5), "site": (8, 0, 0, 8)},
    "died": {"pilot": (2, 0, 0, 0), "office": (5, 0, 2, 2), "site": (8, 0, 0, 8)},
}
"""Tests, failures, errors and skipped ones of each suite."""


@pytest.mark.parametrize("name", JUNIT)
def test_junit_reads_back_with_a_suite_a_wave_and_a_case_a_host_and_gate(name):
    xml = JUnitXml.fromstring(render_junit(tell(name)).encode())
    assert counted(xml) == JUNIT[name]
    assert xml.tests == sum(tests for tests, *_ in JUNIT[name].values())


def test_junit_calls_a_handled_failure_a_failure_and_an_unknown_end_an_error():
    cases = {
        case.name: case.result[0]
        for name in ("rolled_back", "halted")
        for suite in JUnitXml.fromstring(render_junit(tell(name)).encode())
        for case in suite
        if case.result
    }
    assert isinstance(cases["pilot-01"], Failure)
    assert cases["pilot-01"].type == "rolled_back"
    assert isinstance(cases["office-02"], Error)
    assert isinstance(cases["site-01"], Skipped)


def test_junit_stays_xml_whatever_a_host_says():
    xml = JUnitXml.fromstring(render_junit(tell("hostile")).encode())
    [suite] = list(xml)
    assert "<script>" in next(iter(suite)).result[0].message
