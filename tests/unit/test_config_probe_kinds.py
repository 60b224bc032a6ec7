"""What can be wrong with a probe's kind: unknown words, wrong units, limits that never trip, secrets."""

from __future__ import annotations

import pytest

from tests.unit.rollout_files import SMALLEST, find_problems, load_text
from tests.unit.test_config_problems import expect_one
from wavegate.adapters.probes import kinds as measuring
from wavegate.config import kinds

URL = "url: 'http://x'"
ASK = f"{URL}, query: up"
# probe, key path below the probe, message, hint
WRONG = [
    ("{promethues: {}}", ".promethues", "unknown key", "did you mean prometheus?"),
    ("{weather: {}}", ".weather", "unknown key", "known keys here: http, tcp, tls, dns, prometheus"),
    (f"{{http: {{{URL}, max_latency: 10%}}}}", ".http.max_latency", "a duration such as 500ms, 20s", ""),
    (f"{{http: {{{URL}, max_latency: 200}}}}", ".http.max_latency", "a duration such as 500ms, 20s", ""),
    (f"{{http: {{{URL}, max_latency: 5s}}}}", ".http.max_latency", "can never trip: the timeout of '5s'", ""),
    (
        f"{{http: {{{URL}, max_latency: 3s, timeout: 2s}}}}",
        ".http.max_latency",
        "can never trip: the timeout of '2s' ends the measurement first",
        "a longer timeout, or a shorter max_latency",
    ),
    (
        f"{{http: {{{URL}, expected_status: 200}}}}",
        ".http.expected_status",
        "unknown key",
        "word here is status",
    ),
    (f"{{http: {{{URL}, method: HEAD, body: x}}}}", ".http.body", "the answer to HEAD has no body", ""),
    (
        f"{{http: {{{URL}, send: x}}}}",
        ".http.send",
        "a body is sent with GET only in so many",
        "method: POST",
    ),
    (f"{{http: {{{URL}, method: POST, send: 3}}}}", ".http.send", "a text, or a mapping or list", ""),
    (f"{{http: {{{URL}, method: POST, send: {{}}}}}}", ".http.send", "a text, or a mapping or list", ""),
    (f"{{http: {{{URL}, redirects: 21}}}}", ".http.redirects", "a whole number from 0 to 20; got 21", ""),
    (f"{{http: {{{URL}, redirects: 0, redirect_hosts: [a]}}}}", ".http.redirect_hosts", "says nothing", ""),
    (
        f"{{http: {{{URL}, client_key: a}}}}",
        ".http.client_key",
        "says nothing without client_certificate",
        "",
    ),
    (
        f"{{http: {{{URL}, ca_file: a, verify_tls: false}}}}",
        ".http.ca_file",
        "ca_file says nothing with verify_tls: false",
        "",
    ),
    (f"{{http: {{{URL}, auth: }}}}", ".http.auth", "the key has no value", ""),
    (
        f"{{http: {{{URL}, auth: {{}}}}}}",
        ".http.auth",
        "a token, or a user and a password",
        "for example token",
    ),
    (f"{{http: {{{URL}, auth: {{user: a}}}}}}", ".http.auth", "a token, or a user and a password", ""),
    (f"{{http: {{{URL}, auth: {{tokn: a}}}}}}", ".http.auth.tokn", "unknown key", "did you mean token?"),
    (
        f"{{http: {{{URL}, auth: {{token: s3cret}}}}}}",
        ".http.auth.token",
        "a secret must not stand in the rollout file: write a template of a vaulted variable",
        "",
    ),
    (
        f"{{http: {{{URL}, auth: {{user: a, password: s3cret}}}}}}",
        ".http.auth.password",
        "a secret must not stand in the rollout file",
        "",
    ),
    (
        f"{{http: {{{URL}, auth: {{token: '{{{{ t }}}}'}}, headers: {{authorization: x}}}}}}",
        ".http.headers.authorization",
        "auth writes this header already",
        "",
    ),
    ("{tls: {valid_for: 30}}", ".tls.valid_for", "a duration such as 500ms, 20s, 15m, 3h or 2d; got 30", ""),
    ("{tls: {valid_for: 10%}}", ".tls.valid_for", "a duration such as 500ms", ""),
    ("{tls: {expires_in: 30d}}", ".tls.expires_in", "unknown key", "the word here is valid_for"),
    ("{tls: {port: https}}", ".tls.port", "from 1 to 65535; got 'https'", ""),
    ("{tls: {verify_tls: false}}", ".tls.verify_tls", "unknown key", "verify_tls is a key of http"),
    ("{dns: {}}", ".dns.name", "the key is missing", "for example name: intranet.example.org"),
    ("{dns: {name: x, type: a}}", ".dns.type", "got 'a'; did you mean A?", ""),
    ("{dns: {name: x, answers: 192.0.2.1}}", ".dns.answers", "a list of texts", ""),
    ("{dns: {name: x, port: 5353}}", ".dns.port", "port says nothing without server", "add server:"),
    ("{dns: {name: x, max_latency: 1m}}", ".dns.max_latency", "can never trip", ""),
    (f"{{prometheus: {{{ASK}}}}}", ".prometheus", "nothing says what is good", "good_when: result.lag < 30"),
    (f"{{prometheus: {{{URL}, good_when: value > 1}}}}", ".prometheus.query", "the key is missing", ""),
    (f"{{prometheus: {{{ASK}, good_when: value >}}}}", ".prometheus.good_when", "is no expression: ", ""),
    (
        f"{{prometheus: {{{ASK}, good_when: value = 1}}}}",
        ".prometheus.good_when",
        "'value = 1' is no expression: it ends before \"=\"",
        "",
    ),
    (
        f"{{prometheus: {{{ASK}, good_when: valeu > 1}}}}",
        ".prometheus.good_when",
        "the expression knows no 'valeu'",
        "did you mean value?",
    ),
    (
        f"{{prometheus: {{{ASK}, bad_when: threshold > 1}}}}",
        ".prometheus.bad_when",
        "the expression knows no 'threshold'",
        "known: value (the number",
    ),
    (f"{{prometheus: {{{ASK}, bad_when: 1 > 2}}}}", ".prometheus.bad_when", "looks at nothing that was", ""),
    (f"{{prometheus: {{{ASK}, bad_when: true}}}}", ".prometheus.bad_when", "an expression such as", ""),
    (
        f"{{prometheus: {{{ASK}, bad_when: 'value > {{{{ most }}}}'}}}}",
        ".prometheus.bad_when",
        "an expression stands without {{ }}",
        "",
    ),
    (f"{{prometheus: {{{ASK}, bad_when: value > 1, empty: pass}}}}", ".prometheus.empty", "got 'pass'", ""),
    ("{prometheus: {url: prometheus, query: up, bad_when: value > 1}}", ".prometheus.url", "http:// or", ""),
    ("{webhook: {}}", ".webhook.url", "the key is missing", ""),
    (f"{{webhook: {{{URL}, metadata: [a]}}}}", ".webhook.metadata", "expected a mapping", ""),
    ("{command: {argv: [a], good_when: result.a}}", ".command.good_when", "needs output: json", ""),
    ("{command: {argv: [a], output: json}}", ".command.output", "says nothing without an expression", ""),
    ("{command: {argv: [a], output: yaml}}", ".command.output", "expected text or json; got 'yaml'", ""),
    (
        "{command: {argv: [a], output: json, good_when: value > 1}}",
        ".command.good_when",
        "the expression knows no 'value'",
        "known: result (the JSON that the program wrote)",
    ),
]


