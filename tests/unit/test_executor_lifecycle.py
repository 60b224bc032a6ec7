"""Stopping, crashing, several batches at once: what lives on, what is left, what is said."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.unit.executor_world import Reports, World, order_for, wait_until
from wavegate.adapters.executor.processes import find_processes
from wavegate.core.events import BatchEnded
from wavegate.core.outcomes import Outcome

PATIENCE = 60.0


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inventory({"a": {}, "b": {}, "c": {}})
    yield world
    shutil.rmtree(tmp_path, ignore_errors=True)


def shell(script: str, **keywords: Any) -> dict[str, Any]:
    return {"name": "shell", "ansible.builtin.command": {"argv": ["/bin/sh", "-c", script]}} | keywords


def play(*tasks: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"hosts": "all", "gather_facts": False, "tasks": list(tasks)} | keywords


def marker(world: World, batch: str = "pilot.1") -> str:
    return f"{world.launch().rollout_id}/{batch}"


def sleeping(world: World, stubborn: str = "") -> dict[str, Any]:
    """Return a task that hangs on `b` once it has said so in a file, and writes `late` if left alone."""
    # Renamed into place: whoever sees the file reads a whole number in it.
    said = f"echo $$ > {world.root}/saying; mv {world.root}/saying {world.root}/started"
    script = f"{stubborn} {said}; sleep 30; touch {world.root}/late"
    return shell(script, when="inventory_hostname == 'b'")


FAIL_A = {"name": "break a", "ansible.builtin.fail": {"msg": "broken"}, "when": "inventory_hostname == 'a'"}


@pytest.mark.parametrize("stubborn", ["", "trap '' TERM INT HUP;"])
def test_cancel_ends_every_process_before_it_says_so(world: World, stubborn: str) -> None:
    world.write("site.yml", [play(FAIL_A, sleeping(world, stubborn))])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("a", "b", "c"), reports)
        wait_until((world.root / "started").exists)
        task = psutil.Process(int((world.root / "started").read_text()))
        executor.cancel("pilot.1")
        finished = reports.wait()
    assert find_processes(marker(world)) == []
    assert not task.is_running() or task.status() == psutil.STATUS_ZOMBIE
    assert not (world.root / "late").exists()
    assert finished.end.status == "canceled"
    assert finished.outcomes == {"a": Outcome.FAILED}, "only certain outcomes are reported"


def test_cancel_at_once_does_not_miss_the_process_that_is_just_starting(world: World) -> None:
    world.write("site.yml", [play(sleeping(world))])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("b"), reports)
        executor.cancel("pilot.1")
        finished = reports.wait()
    assert finished.end.status == "canceled"
    assert find_processes(marker(world)) == []
    assert not (world.root / "late").exists()


def test_cancel_of_an_unknown_batch_does_nothing(world: World) -> None:
    with world.executor() as executor:
        executor.cancel("nobody.7")


def test_a_batch_that_takes_too_long_is_ended_and_its_hosts_are_timed_out(world: World) -> None:
    world.write("site.yml", [play(FAIL_A, sleeping(world), serial=2)])
    finished = world.play(order_for("a", "b", "c"), timeout=4.0)
    assert finished.end.status == "timed_out"
    assert finished.outcomes == {
        "a": Outcome.FAILED,
        "b": Outcome.TIMED_OUT,
        "c": Outcome.NOT_STARTED,
    }
    assert finished.hosts["b"].reason == "after 4 s"
    assert find_processes(marker(world)) == []
    assert not (world.root / "late").exists()


def test_a_killed_ansible_playbook_is_no_success_and_leaves_no_worker(world: World) -> None:
    world.write("site.yml", [play(sleeping(world))])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("a", "b"), reports)
        wait_until((world.root / "started").exists)
        main = min(find_processes(marker(world)), key=lambda process: process.create_time())
        main.kill()
        finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.ABORTED, "b": Outcome.ABORTED}
    assert finished.end.status == "ended"
    assert "was killed" in finished.end.detail
    assert find_processes(marker(world)) == []


RUN_AND_WAIT = """
import json, sys
sys.path[:0] = json.loads(sys.argv[2])
from pathlib import Path
from tests.unit.executor_world import Reports, World, order_for
world = World(Path(sys.argv[1]))
with world.executor(rollout_id="crash") as executor:
    reports = Reports()
    executor.submit(order_for("a", "b", "c"), reports)
    reports.wait()
