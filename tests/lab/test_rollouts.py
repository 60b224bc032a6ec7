"""Whole rollouts on real hosts, through the command line: the demo's acts, deaths, faults, two at once."""

from __future__ import annotations

import json
import signal
import urllib.request
from typing import Any

import psutil
import pytest

from tests.lab.conftest import Project, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

MARKS = "/var/tmp/wavegate-marks"
MARK = {
    "name": "Mark",
    "ansible.builtin.shell": f"echo {{{{ wavegate_rollout_id }}}} >> {MARKS}",
    "changed_when": True,
}
WAIT = {"name": "Take some time", "ansible.builtin.command": "sleep 3", "changed_when": False}
WAVES = [{"name": "pilot", "hosts": "pilot"}, {"name": "rest", "hosts": "all", "batch": 2}]


def make_rollout(project: Project, name: str, tasks: list[dict[str, Any]], **changes: Any) -> str:
    play = {"name": "Work", "hosts": "all", "gather_facts": False, "become": True, "tasks": tasks}
    project.write(f"playbooks/{name}.yml", [play])
    rollout = {
        "name": name,
        "playbook": f"playbooks/{name}.yml",
        "inventory": "inventories/lab",
        "waves": WAVES,
    }
    return project.write(f"rollouts/{name}.yml", {**rollout, **changes})


def marks_on(project: Project, rollout_id: str) -> dict[str, int]:
    """Return how often each host was marked by the rollout, as Ansible itself reads it."""
    task = {
        "name": "Look",
        "ansible.builtin.command": f"grep -c {rollout_id} {MARKS}",
        "register": "look",
        "changed_when": False,
        "failed_when": False,
    }
    tell = {
        "name": "Tell",
        "ansible.builtin.copy": {
            "content": "{{ look.stdout | default('0') }}",
            "dest": f"{project.root}/.wavegate/count-{rollout_id}-{{{{ inventory_hostname }}}}",
            "mode": "0600",
        },
        "delegate_to": "localhost",
        "become": False,
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
    }
    project.call("run", make_rollout(project, "look", [task, tell], waves=[{"name": "all", "hosts": "all"}]))
    found = (project.root / ".wavegate").glob(f"count-{rollout_id}-*")
    return {path.name.split("-", 2)[2]: int(path.read_text() or 0) for path in found}


def answers(project: Project) -> set[tuple[str, str, str]]:
    hosts = [host["name"] for host in project.read("lab", "status")["hosts"]]
    return {(h["version"], h["library"], h["state"]) for h in map(project.health, hosts)}


@pytest.fixture(scope="module")
def patched(project: Project) -> Project:
    """The first two acts of the demo: every host has 1.1 and a backup of 1.0."""
    project.call("run", "rollouts/install-intranet.yml")
    assert answers(project) == {("1.0", "1.0", "ok")}
    project.call("run", "rollouts/patch-intranet.yml")
    assert answers(project) == {("1.1", "1.1", "ok")}
    return project


def test_a_bad_patch_is_stopped_at_the_pilot_and_taken_back(patched: Project) -> None:
    document = json.dumps({"title": "written before the bad patch"}).encode()
    url = f"http://{patched.address('pilot-1')}:8080/documents"
    with urllib.request.urlopen(urllib.request.Request(url, document, method="POST"), timeout=5) as answer:
        assert answer.status == 201
    before = patched.health("pilot-1")

    talk = patched.call("run", "rollouts/patch-intranet-bad.yml", code=31)
    assert "gate healthy after wave pilot: FAIL" in talk
    assert [host["name"] for host in patched.read("report")["hosts"] if host["tries"]] == ["pilot-1"]
    assert patched.health("pilot-1") == before
    assert answers(patched) == {("1.1", "1.1", "ok")}


def test_probe_measures_and_changes_nothing(patched: Project) -> None:
    patched.call("probe", "rollouts/patch-intranet.yml")
    patched.call("lab", "break", "service", "sales-1")
    try:
        talk = patched.call("probe", "rollouts/patch-intranet.yml", code=30)
        assert "sales-1" in talk
        assert "service intranet is" in talk
    finally:
        patched.call("lab", "heal", "sales-1")
    patched.call("probe", "rollouts/patch-intranet.yml")


def test_a_full_disk_stops_the_change_before_it_starts(patched: Project) -> None:
    patched.call("lab", "break", "full-disk", "pilot-1")
    try:
        talk = patched.call("run", "rollouts/patch-intranet-bad.yml", code=None)
        report = patched.read("report")
    finally:
        patched.call("lab", "heal", "pilot-1")
    assert report["rollout"]["status"] in {"halted", "rolled_back"}, talk
    assert answers(patched) == {("1.1", "1.1", "ok")}


