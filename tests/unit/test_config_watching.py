"""Keys of comparisons, background gates, groups and many requests: what is read, and what is refused."""

from __future__ import annotations

import json

import jsonschema
import pytest
import yaml

from tests.unit.rollout_files import find_problems, load_text
from wavegate.config.json_schema import build_json_schema
from wavegate.core.spec import CompareSpec, ErrorBudget, Scope

FILE = """\
name: x
playbook: site.yml
rollback: back.yml
during: outside
probes:
  fast: {tcp: {port: 22}, compare: {with: not_yet_changed, at_most: +20%, hosts: 9}, count: 5}
  service: {scope: once, http: {url: "http://x", rate: 50, span: 2s, timeout: 2s}}
  sites: {scope: group, by: site_, tcp: {port: 80}}
gates:
  healthy: {probes: [fast, sites], interval: 2s, soak: 1m}
  outside: {probes: [service], interval: 1s, error_budget: {downtime: 3s, errors: 0.1%}}
  other: {probes: [service]}
waves:
  - {name: pilot, hosts: pilot, after: healthy}
  - {name: all, hosts: all, during: other}
"""


def test_what_is_read(tmp_path):
    spec = load_text(tmp_path, FILE).spec
    assert spec.probes["fast"].compare == CompareSpec(at_most=0.2, hosts=9)
    assert (spec.probes["sites"].scope, spec.probes["sites"].by) == (Scope.GROUP, "site_")
    settings = spec.probes["service"].settings
    assert (settings["rate"], settings["span"]) == (50, 2.0)
    assert spec.gates["outside"].error_budget == ErrorBudget(downtime=3.0, errors=0.001)
    assert spec.gates["other"].error_budget is None
    assert [wave.during for wave in spec.waves] == ["outside", "other"]


def test_the_json_schema_reads_it_too():
    jsonschema.validate(json.loads(json.dumps(yaml.safe_load(FILE))), build_json_schema())


@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("+20%", "20", "probes.fast.compare.at_most", "expected a percentage from +0%"),
        ("+20%", "-20%", "probes.fast.compare.at_most", "expected a percentage from +0%"),
        ("+20%", "+20%, confidence: 95", "probes.fast.compare.confidence", "a number from 0.5 to 0.9999"),
        ("+20%", "+20%, test: t-test", "probes.fast.compare.test", "expected mann-whitney"),
        ("not_yet_changed", "everybody", "probes.fast.compare.with", "expected not_yet_changed"),
        ("with: not_yet_changed, ", "", "probes.fast.compare.with", "the key is missing"),
        ("hosts: 9", "hosts: 1", "probes.fast.compare.hosts", "a whole number from 2 to 1000"),
        ("hosts: 9", "hostz: 9", "probes.fast.compare.hostz", "unknown key"),
        (
            "tcp: {port: 22}, compare",
            "command: {argv: [x]}, compare",
            "probes.fast.compare",
            "yields no number",
        ),
        (
            "tcp: {port: 22}, compare",
            "host: {disk_free: 10%}, compare",
            "probes.fast.compare",
            "a host probe yields no number",
        ),
        (
            "tcp: {port: 22}, compare",
            "playbook: {playbook: test.yml}, compare",
            "probes.fast.compare",
            "a playbook probe yields no number",
        ),
        (
            "fast: {tcp",
            "fast: {scope: once, tcp",
            "probes.fast.compare",
            "cannot be compared with scope: once",
        ),
        (
            "pilot, after: healthy",
            "pilot, before: healthy",
            "gates.healthy.probes",
            "makes no sense before a wave",
        ),
        (
            "rollback: back.yml",
            "rollback: {playbook: b.yml, gate: healthy}",
            "gates.healthy.probes",
            "after the rollback",
        ),
        ("scope: group, by: site_", "scope: group", "probes.sites.scope", "scope: group needs by"),
        ("scope: group, by: site_", "by: site_", "probes.sites.by", "by says nothing without scope: group"),
        ("scope: once, http", "http", "probes.service.scope", "every host is bad while its change is made"),
        ("rate: 50, span", "span", "probes.service.http.span", "span says nothing without rate"),
        (
            "scope: once, http",
            "scope: once, retries: 1, http",
            "probes.service.retries",
            "say nothing with rate",
        ),
        (
            'scope: once, http: {url: "http://x", rate: 50, span: 2s',
            'scope: once, retries: 1, http: {url: "http://x"',
            "probes.service.retries",
            "retries would hide it",
        ),
        ("rate: 50", "rate: 201", "probes.service.http.rate", "a whole number from 1 to 200"),
        ("timeout: 2s", "timeout: 11s", "probes.service.http.rate", "could be 550 at once"),
        ("{downtime: 3s, errors: 0.1%}", "{}", "gates.outside.error_budget", "needs a number"),
        ("errors: 0.1%", "errors: 0.1", "gates.outside.error_budget.errors", "such as 0.1%"),
        (
            "soak: 1m",
            "soak: 1m, error_budget: {downtime: 3s}",
            "gates.healthy.error_budget",
            "only a gate that watches",
        ),
        ("outside: {probes", "outside: {soak: 1m, probes", "gates.outside.soak", "soak says nothing"),
        ("outside: {probes", "outside: {approval: {}, probes", "gates.outside.approval", "says nothing"),
        ("during: outside", "during: outside\nbefore: outside", "gates.outside", "and before the first wave"),
        (
            "outside: {probes",
            "outside: {failure_limit: 1, probes",
            "gates.outside.failure_limit",
            "says nothing",
        ),
        ("pilot, after: healthy", "pilot, after: outside", "gates.outside", "during a wave and after a wave"),
        ("during: outside", "during: outsid", "during", "no gate is called 'outsid'"),
        ("during: other", "during: othr", "waves[1].during", "no gate is called 'othr'"),
    ],
)
def test_what_is_refused(tmp_path, old, new, path, message):
    assert old in FILE
    problems = find_problems(tmp_path, FILE.replace(old, new))
    assert any(one.path == path and message in one.message and one.line for one in problems), problems


def test_the_load_of_hosts_can_be_compared(tmp_path):
    file = FILE.replace("tcp: {port: 22}, compare", "host: {load_per_core: 4, disk_free: 5%}, compare")
    assert file != FILE
    assert not find_problems(tmp_path, file)
