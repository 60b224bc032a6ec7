from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from msgspec import to_builtins

from tests.unit.rollout_files import SMALLEST, find_problems, load_text
from wavegate.config.load import load_rollout, locate
from wavegate.core.quantity import Amount
from wavegate.core.spec import (
    Become,
    BudgetSpec,
    OnBreach,
    Order,
    Procedure,
    RollbackSpec,
    Sampling,
    Scope,
)
from wavegate.errors import InputError, Problem

PROJECT = Path(__file__).parents[2]
EXAMPLE = PROJECT / "tests/fixtures/rollouts/design-example.yml"


def test_the_designs_example_loads_unchanged():
    spec = load_rollout(EXAMPLE).spec
    assert spec.playbooks == {
        Procedure.BACKUP: ("playbooks/backup.yml",),
        Procedure.APPLY: ("playbooks/patch.yml",),
        Procedure.ROLLBACK: ("playbooks/rollback.yml",),
    }
    assert spec.on_breach is OnBreach.ROLLBACK_WAVE
    assert [(wave.name, wave.hosts, wave.each, wave.path) for wave in spec.waves] == [
        ("pilot", "pilot", "", "waves[0]"),
        ("department", "", "department_*", "waves[1]"),
        ("site", "", "site_*", "waves[2]"),
    ]
    assert spec.waves[1].batch == (Amount(1), Amount(50, percent=True))
    assert spec.waves[1].failure_budget == BudgetSpec(Amount(10, percent=True))
    assert spec.gates["healthy"].soak == 20.0
    assert spec.probes["host-is-well"].settings["disk_free"] == {"/": {"percent": 10}}
    assert spec.variables == {"intranet_version": "1.1"}


@pytest.mark.parametrize("file", sorted((PROJECT / "rollouts").glob("*.yml")), ids=lambda file: file.name)
def test_the_demos_rollout_files_load(file):
    loaded = load_rollout(file)
    assert loaded.spec.name == file.stem
    assert loaded.root == PROJECT
    for paths in loaded.spec.playbooks.values():
        assert all((PROJECT / path).is_file() for path in paths)


def test_the_smallest_file_gets_every_default(tmp_path):
    loaded = load_text(tmp_path, SMALLEST)
    spec, (wave,) = loaded.spec, loaded.spec.waves
    assert (spec.hosts, spec.batch_timeout, spec.on_breach) == ("all", 3600.0, OnBreach.HALT)
    assert (spec.in_flight, spec.failure_budget, spec.become, spec.inventory) == (None, None, None, ())
    assert wave.batch == (Amount(100, percent=True),)
    assert (wave.order, wave.at_most, wave.may_be_empty) == (Order.SORTED, 1, False)
    assert loaded.content == SMALLEST.encode()
    assert loaded.positions["waves[0].hosts"].line == 4


TOP_LEVEL = [
    ("in_flight: 3", "in_flight", 3),
    ("batch_timeout: 1.5h", "batch_timeout", 5400.0),
    ("failure_budget: 0", "failure_budget", BudgetSpec(Amount(0))),
    ("failure_budget: 5%", "failure_budget", BudgetSpec(Amount(5, percent=True))),
    (
        "failure_budget: {total: 10%, unreachable: 2, minimum_sample: 5}",
        "failure_budget",
        BudgetSpec(Amount(10, percent=True), {"unreachable": Amount(2)}, 5),
    ),
    ("failure_budget: {failed: 1}", "failure_budget", BudgetSpec(None, {"failed": Amount(1)})),
    ("rollback: back.yml", "rollback", RollbackSpec()),
    (
        "rollback: {playbook: back.yml, failure_budget: 1, require: backup}\nbackup: save.yml",
        "rollback",
        RollbackSpec(tolerated=1),
    ),
    ("inventory: [a, b]", "inventory", ("a", "b")),
    ("leave_out: 'retired:&web'", "leave_out", "retired:&web"),
    ("become: true", "become", Become(enabled=True)),
    ("become: false", "become", Become(enabled=False)),
    ("become: {user: app, method: su}", "become", Become(enabled=True, user="app", method="su")),
    ("vault: pass.txt", "vault_password_files", ("pass.txt",)),
    ("vault: {password_files: pass.txt}", "vault_password_files", ("pass.txt",)),
    ("vault: {password_files: [a, b]}", "vault_password_files", ("a", "b")),
    ("vars: {secret: !vault abc}", "variables", {"secret": {"__ansible_vault": "abc"}}),
    ("vars: {a: {b: [1, 2.5, null, yes]}}", "variables", {"a": {"b": [1, 2.5, None, True]}}),
    ("version: 1", "name", "smallest"),
    ("on_breach: halt", "on_breach", OnBreach.HALT),
    ("\ufeff# with a byte order mark", "name", "smallest"),
]


