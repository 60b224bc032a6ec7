"""What can be wrong with a rollout file, in tables: the wrong text, its key path, message and hint."""

from __future__ import annotations

import pytest

from tests.unit.rollout_files import SMALLEST, find_problems

HTTP = "http: {url: 'http://x'}"
WAVE = "waves[0]"

TOP_LEVEL = [
    ("versoin: 1", "versoin", "unknown key", "did you mean version?"),
    ("soak: 3s", "soak", "unknown key", "soak is a key of a gate"),
    ("serial: 3", "serial", "unknown key", "batch is a key of a wave"),
    ("banana: 3", "banana", "unknown key", "known keys here: version, name"),
    ("extra_vars: {}", "extra_vars", "unknown key", "the word here is vars"),
    ("version: 2", "version", "the file is written for version 2", ""),
    ("version: 1.0", "version", "expected the number 1; got 1.0", ""),
    ("version: true", "version", "expected the number 1; got true", ""),
    ("hosts: [a, b]", "hosts", "expected text; got a list", ""),
    ("hosts: yes", "hosts", "expected text; got true", 'write "yes" in quotes'),
    ("hosts: 1.10", "hosts", "expected text; got 1.1", 'write "1.10" in quotes'),
    ("hosts: ''", "hosts", "expected text; got ''", ""),
    ("inventory:", "inventory", "got nothing", ""),
    ("inventory: []", "inventory", "empty list", ""),
    ("inventory: [a, {}]", "inventory", "expected text or a list of texts; got a mapping", ""),
    ("in_flight: 0", "in_flight", "a whole number from 1 up; got 0", ""),
    ("in_flight: -2", "in_flight", "a whole number from 1 up; got -2", ""),
    ("in_flight: 2.5", "in_flight", "a whole number from 1 up; got 2.5", ""),
    ("in_flight: '4'", "in_flight", "a whole number from 1 up; got '4'", ""),
    ("in_flight: true", "in_flight", "a whole number from 1 up; got true", ""),
    ("batch_timeout: 20", "batch_timeout", "expected a duration such as 500ms", ""),
    ("batch_timeout: 20 seconds", "batch_timeout", "got '20 seconds'", ""),
    ("batch_timeout: 0s", "batch_timeout", "above zero", ""),
    ("batch_timeout: 400d", "batch_timeout", "at most 366d", ""),
    ("failure_budget: 101%", "failure_budget", "from 0% to 100%; got '101%'", ""),
    ("failure_budget: -1", "failure_budget", "from 0% to 100%; got -1", ""),
    ("failure_budget: 2.5%", "failure_budget", "got '2.5%'", ""),
    ("failure_budget: true", "failure_budget", "got true", ""),
    ("on_breach: rollback", "on_breach", "got 'rollback'; did you mean rollback_all?", ""),
    ("on_breach: rollback_wave", "on_breach", "needs a rollback procedure", "add rollback:"),
    ("on_breach: rollback_all", "on_breach", "rollback_all needs a rollback procedure", "add rollback:"),
    ("rollback: {playbook: a.yml, require: backup}", "rollback.require", "no backup is made", "add backup:"),
    ("rollback: {playbook: a.yml, gate: nowhere}", "rollback.gate", "no gate is called 'nowhere'", ""),
    ("rollback: {playbook: a.yml, require: prayer}", "rollback.require", "expected backup", ""),
    ("rollback: {playbook: a.yml, gates: a}", "rollback.gates", "unknown key", "did you mean gate?"),
    ("failure_budget: {}", "failure_budget", "a failure budget needs a number", "total, or one of failed"),
    (
        "failure_budget: {unreachabel: 1}",
        "failure_budget.unreachabel",
        "unknown key",
        "did you mean unreachable?",
    ),
    ("failure_budget: {total: 120%}", "failure_budget.total", "expected a whole number or a percentage", ""),
    ("vars: [a]", "vars", "expected a mapping of names to values; got a list", ""),
    ("vars: {a-b: 1}", "vars.a-b", "expected a variable's name", ""),
    ("vars: {class: 1}", "vars.class", "not a Python keyword", ""),
    ("vault: {}", "vault.password_files", "the key is missing", "for example password_files:"),
    ("vault: 3", "vault", "expected a mapping of keys to values; got 3", ""),
    ("vault:", "vault", "the key has no value", ""),
    ("become: yes please", "become", "expected true, false, or a mapping with user", ""),
    ("become: {users: x}", "become.users", "unknown key", "did you mean user?"),
    ("probes: [a]", "probes", "expected a mapping of names to values; got a list", ""),
    ("gates:", "gates", "got nothing", ""),
    ("leave_out: !vault abc", "leave_out", "!vault is only possible in vars", "put the value under vars:"),
    ("name: again", "name", "written twice", ""),
]
PROBES = [
    ("{}", "", "a probe needs a kind: http, tcp, tls, dns, prometheus", ""),
    ("3", "", "expected a mapping of keys to values; got 3", ""),
    (f"{{{HTTP}, tcp: {{port: 1}}}}", "", "a probe has one kind; got http and tcp", ""),
    ("{htpp: {url: x}}", ".htpp", "unknown key", "did you mean http?"),
    ("{http: }", ".http", "the key has no value", ""),
    ("{http: {}}", ".http.url", "the key is missing", "for example url: http://"),
    ("{http: {url: 'ftp://x'}}", ".http.url", "http:// or https://; got 'ftp://x'", ""),
    ("{http: {url: 'http://x', timeuot: 2s}}", ".http.timeuot", "unknown key", "did you mean timeout?"),
    (
        "{http: {url: 'http://x', status: 99}}",
        ".http.status",
        "from 100 to 599, or a list of them; got 99",
        "",
    ),
    ("{http: {url: 'http://x', status: [200, ok]}}", ".http.status", "got 'ok'", ""),
    ("{http: {url: 'http://x', method: get}}", ".http.method", "in capital letters", ""),
    ("{http: {url: 'http://x', verify_tls: 'no'}}", ".http.verify_tls", "expected true or false", ""),
    ("{http: {url: 'http://x', headers: {A: 1.5}}}", ".http.headers", "for 'A'; got a value that", ""),
    ("{http: {url: 'http://x', json: {a: {b: 1}}}}", ".http.json", "write a.b for what is nested", ""),
    ("{http: {url: 'http://x', json: {}}}", ".http.json", "expected a mapping such as", ""),
    (
        "{http: {url: 'http://x', json: {v: 1.10}}}",
        ".http.json.v",
        "YAML reads 1.10 as 1.1",
        '"1.10" in quotes',
    ),
    (
        "{http: {url: 'http://x', json: {v: yes}}}",
        ".http.json.v",
        "YAML reads yes as true",
        '"yes" in quotes',
    ),
    ("{http: {url: 'http://x', json: {v: 010}}}", ".http.json.v", "YAML reads 010 as 8", '"010" in quotes'),
    ("{http: {url: 'http://x', json: {v: }}}", ".http.json.v", "YAML reads an empty value as null", ""),
    ("{tcp: {}}", ".tcp.port", "the key is missing", ""),
    ("{tcp: {port: 65536}}", ".tcp.port", "from 1 to 65535; got 65536", ""),
    ("{tcp: {port: ssh}}", ".tcp.port", "from 1 to 65535; got 'ssh'", ""),
    ("{command: {argv: curl -f x}}", ".command.argv", "never a shell line; got 'curl -f x'", ""),
    ("{command: {argv: []}}", ".command.argv", "never a shell line", ""),
    ("{command: {argv: [x, yes]}}", ".command.argv", "put it in quotes", ""),
    ("{command: {argv: [x], exit_code: 256}}", ".command.exit_code", "from 0 to 255; got 256", ""),
    ("{host: {}}", ".host", "at least one condition", "one of services"),
    ("{host: {timeout: 3s, no_failed_units: false}}", ".host", "at least one condition", ""),
    ("{host: {service: [x]}}", ".host.service", "unknown key", "did you mean services?"),
    ("{host: {services: ssh}}", ".host.services", "a list of texts", ""),
    ("{host: {disk_free: 110%}}", ".host.disk_free", "from 0% to 100%, or a size", ""),
    ("{host: {disk_free: 10}}", ".host.disk_free", "from 0% to 100%, or a size", ""),
    ("{host: {disk_free: {var: 10%}}}", ".host.disk_free", "absolute paths", ""),
    ("{host: {load_per_core: 0}}", ".host.load_per_core", "a number above 0", ""),
    ("{host: {memory_free: 2GB}}", ".host.memory_free", "a percentage from 0% to 100%; got '2GB'", ""),
    (f"{{{HTTP}, scope: all}}", ".scope", "expected host or group or once; got 'all'", ""),
    (f"{{{HTTP}, soak: 3s}}", ".soak", "unknown key", "soak is a key of a gate"),
    (f"{{{HTTP}, count: 0}}", ".count", "from 1 up; got 0", ""),
    (f"{{{HTTP}, interval: 0s}}", ".interval", "above zero", ""),
    (f"{{{HTTP}, failure_limit: -1}}", ".failure_limit", "from 0 up; got -1", ""),
    (f"{{{HTTP}, count: 3}}", ".count", "3 measurements need an interval", "write interval: 10s"),
]
GATES = [
    ("{}", "gates.g", "a gate needs something to decide by", "add probes:"),
    ("{approval: {required: 2, by: [ann]}}", "gates.g.approval.required", "2 people must approve, and 1", ""),
    ("{approval: {by: [ann, ann]}}", "gates.g.approval.by[1]", "'ann' is named twice", ""),
    ("{approval: {signed: true}}", "gates.g.approval.signed", "whose key is whose", "allowed_signers"),
    ("{approval: {allowed_signers: /etc/x}}", "gates.g.approval.allowed_signers", "outside", "keep it in"),
    ("{approval: {test_cases: [a, a]}}", "gates.g.approval.test_cases[1]", "'a' is named twice", ""),
    ("{approval: {requird: 2}}", "gates.g.approval.requird", "unknown key", "did you mean required?"),
    ("{approval: {timeout: 4}}", "gates.g.approval.timeout", "expected a duration", ""),
    ("{probes: []}", "gates.g.probes", "at least one entry", ""),
    ("{probes: web}", "gates.g.probes", "a list of texts", ""),
    ("{probes: [wbe]}", "gates.g.probes[0]", "no probe is called 'wbe'", "did you mean web?"),
    ("{probes: [xyz]}", "gates.g.probes[0]", "no probe is called 'xyz'", "defined: web, dry"),
    ("{probes: [web, web]}", "gates.g.probes[1]", "'web' is named twice", ""),
    ("{probes: [dry]}", "gates.g.probes", "every probe of this gate is dry_run", ""),
    ("{probes: [web], count: 2}", "gates.g.count", "2 measurements need an interval", ""),
    (
        "{probes: [web], consecutive_success_limit: 1}",
        "gates.g.consecutive_success_limit",
        "can never trip: 1 good measurements pass anyway",
        "a greater count",
    ),
    (
        "{probes: [web, dry], interval: 1s, count: 3, consecutive_success_limit: 5}",
        "gates.g.consecutive_success_limit",
        "consecutive_success_limit: 5 can never trip: 3 good",
        "or a smaller limit",
    ),
    ("{probes: [web], soak: 20}", "gates.g.soak", "expected a duration", ""),
    ("{probes: [web], retries: 2}", "gates.g.retries", "unknown key", "the word here is failure_limit"),
]
WAVES = [
    ("{hosts: a}", ".name", "the key is missing", "for example name: pilot"),
    ("{name: a/b, hosts: a}", ".name", "without '/'", ""),
    ('{name: "a\\nb", hosts: a}', ".name", "one line", ""),
    ("{name: a}", "", "a wave needs hosts (a pattern) or each", ""),
    ("{name: a, hosts: b, each: c}", ".each", "not both", ""),
    ("{name: a, hosts: b, batch: abc}", ".batch", "percentage such as 25%, or a list of them; got 'abc'", ""),
    ("{name: a, hosts: b, batch: 0}", ".batch", "a batch cannot be empty", ""),
    ("{name: a, hosts: b, batch: 0%}", ".batch", "a batch cannot be empty", ""),
    ("{name: a, hosts: b, batch: [1, 0]}", ".batch", "a batch cannot be empty", ""),
    ("{name: a, hosts: b, batch: []}", ".batch", "got an empty list", ""),
    ("{name: a, hosts: b, batch: -1}", ".batch", "got -1", ""),
    ("{name: a, hosts: b, batch: 120%}", ".batch", "got '120%'", ""),
    ("{name: a, hosts: b, order: sort}", ".order", "got 'sort'; did you mean sorted?", ""),
    ("{name: a, hosts: b, at_most: 2}", ".at_most", "nothing without apart", "add apart: KEY"),
    ("{name: a, hosts: b, apart: k, at_most: 0}", ".at_most", "from 1 up; got 0", ""),
    ("{name: a, hosts: b, after: helthy}", ".after", "no gate is called 'helthy'", "did you mean healthy?"),
    ("{name: a, hosts: b, before: g}", ".before", "no gate is called 'g'", "defined: healthy"),
    ("{name: a, hosts: b, serial: 1}", ".serial", "unknown key", "the word here is batch"),
    ("{name: a, hosts: b, may_be_empty: 'yes'}", ".may_be_empty", "expected true or false", ""),
    ("text", "", "expected a mapping of keys to values; got 'text'", ""),
]