@pytest.mark.parametrize(("text", "path", "message", "hint"), WRONG, ids=[row[0] for row in WRONG])
def test_a_wrong_probe_is_one_problem(tmp_path, text, path, message, hint):
    problems = find_problems(tmp_path, f"{SMALLEST}probes:\n  p: {text}\ngates: {{g: {{probes: [p]}}}}\n")
    expect_one(problems, f"probes.p{path}", message, hint)
    assert problems[0].line == 6


def test_several_mistakes_of_one_probe_come_together(tmp_path):
    text = f"prometheus: {{{ASK}, good_when: valeu, empty: no, timeout: 3, auth: {{token: x}}}}"
    problems = find_problems(tmp_path, f"{SMALLEST}probes:\n  p: {{{text}}}\n")
    assert [problem.path.rpartition(".")[2] for problem in problems] == [
        "good_when",
        "empty",
        "timeout",
        "token",
    ]


RIGHT = [
    f"http: {{{URL}, method: POST, send: [1], auth: {{user: a, password: '{{{{ p }}}}'}}}}",
    f"http: {{{URL}, method: GET, send: x, timeout: 10s, max_latency: 9s, redirects: 0}}",
    f"http: {{{URL}, ca_file: a, client_certificate: b, client_key: c, redirect_hosts: [x]}}",
    "tls: {}",
    "tls: {port: '{{ p }}', valid_for: 36h}",
    "dns: {name: '{{ inventory_hostname }}', server: '{{ ansible_host }}', port: 5353}",
    f"prometheus: {{{ASK}, good_when: value < 1, bad_when: value > 3 or result | length > 1}}",
    f"prometheus: {{{ASK}, bad_when: result | length > 0, empty: good}}",
    f"webhook: {{{URL}, auth: {{token: '{{{{ t }}}}'}}}}",
    "command: {argv: [a], output: json, bad_when: \"result.state not in ['ok', 'warn']\"}",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_documented_is_accepted(tmp_path, text):
    assert load_text(tmp_path, f"{SMALLEST}probes: {{p: {{{text}}}}}\n").spec.probes


def test_every_kind_has_its_keys_and_a_way_to_measure():
    assert kinds.BUILT_IN.keys() <= measuring.BUILT_IN.keys()
    for name in kinds.BUILT_IN:
        assert isinstance(measuring.find_kind(name), measuring.EachTarget | measuring.AllTargets)
        assert kinds.settings_of(name).__doc__.count(". Good means:") == 1 or name == "host"
