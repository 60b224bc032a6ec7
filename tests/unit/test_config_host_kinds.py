"""The keys of the kinds that look at hosts through Ansible: what they become, and what is refused."""

from __future__ import annotations

import pytest

from tests.unit.rollout_files import SMALLEST, find_problems, load_text

SETTINGS = [
    ("host: {inodes_free: 5%}", {"inodes_free": {"/": 5}}),
    ("host: {inodes_free: {/var: 10%}, swap_used: 50%}", {"inodes_free": {"/var": 10}, "swap_used": 50}),
    ("host: {security_updates: 0}", {"security_updates": {"at_most": 0}}),
    (
        "host: {security_updates: {at_most: 3, lists_at_most: 2d}}",
        {"security_updates": {"at_most": 3, "lists_at_most": 172800.0}},
    ),
    (
        "host: {packages: {a: '1.0-1', b: '>= 2', c: '{{ v }}'}}",
        {"packages": {"a": "1.0-1", "b": ">= 2", "c": "{{ v }}"}},
    ),
    ("host: {time_in_sync: true, time_offset: 100ms}", {"time_in_sync": True, "time_offset": 0.1}),
    ("host: {ports: [22, '{{ p }}']}", {"ports": [22, "{{ p }}"]}),
    ("host: {processes: [nginx]}", {"processes": {"nginx": 1}}),
    ("host: {processes: {nginx: 3}}", {"processes": {"nginx": 3}}),
    (
        "host: {logs: [{unit: a, pattern: 'E+'}, {unit: b, pattern: W, at_most: 2, since: 15m}]}",
        {
            "logs": [
                {"unit": "a", "pattern": "E+", "at_most": 0, "since": None},
                {"unit": "b", "pattern": "W", "at_most": 2, "since": 900.0},
            ]
        },
    ),
    ("host: {fresh: {/var/backups: 25h}}", {"fresh": {"/var/backups": 90000.0}}),
    (
        "ansible: {module: stat, args: {path: /x}, good_when: result.stat.exists}",
        {"module": "stat", "args": {"path": "/x"}, "check_mode": True, "good_when": "result.stat.exists"},
    ),
    ("playbook: {path: a.yml, vars: {x: 1}}", {"path": "a.yml", "vars": {"x": 1}}),
    ("testinfra: {suite: checks/web}", {"suite": "checks/web"}),
]


@pytest.mark.parametrize(("text", "settings"), SETTINGS, ids=[row[0] for row in SETTINGS])
def test_what_the_keys_become(tmp_path, text, settings):
    probe = load_text(tmp_path, f"{SMALLEST}probes: {{p: {{{text}}}}}\n").spec.probes["p"]
    assert settings.items() <= probe.settings.items()