def expect_one(problems, path, message, hint):
    assert [problem.path for problem in problems] == [path]
    assert message in problems[0].message
    assert hint in problems[0].hint
    assert problems[0].line > 0
    assert problems[0].column > 0


@pytest.mark.parametrize(("text", "path", "message", "hint"), TOP_LEVEL, ids=[row[0] for row in TOP_LEVEL])
def test_a_wrong_top_level_key_is_one_problem(tmp_path, text, path, message, hint):
    problems = find_problems(tmp_path, f"{SMALLEST}{text}\n")
    expect_one(problems, path, message, hint)
    assert problems[0].line == 5


@pytest.mark.parametrize(("text", "path", "message", "hint"), PROBES, ids=[row[0] for row in PROBES])
def test_a_wrong_probe_is_one_problem(tmp_path, text, path, message, hint):
    gates = "gates: {g: {probes: [p]}}"
    problems = find_problems(tmp_path, f"{SMALLEST}probes:\n  p: {text}\n{gates}\n")
    expect_one(problems, f"probes.p{path}", message, hint)
    assert problems[0].line == 6


@pytest.mark.parametrize(("text", "path", "message", "hint"), GATES, ids=[row[0] for row in GATES])
def test_a_wrong_gate_is_one_problem(tmp_path, text, path, message, hint):
    probes = f"probes: {{web: {{{HTTP}}}, dry: {{{HTTP}, dry_run: true}}}}"
    expect_one(find_problems(tmp_path, f"{SMALLEST}{probes}\ngates: {{g: {text}}}\n"), path, message, hint)


