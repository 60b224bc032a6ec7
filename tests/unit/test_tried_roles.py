"""What a molecule scenario leaves for gates, and when it counts no more."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch
from wavegate.adapters.tried_roles import digest_role, find_tried, keep_tried
from wavegate.errors import WavegateError

EVIDENCE = Path(__file__).parents[2] / "molecule" / "shared" / "evidence.py"
ROLLOUT = """
name: patch
playbook: site.yml
gates:
  tried: {rehearsed: {within: 14d, roles: [nginx]}, interval: 200ms}
waves:
  - {name: all, hosts: all, before: tried}
"""
PLAYBOOK = "- hosts: all\n  gather_facts: false\n  roles: [nginx]\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("roles/nginx/tasks/main.yml", "roles/common/tasks/refuse.yml", "roles/other/tasks/main.yml"):
        file = tmp_path / "project" / name
        file.parent.mkdir(parents=True)
        file.write_text("- ansible.builtin.ping:\n")
    return tmp_path / "project"


def is_tried(project: Path) -> bool:
    found = find_tried(project, project, "nginx")
    return found.digest == found.tried_digest


@pytest.mark.parametrize("name", ["roles/nginx/tasks/main.yml", "roles/common/tasks/refuse.yml"])
def test_an_edit_of_the_role_or_of_what_it_shares_takes_the_evidence_away(project: Path, name: str) -> None:
    keep_tried(project, "nginx", ["nginx-12", "nginx-13"])
    assert is_tried(project)
    (project / name).write_text("- ansible.builtin.command: reboot\n")
    assert not is_tried(project)


def test_an_edit_of_another_role_does_not(project: Path) -> None:
    keep_tried(project, "nginx", ["nginx-12"])
    (project / "roles" / "other" / "tasks" / "main.yml").write_text("")
    assert is_tried(project)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": "x", "at": "yesterday", "hosts": []}'])
def test_evidence_that_cannot_be_read_is_none(project: Path, text: str) -> None:
    keep_tried(project, "nginx", ["nginx-12"]).write_text(text)
    assert find_tried(project, project, "nginx").tried_digest == ""


@pytest.mark.parametrize("role", ["nonesuch", "../secrets", ""])
def test_what_is_no_role_is_never_tried(project: Path, role: str) -> None:
    assert digest_role(project, role) == ""
    with pytest.raises(WavegateError, match="there is no role"):
        keep_tried(project, role, [])


def test_the_scenarios_last_step_writes_it(project: Path) -> None:
    command = [sys.executable, str(EVIDENCE), "nginx", "nginx-12", "nginx-13"]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    assert json.loads((project / ".wavegate" / "tried" / "nginx.json").read_text())["hosts"] == command[3:]
    assert is_tried(project)


def test_a_gate_opens_once_the_role_was_tried_and_not_before(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write("hosts.yml", f"all:\n  hosts: {{a: }}\n  vars: {{{LOCAL}}}\n")
    scratch.write("site.yml", PLAYBOOK)
    scratch.write("roles/nginx/tasks/main.yml", "- name: Ping\n  ansible.builtin.ping:\n")
    scratch.write("rollout.yml", ROLLOUT)
    held = scratch.wavegate("run", "rollout.yml", code=20)
    assert "nginx was never tried there and back" in held.stdout
    keep_tried(scratch.folder, "nginx", ["nginx-12"])
    gone_on = scratch.wavegate("resume")
    assert "tried PASS" in gone_on.stdout
