"""The report as JUnit XML, for the test pages of CI systems: a suite a wave, hosts and gates as its cases."""

from __future__ import annotations

from datetime import UTC, datetime

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import Result

from wavegate.core.outcomes import Verdict
from wavegate.reports.facts import GateFacts, HostFacts, ReportFacts, WaveFacts
from wavegate.reports.impact import tell_impacts
from wavegate.reports.people import tell_override
from wavegate.reports.wording import STANDING_WORDS, clean, shown_standing, tell_counts

_ERRORS = {"unreachable", "timed_out", "aborted", "rollback_failed", "in_flight"}
"""Standings in which nobody knows what the host is like: an error, where a failure is a known bad end."""

_NOT_TRIED = {"not_started", "skipped"}


def render_junit(facts: ReportFacts) -> str:
    """Return JUnit XML; a rolled back host is a failure and an undecided gate is skipped, never a success."""
    xml = JUnitXml(clean(facts.name))
    for wave in facts.waves:
        xml.add_testsuite(_make_suite(facts, wave))
    xml.update_statistics()
    text = xml.tostring()
    body = text.decode() if isinstance(text, bytes) else text
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _make_suite(facts: ReportFacts, wave: WaveFacts) -> TestSuite:
    suite = TestSuite(clean(wave.name))
    if wave.started_at is not None:
        suite.timestamp = datetime.fromtimestamp(wave.started_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    for name, value in (
        ("rollout", facts.id),
        ("status", facts.status.value),
        ("plan_hash", facts.plan_hash),
        ("headline", facts.headline),
        ("impact", tell_impacts([one for one in facts.impacts if one.wave == wave.name])),
    ):
        if value:
            suite.add_property(name, clean(value))
    group = clean(f"{facts.name}.{wave.name}")
    suite.add_testcases([_make_host_case(host, group) for host in wave.hosts])
    suite.add_testcases([_make_gate_case(facts, gate, group) for gate in wave.gates])
    looked = {(gate.side, gate.name) for gate in wave.gates}
    for side, name in wave.planned_gates:
        if (side, name) not in looked:
            case = TestCase(clean(f"gate {name} {side}"), group)
            case.result = [Skipped("the rollout did not get to this gate")]
            suite.add_testcase(case)
    return suite


def _make_host_case(host: HostFacts, group: str) -> TestCase:
    case = TestCase(clean(host.name), group, sum(one.seconds or 0.0 for one in host.tries))
    result = _judge_host(host)
    if result is not None:
        case.result = [result]
    return case


def _judge_host(host: HostFacts) -> Result | None:
    standing = shown_standing(host)
    words = STANDING_WORDS[standing]
    message = clean(f"{words}: {host.trouble}" if host.trouble else words)
    if standing == "done":
        return None
    if standing in _NOT_TRIED:
        return Skipped(message)
    kind = Error if standing in _ERRORS else Failure
    return kind(message, standing)


def _make_gate_case(facts: ReportFacts, gate: GateFacts, group: str) -> TestCase:
    seconds = (gate.decided_at or gate.opened_at) - gate.opened_at
    case = TestCase(clean(f"gate {gate.name} {gate.side}"), group, seconds)
    if gate.overridden_by:
        case.result = [Failure(clean(tell_override(gate)), "overridden")]
        return case
    match gate.verdict:
        case Verdict.FAIL:
            case.result = [Failure(clean(gate.reason), "fail")]
        case Verdict.INCONCLUSIVE:
            case.result = [Error(clean(gate.reason), "inconclusive")]
        case None if gate.decides:
            case.result = [Skipped("the gate has not decided")]
    told = [f"{one.name}: {tell_counts(one.counts)}" for one in gate.probes]
    if gate.side == "during":
        told += [one.text for one in facts.impacts if one.wave == gate.wave]
    case.system_out = clean("\n".join(told))
    return case
