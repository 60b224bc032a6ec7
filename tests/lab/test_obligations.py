"""A real load balancer before real hosts: whatever happens, what a rollout drained is back in the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.balanced import Balanced
from tests.lab.conftest import wait_for
from tests.lab.test_faults import LOCAL, is_begun, kill, pids_of, standings, tells
from tests.lab.test_rollouts import left_over, make_rollout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

SCOPE = {
    "hosts": "pilot:department_finance",
    "waves": [{"name": "pilot", "hosts": "pilot"}, {"name": "finance", "hosts": "department_finance"}],
}
READY = {"drained": False, "maintenance": False, "up": True}
DRAINED = {**READY, "drained": True}
KEY = "intranet at balancer-1"


@pytest.fixture
def fleet(balanced: Balanced) -> Balanced:
    return balanced


@pytest.fixture(autouse=True)
def all_are_ready(fleet: Balanced) -> Iterator[None]:
    yield
    if fleet.faults("balancer-1"):  # the test failed before it healed it
        fleet.project.call("lab", "heal", "balancer-1")
    for host in ("pilot-1", "finance-1"):
        fleet.ask(f"set server intranet/{host} state ready")


def role(verb: str) -> dict[str, Any]:
    return {
        "name": f"{verb.title()} the host",
        "ansible.builtin.include_role": {"name": "balancer", "tasks_from": verb},
    }


def hold(fleet: Balanced, name: str) -> dict[str, Any]:
    """Return a task that goes on when the test says so."""
    return {
        "name": "Hold",
        "ansible.builtin.wait_for": {"path": str(go(fleet, name)), "timeout": 300},
        "delegate_to": "localhost",
        "become": False,
        "vars": LOCAL,
    }


def go(fleet: Balanced, name: str) -> Path:
    return fleet.project.root / ".wavegate" / f"go-{name}"


def hold_while_drained(fleet: Balanced, name: str, *then: dict[str, Any], **changes: Any) -> str:
    """Return a rollout file whose playbook waits, with the host drained, until the test lets it go on."""
    project = fleet.project
    tasks = [role("drain"), tells(project, name), hold(fleet, name), *then, role("undrain")]
    return make_rollout(project, name, tasks, **{**SCOPE, **changes})


def kill_all(fleet: Balanced, process: subprocess.Popen[str]) -> str:
    """Kill wavegate and everything that it started on this machine; return the rollout's id."""
    kill(process)
    rollout_id = str(fleet.project.read("history")["rollouts"][0]["id"])
    for pid in pids_of(rollout_id):
        os.kill(pid, signal.SIGKILL)
    return rollout_id


def killed_while_drained(fleet: Balanced, name: str, **changes: Any) -> str:
    process = fleet.project.start("run", hold_while_drained(fleet, name, **changes))
    wait_for(lambda: is_begun(fleet.project, name, "pilot-1"))
    assert fleet.servers()["pilot-1"] == DRAINED
    return kill_all(fleet, process)


def discharges(fleet: Balanced, name: str) -> list[tuple[str, ...]]:
    orders = fleet.project.events(name, "batch_submitted")
    return [tuple(order["hosts"]) for order in orders if order["obligation"] == KEY]


@dataclass
class Client:
    """Somebody who uses the service through the balancer all the time."""

    url: str
    served_by: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.over.is_set():
            try:
                with urllib.request.urlopen(self.url, timeout=10) as answer:
                    name = answer.headers["X-Served-By"]
                    self.served_by[name] = self.served_by.get(name, 0) + 1
            except (urllib.error.URLError, OSError) as error:
                self.failures.append(str(error))
            time.sleep(0.02)


@contextmanager
def somebody_at_work(fleet: Balanced) -> Iterator[Client]:
    client = Client(f"http://{fleet.project.address('balancer-1')}/healthz")
    thread = threading.Thread(target=client.run)
    thread.start()
    try:
        yield client
    finally:
        client.over.set()
        thread.join()