@pytest.mark.parametrize(("text", "path", "message", "hint"), WAVES, ids=[row[0] for row in WAVES])
def test_a_wrong_wave_is_one_problem(tmp_path, text, path, message, hint):
    gates = f"probes: {{web: {{{HTTP}}}}}\ngates: {{healthy: {{probes: [web]}}}}"
    problems = find_problems(tmp_path, f"name: x\nplaybook: y\n{gates}\nwaves: [{text}]\n")
    expect_one(problems, WAVE + path, message, hint)


def test_two_waves_cannot_have_one_name(tmp_path):
    (problem,) = find_problems(tmp_path, f"{SMALLEST}  - {{name: everybody, hosts: x}}\n")
    assert (problem.path, problem.line) == ("waves[1].name", 5)
    assert "waves[0] has the name 'everybody' already" in problem.message


@pytest.mark.parametrize("key", ["name", "playbook", "waves"])
def test_a_missing_key_is_named(tmp_path, key):
    lines = {"name": "name: x", "playbook": "playbook: y", "waves": "waves: [{name: a, hosts: b}]"}
    problems = find_problems(tmp_path, "\n".join(line for name, line in lines.items() if name != key))
    assert [(problem.path, problem.message) for problem in problems] == [(key, "the key is missing")]


def test_no_waves_at_all_is_a_problem(tmp_path):
    (problem,) = find_problems(tmp_path, "name: x\nplaybook: y\nwaves: []\n")
    assert (problem.path, problem.line) == ("waves", 3)