def test_a_killed_rollout_says_so_and_resume_ends_it(project: Project) -> None:
    file = make_rollout(project, "killed", [WAIT, MARK])
    process = project.start("run", file)
    wait_for(lambda: len(project.events("killed", "batch_submitted")) == 2)
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert "died" in project.call("status", code=None)
    refusal = project.call("run", file, code=20)
    assert "wavegate resume" in refusal
    project.call("resume")
    rollout_id = project.read("history")["rollouts"][0]["id"]
    states = {host["name"]: host["standing"] for host in project.read("report")["hosts"]}
    assert set(states.values()) == {"done"}
    marks = marks_on(project, rollout_id)
    assert set(marks) == set(states)
    assert marks["pilot-1"] == 1
    assert set(marks.values()) <= {1, 2}
    assert sum(count == 2 for count in marks.values()) <= 2
    assert left_over(rollout_id) == []


def left_over(rollout_id: str) -> list[str]:
    """Return the command lines of processes that still belong to the rollout."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("WAVEGATE_BATCH", "").startswith(rollout_id):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_the_first_interrupt_lets_hosts_in_flight_end_and_resume_goes_on(project: Project) -> None:
    file = make_rollout(project, "interrupted", [WAIT, MARK])
    process = project.start("run", file)
    wait_for(lambda: project.events("interrupted", "batch_submitted"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert [event["outcome"] for event in project.events("interrupted", "host_finished")] == ["done"]
    project.call("resume")
    rollout_id = project.read("history")["rollouts"][0]["id"]
    assert set(marks_on(project, rollout_id).values()) == {1}


def test_the_second_interrupt_stops_what_is_in_flight(project: Project) -> None:
    slow = {**WAIT, "ansible.builtin.command": "sleep 300"}
    process = project.start("run", make_rollout(project, "stopped", [slow]))
    wait_for(lambda: project.events("stopped", "batch_submitted"))
    process.send_signal(signal.SIGINT)
    wait_for(lambda: project.events("stopped", "stop_requested"))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert project.events("stopped", "batch_ended")[0]["status"] == "canceled"
    assert left_over(project.read("history")["rollouts"][0]["id"]) == []
    project.call("abort", "--reason", "the test is over")


def test_a_second_run_of_the_same_rollout_is_refused(project: Project) -> None:
    file = make_rollout(project, "twice", [WAIT, WAIT])
    process = project.start("run", file)
    try:
        wait_for(lambda: project.events("twice", "rollout_started"))
        assert "rollout-locked" in project.call("run", file, code=41)
    finally:
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err


@pytest.mark.parametrize("fault", ["stop", "sshd", "hang", "partition"])
def test_a_host_that_does_not_answer_halts_the_rollout_and_is_named(project: Project, fault: str) -> None:
    name = f"lost-{fault}"
    file = make_rollout(project, name, [MARK])
    project.call("lab", "break", fault, "finance-1")
    try:
        talk = project.call("run", file, code=30)
    finally:
        project.call("lab", "heal", "finance-1")
    ends = {event["host"]: event["outcome"] for event in project.events(name, "host_finished")}
    assert ends == {"pilot-1": "done", "finance-1": "unreachable", "finance-2": "done"}
    assert "finance-1" in talk


def test_a_host_that_hangs_in_a_task_times_out_and_leaves_no_process_here(project: Project) -> None:
    begun = project.root / ".wavegate" / "begun"
    local = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    tell = {
        "name": "Tell that the host is in flight",
        "ansible.builtin.copy": {"content": "", "dest": str(begun), "mode": "0600"},
        "delegate_to": "localhost",
        "become": False,
        "vars": local,
    }
    # Over the connection that this opens, a frozen host hangs; a new connection would find it unreachable.
    connect = {"name": "Open the connection", "ansible.builtin.command": "true", "changed_when": False}
    slow = {"name": "Hang here", "ansible.builtin.command": "sleep 600", "changed_when": False}
    file = make_rollout(project, "hanging", [connect, tell, slow], batch_timeout="30s")
    process = project.start("run", file)
    wait_for(begun.exists)
    project.call("lab", "break", "hang", "pilot-1")
    try:
        out, err = process.communicate(timeout=120)
    finally:
        project.call("lab", "heal", "pilot-1")
    assert process.returncode == 30, out + err
    assert [event["outcome"] for event in project.events("hanging", "host_finished")] == ["timed_out"]
    assert left_over(project.read("history")["rollouts"][0]["id"]) == []