@pytest.mark.parametrize(("text", "key", "value"), TOP_LEVEL, ids=[row[0] for row in TOP_LEVEL])
def test_a_top_level_key_means_what_is_documented(tmp_path, text, key, value):
    spec = load_text(tmp_path, f"{text}\n{SMALLEST}").spec
    assert getattr(spec, key) == value


@pytest.mark.parametrize(
    ("playbook", "expected"),
    [("a.yml", ("a.yml",)), ("[a.yml, b.yml]", ("a.yml", "b.yml")), ("acme.web.patch", ("acme.web.patch",))],
)
def test_a_playbook_is_a_path_several_or_a_collections_name(tmp_path, playbook, expected):
    text = SMALLEST.replace("site.yml", playbook)
    assert load_text(tmp_path, text).spec.playbooks == {Procedure.APPLY: expected}


WAVES = [
    ("batch: 3", "batch", (Amount(3),)),
    ("batch: 25%", "batch", (Amount(25, percent=True),)),
    ('batch: [1, "5", 50%]', "batch", (Amount(1), Amount(5), Amount(50, percent=True))),
    ("order: shuffle", "order", Order.SHUFFLE),
    ("failure_budget: 0%", "failure_budget", BudgetSpec(Amount(0, percent=True))),
    ("may_be_empty: true", "may_be_empty", True),
    ("apart: cluster, at_most: 2", "at_most", 2),
    ("in_flight: 7", "in_flight", 7),
]


@pytest.mark.parametrize(("text", "key", "value"), WAVES, ids=[row[0] for row in WAVES])
def test_a_waves_key_means_what_is_documented(tmp_path, text, key, value):
    (wave,) = load_text(tmp_path, SMALLEST.replace("hosts: all", f"hosts: all, {text}")).spec.waves
    assert getattr(wave, key) == value