"""


def crash(world: World) -> None:
    """Start a batch in another process, and kill that one as soon as host b is busy."""
    path = json.dumps([str(Path(__file__).parents[2]), *sys.path])
    parent = subprocess.Popen([sys.executable, "-c", RUN_AND_WAIT, str(world.root), path])
    wait_until((world.root / "started").exists)
    parent.send_signal(signal.SIGKILL)
    parent.wait()


def test_collect_finds_the_survivors_and_returns_what_is_certain(world: World) -> None:
    world.write("site.yml", [play(FAIL_A, sleeping(world))])
    crash(world)
    assert find_processes("crash/pilot.1"), "the batch outlived its parent"
    with world.executor(rollout_id="crash") as executor:
        executor._survivor_limit = 1.0
        outcomes = executor.collect(order_for("a", "b", "c"))
        again = executor.collect(order_for("a", "b", "c"))
        executor.acknowledge(BatchEnded("pilot.1", "lost"))
    assert {found.host: found.outcome for found in outcomes} == {"a": Outcome.FAILED}
    assert again == outcomes, "nothing is forgotten before it is in the journal"
    assert outcomes[0].reason == "broken"
    assert find_processes("crash/pilot.1") == []
    assert not (world.root / "late").exists()
    assert not (world.work / "batches" / "pilot.1" / "runner").exists()


def test_collect_waits_for_survivors_and_reads_what_they_wrote_after_the_crash(world: World) -> None:
    hold = f"echo $$ > {world.root}/started; while [ ! -e {world.root}/go ]; do sleep 0.1; done"
    late = shell("echo too late; exit 1")
    world.write("site.yml", [play(shell(hold, when="inventory_hostname == 'b'", failed_when=True), late)])
    crash(world)
    (world.root / "go").touch()
    with world.executor(rollout_id="crash") as executor:
        outcomes = executor.collect(order_for("a", "b", "c"))
    assert {found.host: found.outcome for found in outcomes} == {"b": Outcome.FAILED}


def test_collect_of_a_batch_that_left_nothing_returns_nothing(world: World) -> None:
    with world.executor() as executor:
        assert executor.collect(order_for("a")) == ()


def test_several_batches_at_once_do_not_disturb_each_other_or_this_process(world: World) -> None:
    world.write("site.yml", [play(FAIL_A, shell("echo $PWD"))])
    before = (Path.cwd(), [signal.getsignal(number) for number in signal.valid_signals()])
    with world.executor() as executor:
        everyone = {name: Reports() for name in "abc"}
        for host, reports in everyone.items():
            executor.submit(order_for(host, batch=f"wave.{host}"), reports)
        outcomes = {host: reports.wait().outcomes for host, reports in everyone.items()}
    assert outcomes == {
        "a": {"a": Outcome.FAILED},
        "b": {"b": Outcome.DONE},
        "c": {"c": Outcome.DONE},
    }
    assert before == (Path.cwd(), [signal.getsignal(number) for number in signal.valid_signals()])


def test_a_batch_can_be_submitted_outside_of_the_main_thread(world: World) -> None:
    world.write("site.yml", [play(shell("true"))])
    reports = Reports()
    with world.executor() as executor:
        thread = threading.Thread(target=executor.submit, args=(order_for("a"), reports))
        thread.start()
        assert reports.wait().outcomes == {"a": Outcome.DONE}


def test_a_batch_name_of_any_characters_stays_inside_its_folder(world: World) -> None:
    world.write("site.yml", [play(shell("true"))])
    finished = world.play(order_for("a", batch="../../up, and: über.1"))
    assert finished.outcomes == {"a": Outcome.DONE}
    assert (world.work / finished.end.output).resolve().is_relative_to(world.work / "batches")


def test_a_second_batch_of_the_same_name_forgets_the_first_ones_leftovers(world: World) -> None:
    world.write("site.yml", [play(FAIL_A)])
    assert world.play(order_for("a")).outcomes == {"a": Outcome.FAILED}
    world.write("site.yml", [play(shell("true"))])
    assert world.play(order_for("a")).outcomes == {"a": Outcome.DONE}


def test_closing_leaves_no_folder_of_its_own_behind(world: World) -> None:
    with world.executor() as executor:
        runtime = executor._runtime
        assert runtime.stat().st_mode & 0o777 == 0o700
        assert len(str(runtime)) < 60
    assert not runtime.exists()


def test_after_a_crash_the_next_executor_takes_over_the_folder_of_control_sockets(world: World) -> None:
    with world.executor() as first, world.executor() as second:
        assert first._runtime == second._runtime


def test_a_process_that_slept_while_another_one_took_over_starts_nothing(world: World) -> None:
    world.write("site.yml", [play(shell(f"touch {world.root}/late"))])
    order = order_for("a")
    with world.executor() as sleeper, world.executor() as successor:
        assert successor.collect(order) == ()
        reports = Reports()
        sleeper.submit(order, reports)
        finished = reports.wait()
    assert (finished.end.status, finished.outcomes) == ("canceled", {})
    assert not (world.root / "late").exists()


def test_a_surviving_batch_starts_no_further_task_once_it_is_fenced(world: World) -> None:
    hold = f"echo $$ > {world.root}/started; while [ ! -e {world.root}/go ]; do sleep 0.1; done"
    world.write("site.yml", [play(shell(hold), shell(f"touch {world.root}/late"))])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("a"), reports)
        wait_until((world.root / "started").exists)
        (world.work / "batches" / "pilot.1" / "fence").touch()
        (world.root / "go").touch()
        finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.ABORTED}
    assert "another process has taken this rollout over" in world.output(finished)
    assert not (world.root / "late").exists()


def test_a_task_carries_its_batch_and_its_host_in_its_environment(world: World) -> None:
    say = shell(f"echo $WAVEGATE_TASK > {world.root}/mark-{{{{ inventory_hostname }}}}")
    world.write("site.yml", [play(say)])
    world.play(order_for("a", "b"))
    rollout = world.launch().rollout_id
    for host in ("a", "b"):
        assert (world.root / f"mark-{host}").read_text() == f"{rollout}/pilot.1@{host}\n"


def test_a_task_that_outlived_its_batch_is_waited_for_and_nothing_is_started_beside_it(world: World) -> None:
    wait = f"while [ ! -e {world.root}/go ]; do sleep 0.1; done; sleep 4; touch {world.root}/gone"
    hold = f"trap '' TERM; echo $$ > {world.root}/started; {wait}"
    orphan = {
        "name": "leave a task behind",
        "ansible.builtin.command": {"argv": ["setsid", "--fork", "sh", "-c", hold]},
    }
    world.write("site.yml", [play(orphan)])
    assert world.play(order_for("a")).outcomes == {"a": Outcome.DONE}
    wait_until((world.root / "started").exists)
    world.write("site.yml", [play(shell(f"cp {world.root}/gone {world.root}/late"))])
    with world.executor() as executor:
        reports = Reports()
        executor.submit(order_for("a", batch="pilot.1-try2", procedures=("settle", "apply")), reports)
        wait_until((world.work / "batches" / "pilot.1-try2" / "output.txt").exists)
        (world.root / "go").touch()
        finished = reports.wait()
    assert finished.outcomes == {"a": Outcome.DONE}
    assert (world.root / "late").exists(), "it was started only when the task left behind had ended"
