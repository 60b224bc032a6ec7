"""Payloads of modules are kept between batches, and only where a new one would be the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.executor_world import Finished, World, order_for
from wavegate.core.outcomes import Outcome

MODULE = """#!/usr/bin/python
from ansible.module_utils.basic import AnsibleModule
from {utils} import WORD
module = AnsibleModule(argument_spec={{"password": {{"no_log": True}}}})
module.exit_json(msg="{text} " + WORD)
"""
OWN = "ansible.module_utils.greeting"
COLLECTION = "ansible_collections.acme.tools.plugins.module_utils.greeting"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.inventory({"a": {}})
    world.write("ansible.cfg", "[defaults]\nmodule_utils = module_utils\n")
    return world


def play(world: World, *tasks: dict[str, Any], batch: str = "pilot.1") -> str:
    """Run the tasks in a batch of their own; return what Ansible printed."""
    verbose = {"ansible.builtin.debug": {"var": "said.msg"}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [*tasks, verbose]}])
    finished: Finished = world.play(order_for("a", batch=batch), cache=world.root / "cache")
    output = world.output(finished)
    assert finished.outcomes == {"a": Outcome.DONE}, output
    return output


def kept(world: World) -> dict[str, int]:
    """Return the kept payloads and when each was written."""
    return {path.name: path.stat().st_ino for path in (world.root / "cache/payloads").glob("*.payload")}


def greet(name: str = "greet") -> dict[str, Any]:
    return {name: {"password": "open-sesame"}, "register": "said"}


def test_second_batch_builds_no_module_anew(world: World) -> None:
    world.write("library/greet.py", MODULE.format(utils=OWN, text="hello"))
    world.write("module_utils/greeting.py", 'WORD = "world"\n')
    assert "hello world" in play(world, greet())
    first = kept(world)
    assert len(first) == 1
    assert "hello world" in play(world, greet(), batch="pilot.2")
    assert kept(world) == first


def test_changed_module_and_changed_module_utils_are_noticed(world: World) -> None:
    world.write("library/greet.py", MODULE.format(utils=OWN, text="hello"))
    world.write("module_utils/greeting.py", 'WORD = "world"\n')
    assert "hello world" in play(world, greet())
    world.write("module_utils/greeting.py", 'WORD = "fleet"\n')
    assert "hello fleet" in play(world, greet(), batch="pilot.2")
    world.write("library/greet.py", MODULE.format(utils=OWN, text="howdy"))
    assert "howdy fleet" in play(world, greet(), batch="pilot.3")


def test_changed_module_utils_of_a_collection_are_noticed(world: World) -> None:
    base = "collections/ansible_collections/acme/tools/plugins"
    world.write(f"{base}/modules/greet.py", MODULE.format(utils=COLLECTION, text="hello"))
    world.write(f"{base}/module_utils/__init__.py", "")
    world.write(f"{base}/module_utils/greeting.py", 'WORD = "world"\n')
    assert "hello world" in play(world, greet("acme.tools.greet"))
    world.write(f"{base}/module_utils/greeting.py", 'WORD = "fleet"\n')
    assert "hello fleet" in play(world, greet("acme.tools.greet"), batch="pilot.2")
    before = kept(world)
    assert "hello fleet" in play(world, greet("acme.tools.greet"), batch="pilot.3")
    assert kept(world) == before


def test_modules_of_two_roles_with_one_name_are_not_mixed_up(world: World) -> None:
    world.write("module_utils/greeting.py", 'WORD = "world"\n')
    for role in ("red", "blue"):
        world.write(f"roles/{role}/library/greet.py", MODULE.format(utils=OWN, text=role))
        world.write(f"roles/{role}/tasks/main.yml", [greet()])
    assert "red world" in play(world, {"ansible.builtin.import_role": {"name": "red"}})
    output = play(world, {"ansible.builtin.import_role": {"name": "blue"}}, batch="pilot.2")
    assert "blue world" in output


def test_damaged_payload_is_built_anew(world: World) -> None:
    world.write("library/greet.py", MODULE.format(utils=OWN, text="hello"))
    world.write("module_utils/greeting.py", 'WORD = "world"\n')
    play(world, greet())
    (payload,) = (world.root / "cache/payloads").glob("*.payload")
    payload.write_bytes(payload.read_bytes()[:-100])
    assert "hello world" in play(world, greet(), batch="pilot.2")


def test_folder_that_others_may_write_to_is_not_used(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = world.root / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    world.write("ansible.cfg", "")
    monkeypatch.setenv("WAVEGATE_PAYLOADS", str(folder))
    world.write(
        "site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]
    )
    finished = world.play(order_for("a"))
    assert finished.outcomes == {"a": Outcome.DONE}
    assert not list(folder.iterdir())


def test_arguments_are_not_kept(world: World) -> None:
    world.write("library/greet.py", MODULE.format(utils=OWN, text="hello"))
    world.write("module_utils/greeting.py", 'WORD = "world"\n')
    play(world, greet())
    files = [path for path in (world.root / "cache").rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert b"open-sesame" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0