def test_a_probe_named_like_a_key_gets_the_right_suggestion(tmp_path):
    (problem,) = find_problems(tmp_path, f"{SMALLEST}probes: {{http: {{tcp: {{prot: 1, port: 2}}}}}}\n")
    assert (problem.path, problem.hint) == ("probes.http.tcp.prot", "did you mean port?")


def test_one_pass_finds_syntax_types_unknown_keys_and_rules_in_order_of_lines(tmp_path):
    text = """\
name: x
name: y
playbok: z
playbook: z
in_flight: 0
on_breach: rollback_wave
probes:
  web: {http: {url: "http://x", json: {v: 1.10}}}
gates:
  g: {probes: [wbe]}
waves:
  - {name: a, hosts: b, each: c, batch: 0}
  - {name: a, hosts: b, after: gg}
"""
    found = [(problem.line, problem.path) for problem in find_problems(tmp_path, text)]
    assert found == [
        (2, "name"),
        (3, "playbok"),
        (5, "in_flight"),
        (6, "on_breach"),
        (8, "probes.web.http.json.v"),
        (10, "gates.g.probes[0]"),
        (12, "waves[0].each"),
        (12, "waves[0].batch"),
        (13, "waves[1].name"),
        (13, "waves[1].after"),
    ]


def test_header_and_environment_values_stay_out_of_messages(tmp_path):
    text = f"{SMALLEST}probes: {{p: {{http: {{url: 'http://x', headers: {{A: 12345.5}}}}}}}}\n"
    (problem,) = find_problems(tmp_path, text)
    assert "12345" not in problem.message + problem.hint