REFUSED = [
    ("host: {inodes_free: 2GB}", "host.inodes_free", "a percentage from 0% to 100%"),
    ("host: {inodes_free: {var: 5%}}", "host.inodes_free", "absolute paths"),
    ("host: {swap_used: 512MB}", "host.swap_used", "a percentage"),
    ("host: {security_updates: none}", "host.security_updates", "a whole number from 0 up"),
    ("host: {security_updates: {most: 3}}", "host.security_updates", "at_most and lists_at_most"),
    ("host: {packages: {a: 1.10}}", "host.packages", "the number 1.1: quote it"),
    ("host: {packages: {a: '> 1'}}", "host.packages", "such as 1.2-3 or >= 1.2"),
    ("host: {packages: [a]}", "host.packages", "a mapping of packages to versions"),
    ("host: {time_offset: 100}", "host.time_offset", "a duration such as 500ms"),
    ("host: {time_offset: 0s}", "host.time_offset", "above zero"),
    ("host: {ports: [99999]}", "host.ports", "a whole number from 1 to 65535"),
    ("host: {ports: 22}", "host.ports", "a list of port numbers"),
    ("host: {processes: {nginx: 0}}", "host.processes", "a whole number from 1 up"),
    ("host: {processes: []}", "host.processes", "a list of names"),
    ("host: {logs: [{unit: a, pattern: '('}]}", "host.logs[0].pattern", "is no regular expression"),
    ("host: {logs: [{unit: a}]}", "host.logs[0].pattern", "the key is missing"),
    ("host: {logs: [{unit: a, pattern: x, most: 1}]}", "host.logs[0].most", "unknown key"),
    ("host: {logs: [{unit: a, pattern: x, at_most: 1000}]}", "host.logs[0].at_most", "from 0 to 999"),
    ("host: {logs: [{unit: a, pattern: x, since: soon}]}", "host.logs[0].since", "or the word change"),
    ("host: {fresh: {backups: 1h}}", "host.fresh", "an absolute path"),
    ("host: {fresh: {/b: 3}}", "host.fresh", "a duration"),
    ("host: {timeout: 3s}", "host", "at least one condition"),
    ("host: {disk_fre: 10%}", "host.disk_fre", "unknown key"),
    ("host: {services: [a]}, scope: once", "scope", "looks at hosts themselves"),
    ("playbook: {path: a.yml}, scope: once", "scope", "looks at hosts themselves"),
    ("ansible: {module: stat}", "ansible", "good_when, bad_when or both"),
    ("ansible: {module: include_tasks, good_when: result.x}", "ansible.module", "steers a playbook"),
    ("ansible: {module: ansible.builtin.meta, good_when: result.x}", "ansible.module", "steers a playbook"),
    ("ansible: {module: 'a b', good_when: result.x}", "ansible.module", "the name of an Ansible module"),
    ("ansible: {module: '{{ m }}', good_when: result.x}", "ansible.module", "the name of an Ansible module"),
    (
        "ansible: {module: stat, args: path=/x, good_when: result.x}",
        "ansible.args",
        "a mapping of the module's",
    ),
    ("ansible: {module: stat, good_when: res.x}", "ansible.good_when", "knows no 'res'"),
    ("ansible: {module: stat, good_when: result.x ==}", "ansible.good_when", "is no expression"),
    ("playbook: {path: '{{ p }}'}", "playbook.path", "one and the same for all hosts"),
    ("playbook: {path: a.yml, vars: {x: '{{ y }}'}}", "playbook.vars", "'x' is a template"),
    ("playbook: {file: a.yml}", "playbook.path", "the key is missing"),
    ("testinfra: {suite: ../checks}", "testinfra.suite", "relative to the project's root"),
    ("testinfra: {suite: /etc}", "testinfra.suite", "relative to the project's root"),
    ("testinfra: {suite: --pdb}", "testinfra.suite", "relative to the project's root"),
    ("testinfra: {suite: 'a.py::test_x'}", "testinfra.suite", "relative to the project's root"),
    ("testinfr: {suite: a}", "testinfr", "unknown key"),
]


@pytest.mark.parametrize(("text", "path", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_bad_input_is_told_at_its_key(tmp_path, text, path, message):
    problems = find_problems(tmp_path, f"{SMALLEST}probes: {{p: {{{text}}}}}\n")
    assert any(message in one.message and one.path.endswith(path) for one in problems), problems
    assert all(one.line for one in problems)


@pytest.mark.parametrize("since", ["", ", since: change"])
def test_before_a_wave_there_is_no_change_to_look_back_to(tmp_path, since):
    text = SMALLEST.replace("hosts: all", "hosts: all, before: g")
    log = f"{{unit: a, pattern: x{since}}}"
    probes = f"probes: {{p: {{host: {{logs: [{log}]}}}}}}\ngates: {{g: {{probes: [p]}}}}\n"
    (problem,) = find_problems(tmp_path, f"{text}{probes}")
    assert problem.path == "probes.p.host.logs[0]"
    assert "no change to look back to" in problem.message
    load_text(tmp_path, f"{text}{probes.replace(log, '{unit: a, pattern: x, since: 5m}')}")
