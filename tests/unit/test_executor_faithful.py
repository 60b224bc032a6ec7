"""Somebody's playbook goes on working unchanged: a batch shows it what ansible-playbook would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.executor_world import World, order_for
from wavegate.adapters.executor.environment import build_environment, vault_arguments
from wavegate.adapters.executor.launch import BatchFolder
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Become, Procedure
from wavegate.resources import plugins_dir

MODULE = """\
#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
AnsibleModule({}).exit_json(msg="adjacent module")
"""
FILTER = "class FilterModule:\n    def filters(self):\n        return {'shout': str.upper}\n"
CALLBACK = """\
DOCUMENTATION = "name: mine\\ntype: notification\\nshort_description: mine"
from ansible.plugins.callback import CallbackBase
class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mine"
    CALLBACK_NEEDS_ENABLED = True
    def v2_playbook_on_stats(self, stats):
        open("{path}", "w").close()
"""
SEEN = {
    "dir": "{{ playbook_dir | basename }}",
    "play": "{{ ansible_play_name }}",
    "beside_playbook": "{{ beside_playbook }}",
    "beside_inventory": "{{ beside_inventory }}",
    "role": "{{ from_role }}",
    "vars_file": "{{ from_vars_file }}",
    "filter": "{{ 'loud' | shout }}",
    "module": "{{ told.msg }}",
    "extra": "{{ extra }}",
    "hosts": "{{ ansible_play_hosts_all | sort }}",
    "all": "{{ groups['all'] | sort }}",
    "other": "{{ hostvars['b'].colour }}",
    "tags": "{{ ansible_run_tags }}",
    "limit": "{{ ansible_limit is defined }}",
    "batch": "{{ wavegate_rollout_id is defined }} {{ wavegate_batch }}",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inventory({"a": {"colour": "red"}, "b": {"colour": "blue"}})
    yield world
    shutil.rmtree(tmp_path, ignore_errors=True)


def lay_out_project(world: World, target: Path) -> None:
    world.write("group_vars/all.yml", {"beside_inventory": "yes"})
    world.write("deep/books/group_vars/all.yml", {"beside_playbook": "yes"})
    world.write("deep/books/vars/more.yml", {"from_vars_file": "yes"})
    world.write("deep/books/roles/mine/defaults/main.yml", {"from_role": "yes"})
    world.write("deep/books/roles/mine/tasks/main.yml", [{"adjacent_module": {}, "register": "told"}])
    world.write("deep/books/library/adjacent_module.py", MODULE)
    world.write("deep/books/filter_plugins/shouting.py", FILTER)
    seen = {"ansible.builtin.copy": {"content": "{{ seen | to_json }}", "dest": str(target), "mode": "0600"}}
    world.write("deep/books/tasks/write.yml", [seen | {"vars": {"seen": SEEN}}])
    play = {
        "name": "theirs",
        "hosts": "all",
        "gather_facts": False,
        "vars_files": ["vars/more.yml"],
        "roles": ["mine"],
        "post_tasks": [{"ansible.builtin.include_tasks": "tasks/write.yml"}],
    }
    world.write("deep/books/inner.yml", [play])
    world.write("deep/books/site.yml", [{"import_playbook": "inner.yml"}])


def test_a_playbook_sees_its_own_folder_and_the_whole_fleet(world: World) -> None:
    target = world.root / "seen.json"
    lay_out_project(world, target)
    books = {Procedure.APPLY: ("deep/books/site.yml",)}
    finished = world.play(order_for("a"), playbooks=books, variables={"extra": [1, "two"]})
    assert finished.outcomes == {"a": Outcome.DONE}, finished
    assert json.loads(target.read_text()) == {
        "dir": "books",
        "play": "theirs",
        "beside_playbook": "yes",
        "beside_inventory": "yes",
        "role": "yes",
        "vars_file": "yes",
        "filter": "LOUD",
        "module": "adjacent module",
        "extra": [1, "two"],
        "hosts": ["a"],
        "all": ["a", "b"],
        "other": "blue",
        "tags": ["all"],
        "limit": True,
        "batch": "True pilot.1",
    }


def test_a_collections_playbook_runs_by_its_name(world: World) -> None:
    target = world.root / "told"
    copy = {"ansible.builtin.copy": {"content": "{{ from_role }}", "dest": str(target), "mode": "0600"}}
    base = "collections/ansible_collections/our/tools"
    world.write(f"{base}/galaxy.yml", {"namespace": "our", "name": "tools", "version": "1.0.0"})
    world.write(f"{base}/roles/mine/defaults/main.yml", {"from_role": "collection"})
    world.write(f"{base}/roles/mine/tasks/main.yml", [copy])
    world.write(f"{base}/playbooks/site.yml", [{"hosts": "all", "gather_facts": False, "roles": ["mine"]}])
    world.write("ansible.cfg", "[defaults]\ncollections_path = collections\n")
    finished = world.play(order_for("a"), playbooks={Procedure.APPLY: ("our.tools.site",)})
    assert finished.outcomes == {"a": Outcome.DONE}, finished
    assert target.read_text() == "collection"


def test_ansible_cfg_is_obeyed_and_its_callbacks_run(world: World) -> None:
    called, target = world.root / "called", world.root / "strategy"
    world.write("plugins/callback/mine.py", CALLBACK.replace("{path}", str(called)))
    config = "[defaults]\nstrategy = free\ncallback_plugins = plugins/callback\ncallbacks_enabled = mine\n"
    world.write("ansible.cfg", config + "any_errors_fatal = True\nstdout_callback = minimal\n")
    asked = "{{ lookup('config', 'DEFAULT_STRATEGY', 'HOST_KEY_CHECKING') | to_json }}"
    copy = {"ansible.builtin.copy": {"content": asked, "dest": str(target), "mode": "0600"}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [copy]}])
    paths = [str(world.material / "plugins/callback")]
    settings = {"DEFAULT_CALLBACK_PLUGIN_PATH": {"value": paths, "origin": "ansible.cfg"}}
    finished = world.play(order_for("a"), settings=settings)
    assert finished.outcomes == {"a": Outcome.DONE}, finished
    assert json.loads(target.read_text()) == ["free", True]
    assert called.exists()


@pytest.mark.parametrize(("written", "seen"), [("False", False), ("True", True)])
def test_host_key_checking_stays_what_the_user_configured(world: World, written: str, seen: bool) -> None:
    target = world.root / "checking"
    world.write("ansible.cfg", f"[defaults]\nhost_key_checking = {written}\n")
    asked = "{{ lookup('config', 'HOST_KEY_CHECKING') | to_json }}"
    copy = {"ansible.builtin.copy": {"content": asked, "dest": str(target), "mode": "0600"}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [copy]}])
    world.play(order_for("a"))
    assert json.loads(target.read_text()) is seen


def test_the_users_fact_cache_is_used_and_carries_facts_from_batch_to_batch(world: World) -> None:
    cache = world.root / "cache"
    lines = ["[defaults]", "fact_caching = jsonfile", f"fact_caching_connection = {cache}"]
    world.write("ansible.cfg", "\n".join(lines))
    fact = {"ansible.builtin.set_fact": {"colour_then": "{{ colour }}", "cacheable": True}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [fact]}])
    world.play(order_for("a"))
    check = {"ansible.builtin.assert": {"that": ["hostvars['a'].colour_then == 'red'"]}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [check]}])
    assert world.play(order_for("b")).outcomes == {"b": Outcome.DONE}


def test_a_nested_ansible_playbook_is_not_taken_for_the_batch(world: World) -> None:
    inner = [
        {"hosts": "all", "gather_facts": False, "tasks": [{"name": "inner", "ansible.builtin.fail": {}}]}
    ]
    world.write("inner.yml", inner)
    call = {"argv": ["ansible-playbook", "-i", "a,b,x", "-c", "local", "inner.yml"]}
    task = {"name": "nested", "ansible.builtin.command": call, "failed_when": False}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [task]}])
    finished = world.play(order_for("a"))
    assert finished.outcomes == {"a": Outcome.DONE}
    assert finished.end.detail == ""


def test_the_snapshot_stands_for_every_source(world: World) -> None:
    from wavegate.adapters.ansible import ask
    from wavegate.ports import Question

    target = world.root / "seen"
    world.write("group_vars/all.yml", {"beside_inventory": "yes"})
    shown = "{{ groups['all'] | sort }} {{ hostvars['b'].colour }} {{ beside_inventory }}"
    copy = {"ansible.builtin.copy": {"content": shown, "dest": str(target), "mode": "0600"}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [copy]}])
    answer = ask(Question(inventory=("hosts.sh",)), world.material)
    snapshot = world.root / "snapshot.json"
    snapshot.write_text(json.dumps(answer.snapshot))
    world.write("hosts.sh", "#!/bin/sh\nexit 9\n")
    finished = world.play(order_for("a"), snapshot=snapshot, settings=answer.settings)
    assert finished.outcomes == {"a": Outcome.DONE}, finished
    assert target.read_text() == "['a', 'b'] blue yes"


def environment(world: World, inherited: dict[str, str] | None = None, **changes: Any) -> dict[str, str]:
    launch = world.launch(**changes)
    folder = BatchFolder.of(launch, "pilot.1")
    return build_environment(launch, "pilot.1", folder, Path("/tmp/wg-x"), inherited or {})


def test_settings_that_point_into_the_project_point_into_the_frozen_copy(world: World) -> None:
    settings = {
        "CONFIG_FILE": {"value": str(world.root / "project/ansible.cfg"), "origin": "ansible"},
        "DEFAULT_ROLES_PATH": {"value": [str(world.root / "project/roles"), "/usr/share/roles"]},
        "COLLECTIONS_PATHS": {"value": ["/usr/share/collections"]},
        "DEFAULT_MODULE_PATH": {"value": ["/usr/share/modules"]},
    }
    env = environment(world, settings=settings)
    assert env["ANSIBLE_CONFIG"] == f"{world.material}/ansible.cfg"
    assert env["ANSIBLE_ROLES_PATH"] == f"{world.material}/roles:/usr/share/roles"
    assert "ANSIBLE_COLLECTIONS_PATH" not in env
    assert env["ANSIBLE_LIBRARY"] == f"/usr/share/modules:{plugins_dir()}/modules"


def test_password_files_stay_where_they_are_because_they_are_never_copied(world: World) -> None:
    settings = {
        "DEFAULT_VAULT_PASSWORD_FILE": {"value": f"{world.root}/project/.vault"},
        "DEFAULT_VAULT_IDENTITY_LIST": {"value": ["prod@.prod", "/s/plain"]},
        "BECOME_PASSWORD_FILE": {"value": None},
    }
    env = environment(world, settings=settings, become=Become(enabled=True, password_file="secret/become"))
    project = f"{world.root}/project"
    assert env["ANSIBLE_VAULT_PASSWORD_FILE"] == f"{project}/.vault"
    assert env["ANSIBLE_VAULT_IDENTITY_LIST"] == f"prod@{project}/.prod,/s/plain"
    assert env["ANSIBLE_BECOME_PASSWORD_FILE"] == f"{project}/secret/become"


def test_become_and_vault_files_are_named_by_path_only(world: World) -> None:
    become = Become(enabled=True, user="root", method="sudo", password_file="/s/become")
    env = environment(world, become=become)
    assert {key: value for key, value in env.items() if key.startswith("ANSIBLE_BECOME")} == {
        "ANSIBLE_BECOME": "True",
        "ANSIBLE_BECOME_USER": "root",
        "ANSIBLE_BECOME_METHOD": "sudo",
        "ANSIBLE_BECOME_PASSWORD_FILE": "/s/become",
        "ANSIBLE_BECOME_ASK_PASS": "false",
    }
    launch = world.launch(vault_password_files=("/s/one", "prod@/s/two words", "secret/three"))
    project = str(world.root / "project")
    assert vault_arguments(launch) == [
        "--vault-id", "/s/one", "--vault-id", "prod@/s/two words", "--vault-id", f"{project}/secret/three",
    ]  # fmt: skip