def test_each_host_is_drained_before_its_patch_and_back_after_it_and_no_request_is_lost(
    fleet: Balanced,
) -> None:
    project = fleet.project
    with somebody_at_work(fleet) as client:
        file = project.adapt("rollouts/drain-intranet.yml", name="drained", **SCOPE)
        talk = project.call("run", file, timeout=400)
    assert "pilot-1 takes out intranet at balancer-1; playbooks/undrain.yml puts it back" in talk
    assert {project.health(host)["version"] for host in ("pilot-1", "finance-1")} == {"1.1"}
    opened = {event["host"]: event["at"] for event in project.events("drained", "obligation_opened")}
    closed = {event["host"]: event["at"] for event in project.events("drained", "obligation_closed")}
    assert set(opened) == set(closed) == {"pilot-1", "finance-1"}
    assert all(opened[host] < closed[host] for host in opened)
    assert discharges(fleet, "drained") == []
    assert {host: fleet.servers()[host] for host in opened} == {"pilot-1": READY, "finance-1": READY}
    assert client.failures == []
    assert set(client.served_by) == {"pilot-1", "finance-1"}


def test_killed_between_drain_and_undrain_status_says_so_and_resume_puts_it_back_first(
    fleet: Balanced,
) -> None:
    name, project = "cut-off", fleet.project
    rollout_id = killed_while_drained(fleet, name)
    assert fleet.servers()["pilot-1"]["drained"]
    (open_one,) = project.read_any("status")["taken_out"]
    assert (open_one["host"], open_one["key"], open_one["undo"]) == (
        "pilot-1",
        KEY,
        "playbooks/undrain.yml",
    )
    assert "STILL taken out: intranet at balancer-1 on pilot-1" in project.call("status", code=None)

    go(fleet, name).touch()
    project.call("resume", timeout=400)
    orders = project.events(name, "batch_submitted")
    mine = [(order["procedures"][-1], order["obligation"]) for order in orders if "pilot-1" in order["hosts"]]
    assert mine == [("apply", ""), ("discharge", KEY), ("apply", "")]
    assert set(standings(project).values()) == {"done"}
    assert project.read("status")["taken_out"] == []
    assert {fleet.servers()[host]["drained"] for host in ("pilot-1", "finance-1")} == {False}
    assert left_over(rollout_id) == []


def test_a_halt_at_once_puts_back_before_it_stands_still(fleet: Balanced) -> None:
    name, project = "halted-at-once", fleet.project
    process = project.start("run", hold_while_drained(fleet, name))
    wait_for(lambda: is_begun(project, name, "pilot-1"))
    project.call("halt", "--now")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 130, out + err
    assert discharges(fleet, name) == [("pilot-1",)]
    assert fleet.servers()["pilot-1"] == READY
    project.call("abort", "--reason", "the test is over")


def test_an_abort_after_a_death_puts_back_and_ends_it(fleet: Balanced) -> None:
    name = "aborted"
    killed_while_drained(fleet, name)
    fleet.project.call("abort", "--reason", "no more", timeout=300)
    assert discharges(fleet, name) == [("pilot-1",)]
    assert fleet.servers()["pilot-1"] == READY
    assert fleet.project.read("history")["rollouts"][0]["status"] == "aborted"


@pytest.mark.parametrize("state", ["drain", "maint"])
def test_what_somebody_else_took_out_before_stays_out(fleet: Balanced, state: str) -> None:
    name, project = f"others-{state}", fleet.project
    fleet.ask(f"set server intranet/pilot-1 state {state}")
    before = fleet.servers()["pilot-1"]
    assert before["drained"] or before["maintenance"]
    go(fleet, name).touch()
    project.call("run", hold_while_drained(fleet, name), timeout=400)
    assert fleet.servers()["pilot-1"] == before
    assert [event["host"] for event in project.events(name, "obligation_opened")] == ["finance-1"]
    assert fleet.servers()["finance-1"] == READY


