"""A batch that is forked from a process with Ansible loaded is like one that loads Ansible itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.unit.executor_world import Finished, Reports, World, order_for, wait_until
from wavegate.adapters.executor import LocalExecutor
from wavegate.adapters.executor.inside import warm_server
from wavegate.adapters.executor.warm import WarmAnsible
from wavegate.core.outcomes import Outcome

LOOK = """
import json, os, sys


def stat_of(pid):
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()


def environ_of(pid):
    return open(f"/proc/{pid}/environ", errors="surrogateescape").read().split("\\0")


marker = f"WAVEGATE_BATCH={os.environ['WAVEGATE_BATCH']}"
pid = str(os.getpid())
while marker in environ_of(stat_of(pid)[1]):
    pid = stat_of(pid)[1]
stat, environ = stat_of(pid), environ_of(pid)
status = dict(line.split(":", 1) for line in open(f"/proc/{pid}/status"))
json.dump({
    "parent": int(stat[1]),
    "leads": stat[2] == stat[3] == pid,
    "terminal": int(stat[4]) != 0,
    "foreground": stat[5] == pid,
    "hangup ignored": bool(int(status["SigIgn"], 16) & 1),
    "umask": status["Umask"].strip(),
    "folder": os.readlink(f"/proc/{pid}/cwd"),
    "streams": [os.readlink(f"/proc/{pid}/fd/{n}").rpartition("/")[0] for n in (0, 1, 2)],
    "marker": [entry for entry in environ if entry.startswith("WAVEGATE_BATCH")],
    "environment": {name: value for name, value in os.environ.items() if name != "OLDPWD"},
}, open(sys.argv[1], "w"))
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.inventory({"a": {}, "b": {}})
    world.write("look.py", LOOK)
    argv = [sys.executable, str(world.material / "look.py"), "{{ facts }}"]
    tasks = [{"ansible.builtin.command": {"argv": argv}}]
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    return world


def go(world: World, executor: LocalExecutor, batch: str = "pilot.1") -> tuple[Finished, dict[str, Any]]:
    """Run a batch that looks at its own ansible-playbook; return its end and what it saw."""
    reports = Reports()
    executor.submit(order_for("a", batch=batch), reports)
    finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.DONE}, world.output(finished)
    facts: dict[str, Any] = json.loads((world.root / "facts").read_text())
    return finished, facts


def facts_variable(world: World) -> dict[str, Any]:
    return {"variables": {"facts": str(world.root / "facts")}}


def is_warm(executor: LocalExecutor, facts: dict[str, Any]) -> bool:
    process = executor._warm._process
    return process is not None and facts["parent"] == process.pid


def load_cold(self: WarmAnsible, cold: list[str], env: Any, folder: str) -> list[str]:
    return list(cold)


def test_warm_batch_is_what_a_cold_one_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.executor(**facts_variable(world)) as executor:
        _, warm = go(world, executor)
        assert is_warm(executor, warm)
    monkeypatch.setattr(WarmAnsible, "command", load_cold)
    with world.executor(**facts_variable(world)) as executor:
        _, cold = go(world, executor)
        assert cold["parent"] == os.getpid()
    for facts in (warm, cold):
        del facts["parent"], facts["environment"]["ANSIBLE_SSH_CONTROL_PATH_DIR"]  # new for each executor
    assert warm == cold
    assert warm["leads"]
    assert warm["terminal"]
    assert warm["hangup ignored"]
    assert warm["marker"] == [f"WAVEGATE_BATCH={world.launch().rollout_id}/pilot.1"]


def test_one_process_loads_ansible_for_all_batches(world: World) -> None:
    with world.executor(**facts_variable(world)) as executor:
        parents = {go(world, executor, batch)[1]["parent"] for batch in ("pilot.1", "pilot.2")}
    assert len(parents) == 1
    assert parents != {os.getpid()}
    assert not psutil.pid_exists(parents.pop()), "it is gone when the executor is closed"


