"""Asking Ansible: real questions about small real projects."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from wavegate.adapters.ansible import ask
from wavegate.errors import WavegateError
from wavegate.ports import Answer, Question

HOSTS = """
[web]
web[1:3].example.com rack="a{{ 1 + 1 }}"
[db]
db1 rack=7 address="{{ addresses.db1 }}"
[fleet:children]
web
db
"""


def make_project(root: Path) -> Path:
    (root / "ansible.cfg").write_text(
        "[defaults]\ninventory = hosts\nroles_path = roles\nvault_password_file = .password\n"
    )
    (root / ".password").write_text("open sesame\n")
    (root / "hosts").write_text(HOSTS)
    return root


def write(root: Path, name: str, text: str) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def encrypt(root: Path, name: str, text: str) -> None:
    vault(root, "encrypt", str(write(root, name, text)))


def encrypt_string(root: Path, name: str, text: str) -> str:
    return vault(root, "encrypt_string", text, "--name", name)


def vault(root: Path, *arguments: str) -> str:
    command = [str(Path(sys.executable).with_name("ansible-vault")), *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout


def problems(answer: Answer) -> list[tuple[str, str]]:
    return [(problem.kind, problem.subject) for problem in answer.problems]


def test_one_question_answers_hosts_groups_patterns_values_plays_and_templates(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write(root, "group_vars/all.yml", "addresses: {db1: 10.0.0.9}\nport: '{{ base + 1 }}'\n")
    write(root, "playbooks/group_vars/all.yml", "beside_the_playbook: here\n")
    write(root, "roles/web/tasks/main.yml", "- ansible.builtin.debug: {msg: hi}\n")
    write(
        root,
        "playbooks/patch.yml",
        "- name: Patch\n  hosts: [web, db]\n  serial: [1, '50%']\n  roles: [web]\n"
        "  vars_prompt: [{name: who, prompt: Who}]\n",
    )
    question = Question(
        patterns=("fleet:!web1.example.com", "web[0:1]", "~web[23].*", "old*"),
        host_variables=("rack", "address", "unset"),
        playbooks=("playbooks/patch.yml",),
        variables={"base": 8079, "greeting": "{{ 'hi' }}"},
        templates={
            "site": {
                "url": "http://{{ inventory_hostname_short }}:{{ port }}/",
                "expect": [200, "{{ port }}"],
            },
            "rest": "{{ greeting }} {{ beside_the_playbook }} {{ hostvars.db1.address }} {{ groups.db[0] }}",
        },
    )
    answer = ask(question, root)
    assert not answer.problems
    web = tuple(f"web{number}.example.com" for number in (1, 2, 3))
    assert answer.fleet.hosts == (*web, "db1")
    assert answer.fleet.groups["fleet"] == (*web, "db1")
    assert answer.fleet.groups["all"] == (*web, "db1")
    assert answer.fleet.groups["ungrouped"] == ()
    assert answer.fleet.patterns == {
        "fleet:!web1.example.com": ("web2.example.com", "web3.example.com", "db1"),
        "web[0:1]": web[:2],
        "~web[23].*": web[1:],
        "old*": (),
    }
    assert answer.fleet.values["rack"] == {**dict.fromkeys(web, "a2"), "db1": "7"}
    assert answer.fleet.values["address"] == {"db1": "10.0.0.9"}
    assert answer.fleet.values["unset"] == {}
    assert set(answer.rendered["site"]) == {*web, "db1"}
    assert answer.rendered["site"][web[0]] == {"url": "http://web1:8080/", "expect": [200, 8080]}
    assert answer.rendered["rest"]["db1"] == "hi here 10.0.0.9 db1"
    (play,) = answer.plays
    assert (play.playbook, play.name, play.hosts) == ("playbooks/patch.yml", "Patch", "web,db")
    assert (play.serial, play.prompts) == (("1", "50%"), ("who",))
    assert answer.settings["DEFAULT_HOST_LIST"]["value"] == ["hosts"]
    assert answer.settings["CONFIG_FILE"]["value"] == str(root / "ansible.cfg")
    assert answer.settings["DEFAULT_VAULT_PASSWORD_FILE"]["value"] == str(root / ".password")
    assert answer.settings["COLLECTIONS_PATHS"]["value"][0].startswith("/")


def test_every_mistake_is_found_in_one_go(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write(root, "playbooks/role.yml", "- hosts: web\n  roles: [nowhere]\n")
    write(root, "playbooks/syntax.yml", "- hosts: web\n  tasks:\n    - debug: {msg: hi\n")
    write(root, "playbooks/module.yml", "- hosts: web\n  tasks:\n    - no_such_module: {}\n")
    question = Question(
        patterns=("wbe", "all:!bd", "localhost", "web[9]", "~("),
        playbooks=(
            "playbooks/role.yml",
            "playbooks/syntax.yml",
            "playbooks/module.yml",
            "playbooks/rolle.yml",
            "a.b.play",
        ),
        templates={
            "typo": "{{ rakc }}",
            "fact": "{{ ansible_default_ipv4.address }}",
            "filter": "{{ 1 | no_such }}",
        },
        vault_password_files=("absent",),
    )
    answer = ask(question, root)
    assert problems(answer) == [
        ("vault", "absent"),
        *(("pattern", pattern) for pattern in question.patterns),
        *(("playbook", name) for name in question.playbooks),
    ]
    by_subject = {problem.subject: problem for problem in answer.problems}
    assert by_subject["wbe"].message == "no host or group is called 'wbe'"
    assert by_subject["wbe"].hint == "did you mean web?"
    assert "ansible_connection=local" in by_subject["localhost"].hint
    assert by_subject["all:!bd"].message == "no host or group is called 'bd'"
    assert f"{root}/playbooks/role.yml:2:" in by_subject["playbooks/role.yml"].message
    assert "'nowhere' was not found" in by_subject["playbooks/role.yml"].message
    assert f"{root}/playbooks/syntax.yml:4:" in by_subject["playbooks/syntax.yml"].message
    assert "no_such_module" in by_subject["playbooks/module.yml"].message
    assert by_subject["playbooks/rolle.yml"].hint.startswith("did you mean playbooks/role.yml")
    assert "collection" in by_subject["a.b.play"].hint
    assert answer.snapshot is None


def test_an_undefined_variable_is_one_problem_however_many_hosts_lack_it(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    question = Question(
        patterns=("web",),
        templates={
            "typo": "{{ rakc }}",
            "nested": {"a": ["{{ rack }}", "{{ hostname_of.x }}"]},
            "fact": "{{ ansible_default_ipv4.address }}",
            "filter": "{{ 1 | no_such }}",
        },
    )
    answer = ask(question, root)
    found = {problem.subject: problem for problem in answer.problems}
    assert list(found) == ["typo", "nested", "fact", "filter"]
    assert len(answer.problems) == 4
    assert found["typo"].message == "'rakc' is undefined (on 3 hosts, first web1.example.com)"
    assert found["typo"].hint == "did you mean rack?"
    assert "'hostname_of' is undefined" in found["nested"].message
    assert found["fact"].hint.startswith("facts are not known when the plan is made")
    assert "no_such" in found["filter"].message


def test_secrets_are_found_wherever_a_vault_or_a_password_variable_is(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write(root, "group_vars/db.yml", encrypt_string(root, "key", "inline-secret"))
    encrypt(root, "group_vars/all/vault.yml", "vaulted: {deep: [file-secret, abc, 4711081]}\n")
    write(
        root, "group_vars/all/plain.yml", "ansible_become_password: 'b-{{ vaulted.deep[0] }}'\nopen: public\n"
    )
    write(root, "host_vars/db1.yml", "ansible_ssh_pass: plain-password\nansible_password_file: /not/secret\n")
    encrypt(root, "roles/web/files/key.pem", "-----BEGIN KEY-----\nline-one\nline-two\n-----END KEY-----\n")
    write(root, "vars.json", f'{{"x": {{"__ansible_vault": "{vaulted_text(root, "json-secret")}"}}}}')
    write(root, ".git/old.yml", "")
    write(root, "become", "become-file-secret\n")
    config = root / "ansible.cfg"
    config.write_text(config.read_text() + "become_password_file = become\n")
    answer = ask(Question(variables={"ansible_sudo_pass": "extra-secret", "version": "1.1-public"}), root)
    assert not answer.problems
    expected = {"inline-secret", "file-secret", "4711081", "b-file-secret", "plain-password", "open sesame"}
    expected |= {"line-one", "line-two", "json-secret", "become-file-secret", "extra-secret"}
    assert expected <= answer.secrets
    assert not {"abc", "public", "/not/secret", "1.1-public"} & answer.secrets
    assert any("line-one\nline-two" in secret for secret in answer.secrets)


def vaulted_text(root: Path, text: str) -> str:
    lines = vault(root, "encrypt_string", text).splitlines()[1:]
    return "\\n".join(line.strip() for line in lines)


def test_a_wrong_vault_password_is_a_problem_that_shows_no_secret(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    encrypt(root, "group_vars/all.yml", "vaulted: file-secret\n")
    write(root, ".password", "something else")
    answer = ask(Question(patterns=("web",), templates={"p": "{{ vaulted }}"}), root)
    (problem,) = answer.problems
    assert (problem.kind, "(on 4 hosts, first web1.example.com)" in problem.message) == ("variables", True)
    assert "group_vars/all.yml" in problem.hint
    assert "file-secret" not in str(answer)


SCRIPT_FAILS = "#!/bin/sh\necho cloud says no >&2\nexit 3\n"
SCRIPT_LIES = "#!/bin/sh\necho hello\n"
BROKEN = [
    pytest.param(
        "hosts.yml", "all: {hosts: {a: {}\n", 0o644, ["YAML parsing failed", "hosts.yml:"], id="yaml"
    ),
    pytest.param("script", SCRIPT_FAILS, 0o755, ["exit code 3", "cloud says no"], id="script-fails"),
    pytest.param("script", SCRIPT_LIES, 0o755, ["JSON"], id="script-lies"),
    pytest.param("script", SCRIPT_FAILS, 0o644, ["chmod +x"], id="script-not-executable"),
    pytest.param("cloud.yml", "plugin: no.such.cloud\n", 0o644, ["no.such.cloud"], id="unknown-plugin"),
    pytest.param("empty.ini", "[web]\n", 0o644, ["no host"], id="no-hosts"),
    pytest.param("other", None, 0, ["no such inventory"], id="missing"),
    pytest.param("clash.ini", "web\nx\n[web]\nx\n", 0o644, ["'web' is a host and also a group"], id="clash"),
]


@pytest.mark.parametrize(("name", "text", "mode", "said"), BROKEN)
def test_a_bad_inventory_is_a_problem_with_ansibles_own_words(
    name: str, text: str | None, mode: int, said: list[str], tmp_path: Path
) -> None:
    root = make_project(tmp_path)
    if text is not None:
        write(root, name, text).chmod(mode)
    answer = ask(Question(inventory=(name,), patterns=("web",)), root)
    assert answer.snapshot is None
    assert [problem.kind for problem in answer.problems] == ["inventory"], answer.problems
    (problem,) = answer.problems
    for words in said:
        assert words in f"{problem.message} {problem.hint}"


def test_one_bad_source_in_a_good_folder_is_a_problem(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write(root, "inv/a.ini", "one\n")
    write(root, "inv/b.yml", "plugin: no.such.cloud\n")
    answer = ask(Question(inventory=("inv",)), root)
    assert problems(answer) == [("inventory", str(root / "inv/b.yml"))]
    assert answer.fleet.hosts == ("one",)


def test_a_hanging_script_is_ended_with_its_children_and_blamed(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    script = write(root, "hangs", "#!/bin/sh\necho $$ > pid\nsleep 1000 & echo $! >> pid\nwait\n")
    script.chmod(0o755)
    began = time.monotonic()
    answer = ask(Question(inventory=("hangs",)), root, timeout=4)
    assert time.monotonic() - began < 10
    assert problems(answer) == [("inventory", str(script))]
    assert "no answer within 4 seconds" in answer.problems[0].message
    for pid in map(int, (root / "pid").read_text().split()):
        assert is_gone(pid)


def is_gone(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE or process.wait(5) is None)
    except psutil.NoSuchProcess:
        return True


def test_files_and_prints_of_the_project_do_not_disturb_the_answer(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    for name in ("ansible", "json", "yaml", "wavegate", "select"):
        write(root, f"{name}.py", "raise SystemExit('shadowed')\n")
    write(
        root,
        "filter_plugins/noisy.py",
        "import os\nprint('noise')\nos.write(1, b'more noise')\nos.write(2, b'\\xff')\n"
        "class FilterModule:\n    def filters(self):\n        return {'shout': str.upper}\n",
    )
    write(root, "play.yml", "- hosts: all\n")
    question = Question(patterns=("db1",), playbooks=("play.yml",), templates={"x": "{{ 'hi' | shout }}"})
    answer = ask(question, root)
    assert not answer.problems
    assert answer.rendered["x"] == {"db1": "HI"}


FAKES: list[Any] = [
    pytest.param("raise ImportError('no ansible here')", "ansible-missing", id="missing"),
    pytest.param("", "ansible-too-old", id="too-old"),
]


@pytest.mark.parametrize(("package", "code"), FAKES)
def test_a_missing_or_old_ansible_is_said_so(
    package: str, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project(tmp_path)
    write(root, "fake/ansible/__init__.py", package)
    write(root, "fake/ansible/release.py", "__version__ = '2.16.3'\n")
    monkeypatch.setenv("PYTHONPATH", str(root / "fake"), prepend=":")
    with pytest.raises(WavegateError) as caught:
        ask(Question(), root)
    assert caught.value.code == code
    assert "pip install" in caught.value.hint


def test_a_broken_configuration_is_said_in_ansibles_words(tmp_path: Path) -> None:
    root = make_project(tmp_path)
    write(root, "ansible.cfg", "no section\n")
    with pytest.raises(WavegateError) as caught:
        ask(Question(), root)
    assert caught.value.code == "ansible-failed"
    assert "ansible.cfg" in caught.value.why
