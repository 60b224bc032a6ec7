"""`wavegate init` as a newcomer meets it: what it writes works at once, and what was there stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch
from wavegate.adapters.scaffold import scaffold
from wavegate.adapters.scaffold.scaffold import find_playbook
from wavegate.errors import WavegateError

PLAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.ping:\n"
HOSTS = f"all: {{hosts: {{a: {{{LOCAL}}}, b: {{{LOCAL}}}}}}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    folder = tmp_path / "a project größer"
    folder.mkdir()
    return Scratch(folder)


def test_in_an_empty_folder_the_first_rollout_works_at_once(project):
    said = project.wavegate("init").stderr
    assert "next:  wavegate plan rollouts/hello.yml" in said
    project.wavegate("validate", "rollouts/hello.yml")
    assert "3 hosts in 2 waves" in project.wavegate("plan", "rollouts/hello.yml").stdout
    ran = project.wavegate("run", "rollouts/hello.yml").stdout
    assert "3 of 3 hosts done" in ran


def test_a_folder_that_is_not_there_is_made_and_the_next_step_leads_into_it(tmp_path):
    said = Scratch(tmp_path).wavegate("init", "my first").stderr
    assert "next:  cd 'my first' && wavegate plan rollouts/hello.yml" in said
    Scratch(tmp_path / "my first").wavegate("plan", "rollouts/hello.yml")


def an_ansible_project(project: Scratch) -> None:
    project.write("ansible.cfg", "[defaults]\ninventory=./stock\nhost_key_checking = False\n")
    project.write("stock/hosts.yml", HOSTS)
    project.write("group_vars/all.yml", "x: 1\n")
    project.write("requirements.yml", "roles: []\n")
    project.write("a-tasks.yml", "- ansible.builtin.ping:\n")
    project.write("site.yml", PLAY)


def test_beside_an_ansible_project_no_file_is_touched_and_the_plan_works_at_once(project):
    an_ansible_project(project)
    before = project.checksums()
    project.wavegate("init")
    after = project.checksums()
    assert {name: after.get(name) for name in before} == before
    assert set(after) - set(before) == {"rollouts/site.yml"}
    project.wavegate("validate", "rollouts/site.yml")
    assert "2 hosts in 2 waves" in project.wavegate("plan", "rollouts/site.yml").stdout


def test_a_second_call_changes_nothing_and_says_so(project):
    project.wavegate("init")
    before = project.checksums()
    said = project.wavegate("init").stderr
    assert project.checksums() == before
    assert "wrote" not in said
    assert "kept   rollouts/hello.yml (it was there before)" in said


@pytest.mark.parametrize(
    ("files", "rollout", "lines"),
    [
        ({"playbooks/change.yml": PLAY, "hosts": "a\n"}, "rollouts/change.yml", ["inventory: hosts"]),
        ({"main.yml": PLAY, "b.yml": PLAY, "hosts.ini": "a\n"}, "rollouts/main.yml", ["playbook: main.yml"]),
        (
            {"Über alles.yml": PLAY, "inventories/prod/h.yml": HOSTS, "inventories/test/h.yml": HOSTS},
            "rollouts/uber-alles.yml",
            ['playbook: "Über alles.yml"', "inventory: inventories/prod"],
        ),
        ({"#1: x.yml": PLAY, "inventory/h": "a\n"}, "rollouts/1-x.yml", ['playbook: "#1: x.yml"']),
        ({"站点.yml": PLAY, "hosts.yml": HOSTS}, "rollouts/rollout.yml", ["name: rollout"]),
        ({"it's.yml": PLAY, "production": "a\n"}, "rollouts/it-s.yml", ["inventory: production"]),
    ],
)
def test_projects_of_many_shapes_can_be_planned_at_once(project, files, rollout, lines):
    for name, text in files.items():
        project.write(name, text)
    written = scaffold(project.folder)
    assert (written.rollout, written.advice) == (rollout, ())
    text = (project.folder / rollout).read_text(encoding="utf-8").splitlines()
    assert set(lines) <= set(text)
    project.wavegate("plan", rollout)


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        ({"site.yml": PLAY}, "no inventory was found"),
        (
            {"site.yml": PLAY, "inventories/a/h.yml": HOSTS, "inventories/b/h.yml": HOSTS},
            "inventories has several: a, b",
        ),
    ],
)
def test_an_inventory_is_asked_for_rather_than_guessed(project, files, advice):
    for name, text in files.items():
        project.write(name, text)
    said = " ".join(project.wavegate("init").stderr.split())
    assert f"first: {advice}: name yours at `inventory:` in rollouts/site.yml" in said


@pytest.mark.parametrize(
    "locked", ["!vault |\n      $ANSIBLE_VAULT;1.1;AES256\n      00", "!unsafe '{{ x }}'"]
)
def test_playbooks_with_ansibles_own_tags_are_found(project, locked):
    project.write("change.yml", f"- hosts: all\n  vars:\n    x: {locked}\n")
    project.write("broken.yml", "a: [\n")
    assert find_playbook(project.folder) == "change.yml"


@pytest.mark.parametrize(("name", "is_folder"), [("rollouts", False), ("rollouts/hello.yml", True)])
def test_what_is_in_the_way_is_named_and_nothing_is_written(project, name, is_folder):
    if is_folder:
        (project.folder / name).mkdir(parents=True)
    else:
        project.write(name, "mine\n")
    before = project.checksums()
    failed = project.wavegate("init", code=40)
    assert "init-in-the-way" in failed.stderr
    assert name in failed.stderr
    assert project.checksums() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_clear_error(project):
    project.folder.chmod(0o555)
    with pytest.raises(WavegateError) as caught:
        scaffold(project.folder)
    assert caught.value.code == "init-not-writable"


def test_a_folder_that_cannot_be_made_is_one_clear_error():
    failed = Scratch(Path("/")).wavegate("init", "/proc/nowhere", code=40)
    assert "init-not-writable" in failed.stderr


def test_the_demo_brings_its_role_playbooks_and_rollouts(project):
    said = project.wavegate("init", "--demo").stderr
    assert "wavegate lab up" in said
    files = set(project.checksums())
    assert {"ansible.cfg", "roles/intranet/tasks/main.yml", "playbooks/patch.yml"} <= files
    assert {"roles/balancer/files/haproxy.py", "plugins/action/wavegate_pin.py"} <= files
    rollouts = sorted(name for name in files if name.startswith("rollouts/") and name.endswith(".yml"))
    assert "rollouts/patch-intranet.yml" in rollouts
    project.wavegate("validate", *rollouts)
    without_a_lab = project.wavegate("plan", "rollouts/install-intranet.yml", code=40)
    assert "there is no such inventory" in " ".join(without_a_lab.stderr.split())
    host = f"{{ansible_host: 127.0.0.1, {LOCAL}}}"
    pilot = f"pilot: {{hosts: {{a: {host}}}}}"
    lab = f"all: {{children: {{intranet: {{hosts: {{b: {host}}}, children: {{{pilot}}}}}}}}}\n"
    project.write("inventories/lab/hosts.yml", lab)
    project.wavegate("plan", "rollouts/install-intranet.yml")


def test_the_demo_overwrites_nothing_and_says_what_a_kept_configuration_lacks(project):
    project.write("ansible.cfg", "[defaults]\n")
    project.write("playbooks/patch.yml", "mine\n")
    said = " ".join(project.wavegate("init", "--demo").stderr.split())
    assert (project.folder / "playbooks/patch.yml").read_text() == "mine\n"
    assert "the demo needs `roles_path = roles` in it" in said
