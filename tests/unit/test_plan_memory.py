"""A plan is not asked for twice while nothing has changed, and anew whenever it might be another."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wavegate.adapters.ansible
from wavegate.adapters.ansible import ask
from wavegate.bootstrap.prepare import prepare, prepare_plan
from wavegate.core.plan import Plan
from wavegate.ports import Answer, Question

ROLLOUT = """
name: small
playbook: site.yml
inventory: INVENTORY
probes: {answers: {tcp: {host: HOST, port: 80}}}
gates: {healthy: {probes: [answers], interval: 1s, soak: 1s}}
waves: [{name: all, hosts: all, after: healthy, APART}]
"""


class Project:
    """A project whose files are older than any question about it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
        self.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks: []\n")
        self.write("hosts.yml", "all: {hosts: {a: {rack: r1}, b: {rack: r2}}}\n")
        self.rollout()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def rollout(
        self, inventory: str = "hosts.yml", host: str = "{{ ansible_host | default('h') }}", apart: str = ""
    ) -> None:
        text = ROLLOUT.replace("INVENTORY", inventory).replace("HOST", json.dumps(host))
        self.write("small.yml", text.replace(", APART", f", apart: {apart}" if apart else ""))

    def plan(self) -> Plan:
        return prepare_plan(self.root / "small.yml")

    def kept(self) -> list[Path]:
        return list((self.root / ".wavegate/cache/answers").glob("*.json"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("wavegate.adapters.ansible.remembering.SETTLED", 0.0)
    return Project(tmp_path / "project")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    questions: list[Question] = []

    def counting(question: Question, root: Path) -> Answer:
        time.sleep(0.02)  # clocks of file systems are coarse: what was written before is older than this
        questions.append(question)
        return ask(question, root)

    monkeypatch.setattr(wavegate.adapters.ansible, "ask", counting)
    return questions


def test_an_unchanged_project_is_not_asked_about_again(project: Project, asked: list[Question]) -> None:
    first, second = project.plan(), project.plan()
    assert len(asked) == 1
    assert first == second
    assert first.hash == second.hash == prepare(project.root / "small.yml").plan.hash
    (kept,) = project.kept()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_every_change_is_seen(
    project: Project, asked: list[Question], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.rollout(apart="rack")
    assert project.plan().waves[0].apart == {"a": "r1", "b": "r2"}
    project.write("host_vars/b.yml", "rack: r3\n")
    assert project.plan().waves[0].apart == {"a": "r1", "b": "r3"}
    project.write("group_vars/all/x.yml", "unused: 1\n")
    project.plan()
    project.write("hosts.yml", "all: {hosts: {a: {rack: r1}, b: {rack: r2}, c: {rack: r1}}}\n")
    assert len(project.plan().hosts) == 3
    assert len(asked) == 4
    outside = tmp_path / "outside.cfg"
    outside.write_text("[defaults]\ninventory = hosts.yml\n")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(outside))
    project.plan()
    project.plan()
    assert len(asked) == 5
    outside.write_text("[defaults]\ninventory = hosts.yml\nforks = 7\n")
    project.plan()
    assert len(asked) == 6
    monkeypatch.setenv("ANSIBLE_FORKS", "9")
    project.plan()
    assert len(asked) == 7


def test_a_file_that_is_no_part_of_the_material_counts_when_it_was_read(
    project: Project, asked: list[Question]
) -> None:
    project.write(".wavegateignore", "host_vars\n")
    project.write("host_vars/b.yml", "rack: r3\n")
    project.rollout(apart="rack")
    project.plan()
    project.write("host_vars/b.yml", "rack: r4\n")
    assert project.plan().waves[0].apart["b"] == "r4"
    assert len(asked) == 2


def test_a_file_that_was_just_written_may_still_be_written(
    project: Project, asked: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wavegate.adapters.ansible.remembering.SETTLED", 60.0)
    project.plan()
    assert not project.kept()


def test_a_change_during_the_question_is_not_taken_for_what_was_answered(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(question: Question, root: Path) -> Answer:
        time.sleep(0.02)
        answer = ask(question, root)
        project.write("hosts.yml", "all: {hosts: {a: {}, late: {}}}\n")
        return answer

    monkeypatch.setattr(wavegate.adapters.ansible, "ask", changing)
    assert "late" not in project.plan().hosts
    assert not project.kept()
    assert "late" in project.plan().hosts


SCRIPT = '#!/bin/sh\necho \'{"all": {"hosts": ["a", "b"]}}\'\n'


@pytest.mark.parametrize(
    ("name", "text", "host"),
    [
        ("hosts.sh", SCRIPT, "h"),
        ("zz.yml", "plugin: ansible.builtin.constructed\n", "h"),
        ("hosts.yml", "", "{{ lookup('env', 'HOME') }}"),
        ("hosts.yml", "", "{{ now() }}"),
        ("hosts.yml", "", "{{ ['a', 'b'] | random }}"),
    ],
)
def test_scripts_plugins_lookups_clocks_and_dice_are_asked_every_time(
    name: str, text: str, host: str, project: Project, asked: list[Question]
) -> None:
    if text:
        project.write(f"inv/{name}", text).chmod(0o755 if name.endswith(".sh") else 0o644)
        project.write("inv/more.yml", "all: {hosts: {a: {}}}\n")
    project.rollout(inventory="inv" if text else "hosts.yml", host=host)
    project.plan()
    project.plan()
    assert len(asked) == 2
    assert not project.kept()


def test_no_secret_is_remembered(project: Project, asked: list[Question]) -> None:
    project.write(".password", "open sesame\n")
    project.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\nvault_password_file = .password\n")
    plain = project.write("group_vars/all.yml", "ansible_password: door-key\nvaulted_rack: rack-secret\n")
    tool = Path(sys.executable).with_name("ansible-vault")
    subprocess.run([tool, "encrypt", str(plain)], cwd=project.root, check=True, capture_output=True)
    project.plan()
    (kept,) = project.kept()
    text = kept.read_text()
    assert "door-key" not in text
    assert "open sesame" not in text
    project.plan()
    assert len(asked) == 1
    (project.root / ".password").write_text("open sesame \n")
    project.plan()
    assert len(asked) == 2
    project.write(".password", "open sesame\n")
    project.rollout(apart="vaulted_rack")
    for path in project.kept():
        path.unlink()
    project.plan()
    assert not project.kept()  # the plan itself shows it, but nothing more shall


def test_what_is_damaged_or_cannot_be_written_is_no_error(project: Project, asked: list[Question]) -> None:
    plan = project.plan()
    (kept,) = project.kept()
    for text in ("", "[]", "{}", kept.read_text().replace('"hosts": ["a"', '"hosts": [7', 1)[:-1]):
        kept.write_text(text)
        assert project.plan() == plan
    assert len(asked) == 5
    for path in project.kept():
        path.unlink()
    kept.parent.rmdir()
    kept.parent.write_text("a file in its place")
    assert project.plan() == plan


def test_a_fresh_plan_asks_in_any_case(project: Project, asked: list[Question]) -> None:
    project.plan()
    assert prepare_plan(project.root / "small.yml", fresh=True) == project.plan()
    assert len(asked) == 2