HTTP_DEFAULTS = {
    "url": "http://x",
    "method": "GET",
    "send": None,
    "status": [200],
    "json": {},
    "body": None,
    "headers": {},
    "answer_headers": {},
    "auth": None,
    "verify_tls": True,
    "ca_file": None,
    "client_certificate": None,
    "client_key": None,
    "max_latency": None,
    "redirects": 5,
    "redirect_hosts": [],
    "rate": None,
    "span": None,
}
COMMAND_DEFAULTS = {"exit_code": 0, "env": {}, "output": "text", "good_when": None, "bad_when": None}
HOST_DEFAULTS = {
    "services": [],
    "no_failed_units": False,
    "disk_free": None,
    "load_per_core": None,
    "memory_free": None,
    "no_reboot_required": False,
    "inodes_free": None,
    "swap_used": None,
    "security_updates": None,
    "packages": {},
    "package_manager_free": False,
    "time_in_sync": False,
    "time_offset": None,
    "ports": [],
    "processes": {},
    "logs": [],
    "fresh": {},
}
TLS_FILES = {"ca_file": None, "client_certificate": None, "client_key": None}
DNS_DEFAULTS = {
    "name": "x.example",
    "type": "A",
    "answers": [],
    "server": None,
    "port": 53,
    "max_latency": None,
}
PROMETHEUS_DEFAULTS = {
    "url": "http://x",
    "query": "up",
    "empty": "error",
    "good_when": None,
    "bad_when": "value > 1",
}
ADDRESS = "{{ ansible_host | default(inventory_hostname) }}"
TLS_DEFAULTS = {**TLS_FILES, "host": ADDRESS, "port": 443, "server_name": None, "valid_for": None}
PROBES = [
    ("http: {url: 'http://x'}", "http", 5.0, HTTP_DEFAULTS),
    (
        "http: {url: 'http://x', status: [200, 204], max_latency: 500ms, headers: {X-N: 3}, timeout: 2s}",
        "http",
        2.0,
        HTTP_DEFAULTS | {"status": [200, 204], "max_latency": 0.5, "headers": {"X-N": "3"}},
    ),
    (
        "http: {url: 'http://x', json: {a.b: 1, up: true, none: null, on: '{{ v }}', f: 0.5}}",
        "http",
        5.0,
        HTTP_DEFAULTS | {"json": {"a.b": 1, "up": True, "none": None, "on": "{{ v }}", "f": 0.5}},
    ),
    ("tcp: {port: 22}", "tcp", 5.0, {"host": ADDRESS, "port": 22}),
    ("tcp: {port: '{{ p }}', host: h}", "tcp", 5.0, {"host": "h", "port": "{{ p }}"}),
    ("command: {argv: [x, 5]}", "command", 30.0, {"argv": ["x", "5"], **COMMAND_DEFAULTS}),
    (
        "command: {argv: [x], output: json, good_when: ' result.lag < 3 '}",
        "command",
        30.0,
        {"argv": ["x"], **COMMAND_DEFAULTS, "output": "json", "good_when": "result.lag < 3"},
    ),
    (
        "tls: {valid_for: 14d, server_name: www, ca_file: ca.pem}",
        "tls",
        5.0,
        {**TLS_DEFAULTS, "valid_for": 1209600.0, "server_name": "www", "ca_file": "ca.pem"},
    ),
    (
        "dns: {name: x.example, type: MX, answers: [10 m], server: h, max_latency: 1s}",
        "dns",
        5.0,
        {**DNS_DEFAULTS, "type": "MX", "answers": ["10 m"], "server": "h", "max_latency": 1.0},
    ),
    (
        "prometheus: {url: 'http://x', query: up, bad_when: value > 1, auth: {token: '{{ t }}'}}",
        "prometheus",
        5.0,
        {**PROMETHEUS_DEFAULTS, "auth": {"token": "{{ t }}", "user": None, "password": None}},
    ),
    (
        "webhook: {url: 'http://x', metadata: {a: 1}}",
        "webhook",
        10.0,
        {"url": "http://x", "metadata": {"a": "1"}, "headers": {}},
    ),
    ("host: {services: [ssh]}", "host", 30.0, HOST_DEFAULTS | {"services": ["ssh"]}),
    ("host: {no_failed_units: true}", "host", 30.0, HOST_DEFAULTS | {"no_failed_units": True}),
    ("host: {memory_free: 10%, load_per_core: 4}", "host", 30.0, {"memory_free": 10, "load_per_core": 4.0}),
    ("host: {disk_free: 2GB}", "host", 30.0, {"disk_free": {"/": {"bytes": 2_000_000_000}}}),
    (
        "host: {disk_free: {/: 10%, /var: 1.5GiB}}",
        "host",
        30.0,
        {"disk_free": {"/": {"percent": 10}, "/var": {"bytes": 1_610_612_736}}},
    ),
]


@pytest.mark.parametrize(("text", "kind", "timeout", "settings"), PROBES, ids=[row[0] for row in PROBES])
def test_a_probes_settings_are_json_data_with_defaults(tmp_path, text, kind, timeout, settings):
    probe = load_text(tmp_path, f"{SMALLEST}probes: {{p: {{{text}}}}}\n").spec.probes["p"]
    assert (probe.kind, probe.timeout, probe.scope) == (kind, timeout, Scope.HOST)
    assert settings.items() <= probe.settings.items()
    assert probe.settings.keys() <= {
        *HTTP_DEFAULTS,
        *HOST_DEFAULTS,
        *COMMAND_DEFAULTS,
        *TLS_DEFAULTS,
        *DNS_DEFAULTS,
        *PROMETHEUS_DEFAULTS,
        "argv",
        "metadata",
    }
    assert json.loads(json.dumps(probe.settings)) == probe.settings


SAMPLING = [
    ("", "", Sampling()),
    ("interval: 2s, count: 3", "", Sampling(interval=2.0, count=3)),
    ("interval: 2s, count: 3", "interval: 5s", Sampling(interval=5.0, count=3)),
    ("failure_limit: 3", "failure_limit: 0", Sampling(failure_limit=0)),
    ("consecutive_error_limit: 3", "", Sampling(consecutive_error_limit=3)),
    ("initial_delay: 1m", "inconclusive_limit: 2", Sampling(initial_delay=60.0, inconclusive_limit=2)),
    (
        "consecutive_success_limit: 4, count: 9, interval: 1s",
        "",
        Sampling(consecutive_success_limit=4, count=9, interval=1.0),
    ),
]