def test_a_host_that_fails_while_drained_is_back_before_the_rollout_halts(fleet: Balanced) -> None:
    name, project = "failing", fleet.project
    go(fleet, name).touch()
    fail = {"name": "Fail", "ansible.builtin.command": "false", "changed_when": False}
    talk = project.call("run", hold_while_drained(fleet, name, fail), code=30, timeout=400)
    assert discharges(fleet, name) == [("pilot-1",)]
    assert fleet.servers()["pilot-1"] == READY
    assert "still taken out" not in talk
    project.call("abort", "--reason", "the test is over")


def test_a_rollback_goes_first_and_then_the_host_is_put_back(fleet: Balanced) -> None:
    name, project = "rolled-back", fleet.project
    go(fleet, name).touch()
    play = {"name": "Back", "hosts": "all", "gather_facts": False, "tasks": []}
    project.write(f"playbooks/{name}-back.yml", [play])
    fail = {"name": "Fail", "ansible.builtin.command": "false", "changed_when": False}
    policy = {"on_breach": "rollback_wave", "rollback": f"playbooks/{name}-back.yml"}
    project.call("run", hold_while_drained(fleet, name, fail, **policy), code=31, timeout=400)
    orders = project.events(name, "batch_submitted")
    assert [order["procedures"] for order in orders] == [["apply"], ["rollback"], ["discharge"]]
    assert fleet.servers()["pilot-1"] == READY


def test_what_cannot_be_put_back_is_said_with_an_exit_code_of_its_own_until_it_is(fleet: Balanced) -> None:
    name, project = "stuck", fleet.project
    rollout_id = killed_while_drained(fleet, name)
    project.call("lab", "break", "stop", "balancer-1")
    talk = project.call("resume", code=32, timeout=400)
    assert "STILL taken out: intranet at balancer-1 on pilot-1" in talk
    assert f"put back what is taken out: wavegate resume {rollout_id}" in talk
    assert project.call("status", "--exit-code", code=32).count("STILL taken out") == 1
    started = [order["hosts"] for order in project.events(name, "batch_submitted")]
    assert ["finance-1"] not in started
    report = project.call("report", code=None)
    assert "Still taken out: intranet at balancer-1 on pilot-1" in " ".join(report.split())

    project.call("lab", "heal", "balancer-1")
    wait_for(lambda: fleet.servers()["pilot-1"]["drained"])  # a balancer that restarts forgets nothing
    go(fleet, name).touch()
    project.call("resume", timeout=400)
    assert set(standings(project).values()) == {"done"}
    assert {fleet.servers()[host]["drained"] for host in ("pilot-1", "finance-1")} == {False}
    assert project.read("status")["taken_out"] == []


def test_aborted_with_something_still_out_it_tells_how_to_put_it_back_by_hand(fleet: Balanced) -> None:
    name, project = "by-hand", fleet.project
    killed_while_drained(fleet, name)
    project.call("lab", "break", "stop", "balancer-1")
    project.call("abort", "--reason", "the balancer is gone", code=32, timeout=300)
    left = [line for line in project.read("report")["left"] if line.startswith("Still taken out")]
    command = left[0].partition("by hand: ")[2]
    assert command.startswith("ansible-playbook playbooks/undrain.yml --limit pilot-1 -e ")
    project.call("lab", "heal", "balancer-1")
    wait_for(lambda: fleet.servers()["pilot-1"]["drained"])
    done = fleet.shell(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert fleet.servers()["pilot-1"]["drained"] is False


def test_bare_ansible_playbook_drains_patches_and_puts_back_too(fleet: Balanced) -> None:
    before = len(json.loads(fleet.project.call("history", "--json"))["rollouts"])
    command = "ansible-playbook playbooks/patch-drained.yml --limit pilot-1 -e intranet_version=1.1"
    done = fleet.shell(command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert fleet.servers()["pilot-1"] == READY
    assert len(json.loads(fleet.project.call("history", "--json"))["rollouts"]) == before
