"""The local executor over real SSH: shared connections, unreachable hosts, what a cancel leaves on a host."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.lab.conftest import Project
from tests.unit.executor_world import Reports, World, order_for
from tests.unit.test_executor_lifecycle import wait_until
from wavegate.adapters.executor.processes import find_processes
from wavegate.core.outcomes import Outcome

pytestmark = pytest.mark.lab

HOSTS = ("finance-1", "finance-2", "north-1")
UNREACHABLE = {"all": {"hosts": {"north-1": {"ansible_port": 9}}}}


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.material.mkdir()
    return world


@pytest.fixture
def inventory(project: Project) -> Path:
    return project.root / "inventories" / "lab" / "hosts.yml"


def launch(inventory: Path, *more: str) -> dict[str, Any]:
    return {"inventory": (str(inventory), *more)}


def play(*tasks: dict[str, Any], **keywords: Any) -> list[dict[str, Any]]:
    return [{"hosts": "all", "gather_facts": False, "tasks": list(tasks)} | keywords]


def masters(runtime: Path) -> list[psutil.Process]:
    titles = (
        (process, " ".join(process.info["cmdline"] or ())) for process in psutil.process_iter(["cmdline"])
    )
    return [process for process, title in titles if title.startswith(f"ssh: {runtime}/")]


def test_batches_share_their_connections_and_closing_ends_them(world: World, inventory: Path) -> None:
    world.write("site.yml", play({"ansible.builtin.ping": {}}, become=True))
    with world.executor(**launch(inventory)) as executor:
        runtime = executor._runtime
        for batch in ("pilot.1", "pilot.2"):
            reports = Reports()
            executor.submit(order_for(*HOSTS, batch=batch), reports)
            assert reports.wait().outcomes == dict.fromkeys(HOSTS, Outcome.DONE)
            if batch == "pilot.1":
                first = {process.pid for process in masters(runtime)}
        sockets = [
            path
            for path in runtime.iterdir()
            if stat.S_ISSOCK(path.stat().st_mode) and not path.name.startswith("warm-")
        ]
        assert len(sockets) == len(HOSTS)
        assert {process.pid for process in masters(runtime)} == first
        assert find_processes(f"{executor._launch.rollout_id}/pilot.1") == []
    assert masters(runtime) == []
    assert not runtime.exists()


def test_an_unreachable_host_is_told_apart_from_the_others_at_once(world: World, inventory: Path) -> None:
    world.write("dead.yml", UNREACHABLE)
    world.write("site.yml", play({"name": "reach", "ansible.builtin.ping": {}}))
    finished = world.play(order_for(*HOSTS), **launch(inventory, "dead.yml"))
    assert finished.outcomes == {
        "finance-1": Outcome.DONE,
        "finance-2": Outcome.DONE,
        "north-1": Outcome.UNREACHABLE,
    }
    assert "port 9" in finished.hosts["north-1"].reason
    assert finished.hosts["north-1"].task == "reach (site.yml:4)"


def test_cancel_ends_the_remote_task_where_it_has_a_terminal(world: World, inventory: Path) -> None:
    sleeps = {"ansible.builtin.command": {"argv": ["sleep", "4567"]}}
    begun = {"ansible.builtin.copy": {"content": "", "dest": f"{world.root}/begun", "mode": "0600"}}
    local = begun | {"delegate_to": "localhost", "run_once": True, "connection": "local"}
    world.write("site.yml", play(local, sleeps))
    with world.executor(**launch(inventory)) as executor:
        reports = Reports()
        executor.submit(order_for("finance-1"), reports)
        wait_until((world.root / "begun").exists)
        wait_until(lambda: remote_sleeps(inventory) == "1")
        executor.cancel("pilot.1")
        finished = reports.wait()
        assert finished.end.status == "canceled"
        wait_until(lambda: remote_sleeps(inventory) == "0")


def remote_sleeps(inventory: Path) -> str:
    """Return how many of the task's processes run on the host, as ssh over the shared connection sees it."""
    everything = yaml.safe_load(inventory.read_text())["all"]
    common = everything["vars"]
    address = everything["children"]["intranet"]["children"]["department_finance"]["hosts"]["finance-1"][
        "ansible_host"
    ]
    found = subprocess.run(
        [
            "ssh",
            *shlex.split(common["ansible_ssh_common_args"]),
            "-i",
            common["ansible_ssh_private_key_file"],
            f"{common['ansible_user']}@{address}",
            "pgrep -fc '^sleep 4567' || true",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip()