def test_batch_in_another_environment_loads_ansible_itself(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.executor(**facts_variable(world)) as executor:
        go(world, executor)
        monkeypatch.setenv("ANSIBLE_FORCE_HANDLERS", "true")
        _, facts = go(world, executor, "pilot.2")
    assert facts["parent"] == os.getpid()
    assert facts["environment"]["ANSIBLE_FORCE_HANDLERS"] == "true"


def test_batch_whose_marker_is_too_long_to_be_shown_loads_ansible_itself(world: World) -> None:
    with world.executor(**(facts_variable(world) | {"rollout_id": "r" * 1500})) as executor:
        _, facts = go(world, executor)
    assert facts["parent"] == os.getpid()


def test_batches_go_on_without_the_warm_process(world: World) -> None:
    with world.executor(**facts_variable(world)) as executor:
        go(world, executor)
        process = executor._warm._process
        assert process is not None
        process.kill()
        process.wait()
        _, facts = go(world, executor, "pilot.2")
    assert facts["parent"] == os.getpid()


def test_batch_whose_warm_process_is_killed_goes_on(world: World) -> None:
    hold = f"touch {world.root}/started; while [ ! -e {world.root}/go ]; do sleep 0.1; done"
    tasks = [{"ansible.builtin.shell": hold}, {"ansible.builtin.debug": {"msg": "later"}}]
    world.write("site.yml", [{"hosts": "all", "gather_facts": False, "tasks": tasks}])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("a"), reports)
        wait_until((world.root / "started").exists)
        process = executor._warm._process
        assert process is not None
        process.kill()
        (world.root / "go").touch()
        finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.DONE}


def test_what_ansible_warns_of_when_it_is_loaded_is_said_in_every_batch(world: World) -> None:
    world.write("ansible.cfg", "[defaults]\nlog_path = /nowhere/at/all.log\n")
    with world.executor(**facts_variable(world)) as executor:
        for batch in ("pilot.1", "pilot.2"):
            finished, facts = go(world, executor, batch)
            assert is_warm(executor, facts)
            assert "/nowhere/at/all.log" in world.output(finished)


def test_each_batch_has_a_temporary_folder_of_its_own_and_removes_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = world.root / "tmp"
    folder.mkdir()
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", str(folder))
    with world.executor(**facts_variable(world)) as executor:
        go(world, executor)
        process = executor._warm._process
        assert process is not None
        assert [path.name.startswith(f"ansible-local-{process.pid}") for path in folder.iterdir()] == [True]
    assert not list(folder.iterdir())


def test_exit_code_is_that_of_ansible(world: World) -> None:
    world.write("site.yml", [{"hosts": "all", "tasks": "none"}])
    finished = world.play(order_for("a"))
    assert finished.end.detail.startswith("ansible-playbook ended with 4"), finished.end.detail


def test_warm_process_ends_when_wavegate_is_killed(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from wavegate.adapters.executor.warm import WarmAnsible
warm = WarmAnsible(Path(sys.argv[1]))
warm.command(["ansible-playbook"], {**os.environ, "PATH": str(Path(sys.executable).parent)}, sys.argv[1])
print(warm._process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as wavegate:
        assert wavegate.stdout is not None
        server = psutil.Process(int(wavegate.stdout.readline()))
        wavegate.send_signal(signal.SIGKILL)
    wait_until(lambda: not server.is_running() or server.status() == psutil.STATUS_ZOMBIE)


def test_marker_is_shown_whatever_its_length(tmp_path: Path) -> None:
    program = f"""
import sys
sys.path.insert(0, {str(Path(warm_server.__file__).parent)!r})
import warm_server
warm_server.mark(sys.argv[1])
print(open("/proc/self/environ").read(), end="")
"""
    for length in (1, 7, 60, 97):
        marker = "m" * length
        env = {"FIRST": "1", "WAVEGATE_BATCH": "-" * 100, "LAST": "2"}
        shown = subprocess.run(
            [sys.executable, "-c", program, marker], env=env, capture_output=True, text=True, check=True
        ).stdout.split("\0")
        assert shown[:2] == ["FIRST=1", f"WAVEGATE_BATCH={marker}"]
        assert "LAST=2" in shown