@pytest.mark.parametrize(("gate", "probe", "expected"), SAMPLING)
def test_a_probes_sampling_wins_over_the_gates_and_that_over_the_default(tmp_path, gate, probe, expected):
    text = f"{SMALLEST}probes: {{p: {{tcp: {{port: 1}}, {probe}}}}}\ngates: {{g: {{probes: [p], {gate}}}}}\n"
    (use,) = load_text(tmp_path, text.replace(", }", "}")).spec.gates["g"].probes
    assert use.sampling == expected


def test_a_dry_run_probe_stays_one_in_the_gate(tmp_path):
    text = "probes: {p: {tcp: {port: 1}}, d: {tcp: {port: 2}, dry_run: true, scope: once}}\n"
    spec = load_text(tmp_path, f"{SMALLEST}{text}gates: {{g: {{probes: [p, d]}}}}\n").spec
    assert [use.sampling.dry_run for use in spec.gates["g"].probes] == [False, True]
    assert spec.probes["d"].scope is Scope.ONCE


def test_the_whole_specification_is_json_data_apart_from_its_own_types(tmp_path):
    assert json.dumps(to_builtins(load_rollout(EXAMPLE).spec))


UNREADABLE = [
    (b"", "rollout-file-invalid", "the file is empty"),
    (b"# only a comment\n", "rollout-file-invalid", "the file is empty"),
    (b"- hosts: all\n", "rollout-file-invalid", "expected a mapping; got a list"),
    (b"hello", "rollout-file-invalid", "expected a mapping; got 'hello'"),
    (b"\x80abc", "rollout-file-unreadable", "not UTF-8 text (byte 0)"),
    (b"name: \xff", "rollout-file-unreadable", "not UTF-8 text (byte 6)"),
    (b"\x7fELF\x01\x00", "rollout-file-invalid", "control character"),
    (b"a" * (1024 * 1024 + 1), "rollout-file-unreadable", "larger than 1 MiB"),
    (SMALLEST.encode("utf-16"), "rollout-file-unreadable", "not UTF-8"),
]


@pytest.mark.parametrize(("content", "code", "message"), UNREADABLE)
def test_what_is_no_rollout_file_is_one_clear_error(tmp_path, content, code, message):
    with pytest.raises(InputError) as caught:
        load_text(tmp_path, content)
    assert (caught.value.code, caught.value.exit_code) == (code, 40)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.file == str(tmp_path / "rollout.yml")


def test_a_missing_file_names_the_near_one(tmp_path):
    (tmp_path / "patch-intranet.yml").touch()
    with pytest.raises(InputError) as caught:
        load_rollout(tmp_path / "patch-intrnet.yml")
    assert caught.value.code == "rollout-file-unreadable"
    assert "no such file" in caught.value.what
    assert "patch-intranet.yml" in caught.value.hint


def test_a_folder_or_a_broken_path_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "file/x.yml", tmp_path / "none/x.yml", tmp_path / "loop", Path("a\0b")):
        with pytest.raises(InputError) as caught:
            load_rollout(path)
        assert caught.value.code == "rollout-file-unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_one_clear_error(tmp_path):
    file = tmp_path / "rollout.yml"
    file.touch(mode=0)
    with pytest.raises(InputError, match="Permission denied"):
        load_rollout(file)


def test_a_pipe_can_be_a_rollout_file():
    reader, writer = os.pipe()
    os.write(writer, SMALLEST.encode())
    os.close(writer)
    assert load_rollout(Path(f"/dev/fd/{reader}")).spec.name == "smallest"
    os.close(reader)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("waves[0].hosts", 4),
        ("waves[0].batch", 4),
        ("waves[7].batch[2]", 3),
        ("probes.web", 1),
        ("playbook", 2),
        ("", 0),
    ],
)
def test_a_later_problem_gets_the_place_of_its_key_or_nearest_parent(tmp_path, path, line):
    positions = load_text(tmp_path, SMALLEST).positions
    (problem,) = locate([Problem("x", path=path)], positions, "rollout.yml")
    assert (problem.line, problem.file) == (line, "rollout.yml")


def test_a_place_that_is_known_stays(tmp_path):
    known = Problem("x", file="inventory", line=9, column=2, path="name")
    assert locate([known], load_text(tmp_path, SMALLEST).positions, "rollout.yml") == [known]


def test_a_valid_file_has_no_problems(tmp_path):
    assert find_problems(tmp_path, SMALLEST) == ()
