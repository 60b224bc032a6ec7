"""Markers in every secret of a batch, and a search for them wherever a batch leaves or shows something."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.unit.executor_world import Reports, World, order_for
from tests.unit.test_executor_lifecycle import marker, wait_until
from wavegate.adapters.executor.processes import find_processes
from wavegate.core.codec import encode
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Become

VAULTED = "vaulted-ma\"rk'er-1"
HIDDEN = "hidden-marker-2"
BECOME = "become-marker-3"
CONNECTION = "connection-marker-4"
VAULT_PASSWORD = "vault-marker-5"
FACT = "fact-marker-6"
KNOWN = frozenset({VAULTED, BECOME, CONNECTION, VAULT_PASSWORD})
MARKERS = ("ed-ma", "hidden-marker", "become-marker", "connection-marker", "vault-marker", "fact-marker")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inventory({"a": {"ansible_password": CONNECTION}, "b": {"ansible_password": CONNECTION}})
    yield world
    shutil.rmtree(tmp_path, ignore_errors=True)


def private(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


def encrypt(password_file: str, text: str) -> str:
    ansible_vault = Path(sys.executable).with_name("ansible-vault")
    return subprocess.run(
        [ansible_vault, "encrypt", "--vault-password-file", password_file],
        input=text,
        text=True,
        capture_output=True,
        check=True,
    ).stdout


def shell(name: str, script: str, **keywords: Any) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.command": {"argv": ["/bin/sh", "-c", script]}} | keywords


def read(path: str) -> str:
    """Return a template: when a task fails, Ansible prints the lines of the playbook around it."""
    return "{{ lookup('file', '" + path + "') }}"


def command_lines() -> str:
    found = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    return "\n".join(" ".join(line) for line in found)


def everything_in(folder: Path) -> str:
    texts = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    texts += [path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file()]
    return "\n".join(texts)


def found_in(text: str) -> list[str]:
    return [marker for marker in MARKERS if marker in text]


def test_no_secret_is_reported_kept_or_on_a_command_line(world: World) -> None:
    vault_file = private(world.root / "secret" / "vault", VAULT_PASSWORD)
    become_file = private(world.root / "secret" / "become", BECOME)
    fact = private(world.root / "secret" / "fact", FACT)
    hidden = private(world.root / "secret" / "hidden", HIDDEN)
    hold = f"echo $$ > {world.root}/started; while [ ! -e {world.root}/go ]; do sleep 0.1; done"
    says = {"ansible.builtin.fail": {"msg": "{{ dangerous }} {{ {'x': dangerous} | to_json }}"}}
    tasks = [
        shell("hold", hold, when="inventory_hostname == 'b'"),
        {"name": "say", "ansible.builtin.debug": {"msg": "{{ dangerous }} and {{ ansible_password }}"}},
        {"name": "fact", "ansible.builtin.set_fact": {"loud": read(fact)}, "no_log": True},
        shell("hide", f"cat {hidden}; exit 3", no_log=True, when="inventory_hostname == 'b'"),
        {"name": "leak", **says, "when": "inventory_hostname == 'a'"},
    ]
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    variables = {"dangerous": {"__ansible_vault": encrypt(vault_file, VAULTED)}}
    with world.executor(
        variables=variables,
        vault_password_files=(vault_file,),
        become=Become(enabled=False, password_file=become_file),
        secrets=KNOWN,
    ) as executor:
        reports = Reports(executor=executor)
        executor.submit(order_for("a", "b"), reports)
        wait_until((world.root / "started").exists)
        lines = command_lines()
        modes = {path: path.stat().st_mode & 0o077 for path in [world.work, *world.work.glob("batches/*/*")]}
        (world.root / "go").touch()
        finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.FAILED, "b": Outcome.FAILED}
    assert "********" in finished.hosts["a"].reason
    assert finished.hosts["b"].reason.startswith("the output has been hidden")
    assert '"msg": "******** and ********"' in world.output(finished)
    assert found_in(json.dumps([encode(event) for event in finished.reported])) == []
    assert found_in(everything_in(world.work)) == []
    assert "ansible-playbook" in lines
    assert found_in(lines) == []
    assert set(modes.values()) == {0}


def test_nothing_of_the_runner_is_left_and_the_output_is_private(world: World) -> None:
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": []}])
    finished = world.play(order_for("a"), variables={"x": "y"})
    left = sorted(str(path.relative_to(world.work)) for path in world.work.rglob("*"))
    assert left == ["batches", "batches/pilot.1", "batches/pilot.1/output.txt"]
    assert (world.work / finished.end.output).stat().st_mode & 0o777 == 0o600


def test_vaulted_variables_reach_the_playbook_in_clear(world: World) -> None:
    vault_file = private(world.root / "secret" / "vault", VAULT_PASSWORD)
    target = world.root / "told"
    copy = {"ansible.builtin.copy": {"content": "{{ dangerous }}", "dest": str(target), "mode": "0600"}}
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": [copy | {"no_log": True}]}])
    variables = {"dangerous": {"__ansible_vault": encrypt(vault_file, VAULTED)}}
    finished = world.play(order_for("a"), variables=variables, vault_password_files=(vault_file,))
    assert finished.outcomes == {"a": Outcome.DONE}
    assert target.read_text() == VAULTED


def test_facts_do_not_end_up_in_what_is_reported(world: World) -> None:
    world.write("site.yml", [{"hosts": "all", "tasks": []}])
    finished = world.play(order_for("a"))
    assert finished.outcomes == {"a": Outcome.DONE}
    assert len(json.dumps([encode(event) for event in finished.reported])) < 1000
    assert find_processes(marker(world)) == []
