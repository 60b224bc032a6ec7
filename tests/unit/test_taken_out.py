"""What is taken out, through the command line: exit codes, status, reports, in projects of many shapes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch

CHANGE = """
- hosts: all
  gather_facts: false
  tasks:
    - wavegate_obligation: {key: pool, undo: undo.yml}
    - ansible.builtin.file: {path: "{{ state }}/out-{{ inventory_hostname }}", state: touch}
    - ansible.builtin.command: test ! -e {{ state }}/break
      changed_when: false
    - ansible.builtin.file: {path: "{{ state }}/out-{{ inventory_hostname }}", state: absent}
    - wavegate_obligation: {key: pool, state: closed}
"""
UNDO = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.command: test ! -e {{ state }}/stuck
      changed_when: false
    - ansible.builtin.file: {path: "{{ state }}/out-{{ inventory_hostname }}", state: absent}
"""
ROLLOUT = "name: x\nplaybook: change.yml\nwaves: [{name: first, hosts: one}, {name: rest, hosts: all}]\n"


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """Two local hosts in somebody's project, which knows nothing of wavegate's plugins."""
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\naction_plugins = mine\n")
    scratch.write("hosts.yml", f"all: {{hosts: {{one: , two: }}, vars: {{{LOCAL}, state: {tmp_path}}}}}\n")
    scratch.write("change.yml", CHANGE)
    scratch.write("undo.yml", UNDO)
    scratch.write("x.yml", ROLLOUT)
    return scratch


def flag(project: Scratch, name: str) -> Path:
    return project.folder.parent / name


def stuck(project: Scratch) -> str:
    """Halt the rollout with the first host still taken out; return what was said."""
    flag(project, "break").touch()
    flag(project, "stuck").touch()
    done = project.wavegate("run", "x.yml", code=32)
    assert flag(project, "out-one").exists()
    return done.stdout + done.stderr


def test_the_users_own_action_plugins_go_on_working_beside_ours(project: Scratch) -> None:
    project.write(
        "mine/shout.py",
        """
        from ansible.plugins.action import ActionBase

        class ActionModule(ActionBase):
            def run(self, tmp=None, task_vars=None):
                return {"changed": False, "msg": "SHOUTED"}
        """,
    )
    project.write("library/shout.py", "#!/usr/bin/python\n")
    with_shout = CHANGE.replace("  tasks:\n", "  tasks:\n    - shout:\n", 1)
    project.write("change.yml", with_shout)
    project.wavegate("run", "x.yml")
    assert not flag(project, "out-one").exists()
    assert project.json("status", "--json")["taken_out"] == []


def test_what_cannot_be_put_back_has_an_exit_code_of_its_own_and_resume_tries_again(project: Scratch) -> None:
    said = stuck(project)
    assert "STILL taken out: pool on one" in said
    assert "put back what is taken out: wavegate resume" in said
    assert project.wavegate("status", "--exit-code", code=32).stdout.count("STILL taken out") == 1
    project.wavegate("resume", code=32)
    flag(project, "stuck").unlink()
    project.wavegate("resume", code=30)
    assert not flag(project, "out-one").exists()
    assert project.json("status", "--json")["taken_out"] == []
    flag(project, "break").unlink()
    project.wavegate("retry")


def test_tick_tells_it_too(project: Scratch) -> None:
    stuck(project)
    assert "is halted; still taken out: pool on one" in project.wavegate("tick", code=32).stderr


def test_an_abort_puts_back_first(project: Scratch) -> None:
    stuck(project)
    flag(project, "stuck").unlink()
    project.wavegate("abort", "--reason", "no more")
    assert not flag(project, "out-one").exists()


def test_an_abort_whose_material_is_gone_names_what_is_still_out(project: Scratch) -> None:
    stuck(project)
    shutil.rmtree(project.folder / ".wavegate" / "material")
    said = project.wavegate("abort", "--reason", "no more", code=32).stdout
    assert "still taken out: pool on one" in " ".join(said.split())
    (left,) = [line for line in project.json("report", "--json")["left"] if "Still taken out" in line]
    assert "ansible-playbook undo.yml --limit one -e" in left


def test_an_undo_playbook_that_is_not_there_takes_nothing_out(project: Scratch) -> None:
    (project.folder / "undo.yml").unlink()
    said = project.wavegate("run", "x.yml", code=30)
    assert "there is no playbook 'undo.yml' in the project" in " ".join((said.stdout + said.stderr).split())
    assert not flag(project, "out-one").exists()


@pytest.mark.parametrize("words", [("init",), ("init", "--demo")], ids=["new", "demo"])
def test_bare_ansible_playbook_finds_the_plugins_that_init_wrote(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    project = Scratch(tmp_path / "mine")
    project.folder.mkdir()
    project.wavegate(*words)
    project.write("hosts.yml", f"all: {{hosts: {{one: }}, vars: {{{LOCAL}, state: {tmp_path}}}}}\n")
    project.write("change.yml", CHANGE + "    - wavegate_pin: {key: k, value: '1'}\n")
    done = project.call("ansible-playbook", "-i", "hosts.yml", "change.yml")
    assert "failed=0" in done.stdout
    assert not (tmp_path / "out-one").exists()
