"""What a person does to a rollout that stands still or walks: retry, skip, rollback, halt, abort, tick."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch, clean_environment

HOSTS = ("one", "two", "three")


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project of three local hosts in two waves; what a host gets is a file, and flags make it fail."""
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write(
        "hosts.yml",
        f"""
        all:
          hosts: {{one: , two: , three: }}
          vars: {{{LOCAL}, state: {tmp_path}}}
        """,
    )
    scratch.write(
        "apply.yml",
        """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.command: test ! -e {{ state }}/break-{{ inventory_hostname }}
              changed_when: false
            - ansible.builtin.shell: while [ -e {{ state }}/hold ]; do sleep 0.1; done
              changed_when: false
            - ansible.builtin.shell: echo {{ word }} >> {{ state }}/got-{{ inventory_hostname }}
        """,
    )
    scratch.write(
        "back.yml",
        """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.file: {path: "{{ state }}/got-{{ inventory_hostname }}", state: absent}
        """,
    )
    scratch.write("x.yml", rollout())
    return scratch


def rollout(**more: str) -> str:
    lines = {
        "name": "x",
        "playbook": "apply.yml",
        "rollback": "back.yml",
        "vars": "{word: new}",
        "waves": "[{name: first, hosts: one}, {name: rest, hosts: all, batch: 1}]",
        **more,
    }
    return "".join(f"{key}: {value}\n" for key, value in lines.items())


def state_of(project: Scratch) -> Path:
    return project.folder.parent


def got(project: Scratch) -> dict[str, int]:
    """Return how often each host got the change."""
    files = state_of(project).glob("got-*")
    return {path.name.removeprefix("got-"): len(path.read_text().split()) for path in files}


def halted(project: Scratch) -> None:
    (state_of(project) / "break-three").touch()
    project.wavegate("run", "x.yml", code=30)
    (state_of(project) / "break-three").unlink()


def test_a_halted_rollout_waits_for_a_decision_and_says_which(project: Scratch) -> None:
    halted(project)
    assert "wavegate retry" in project.json("status", "--json")["waits_for"]
    refused = project.wavegate("resume", code=30).stderr
    assert "error[rollout-halted]" in refused
    assert "bad hosts 1 > tolerated 0 in wave rest: three" in refused
    assert "error[rollout-open]" in project.wavegate("run", "x.yml", code=20).stderr


def test_retry_does_the_bad_host_again_and_goes_on(project: Scratch) -> None:
    halted(project)
    project.wavegate("retry")
    assert got(project) == dict.fromkeys(HOSTS, 1)
    assert project.json("report", "--json")["rollout"]["status"] == "completed"


def test_a_skipped_host_is_left_out_and_the_rest_is_done(project: Scratch) -> None:
    halted(project)
    rollout_id = project.json("history", "--json")["rollouts"][0]["id"]
    assert "host-unknown" in project.wavegate("skip", rollout_id, "tree", "--reason", "x", code=40).stderr
    project.wavegate("skip", rollout_id, "three", "--reason", "it is replaced")
    project.wavegate("resume")
    assert got(project) == {"one": 1, "two": 1}
    three = next(host for host in project.json("report", "--json")["hosts"] if host["name"] == "three")
    assert three["standing"] == "skipped"


def test_a_completed_rollout_can_be_rolled_back_though_its_inventory_was_forgotten(project: Scratch) -> None:
    project.wavegate("run", "x.yml")
    assert not list(project.folder.glob(".wavegate/rollouts/*/inventory.json"))
    project.wavegate("rollback", code=2)
    project.wavegate("rollback", "--wave", "rest", code=31)
    assert got(project) == {"one": 1}
    project.wavegate("rollback", "--all", code=31)
    assert got(project) == {}
    assert "has changed nothing" in project.wavegate("rollback", "--all", code=40).stderr


def test_hosts_are_chosen_by_an_ansible_pattern(project: Scratch) -> None:
    project.wavegate("run", "x.yml")
    refused = project.wavegate("rollback", "--hosts", "all:!tree", code=40).stderr
    assert "error[host-unknown]" in refused
    assert "did you mean three?" in refused
    project.wavegate("rollback", "--hosts", "all:!one", code=31)
    assert got(project) == {"one": 1}


def test_abort_makes_room_for_a_new_rollout(project: Scratch) -> None:
    halted(project)
    project.wavegate("abort", "--reason", "fixed forward")
    assert project.json("status", "--json")["status"] == "aborted"
    project.wavegate("run", "x.yml")
    assert got(project) == {"one": 2, "two": 1, "three": 1}


def walking(project: Scratch) -> subprocess.Popen[str]:
    """Start a rollout whose first host is held in flight."""
    (state_of(project) / "hold").touch()
    process = subprocess.Popen(
        [sys.executable, "-m", "wavegate", "run", "x.yml"],
        cwd=project.folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "batch first.1" in line:
            break
    return process


def test_halt_from_another_terminal_lets_what_is_in_flight_end(project: Scratch) -> None:
    process = walking(project)
    assert "first stop it: wavegate halt" in project.wavegate("retry", code=40).stderr
    project.wavegate("halt", "--no-wait")
    (state_of(project) / "hold").unlink()
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert got(project) == {"one": 1}
    assert "nobody walks it" in project.wavegate("halt", code=40).stderr
    project.wavegate("resume")
    assert got(project) == dict.fromkeys(HOSTS, 1)


def test_halt_now_stops_what_is_in_flight_and_waits_until_it_stands_still(project: Scratch) -> None:
    process = walking(project)
    project.wavegate("halt", "--now")
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert got(project) == {}
    (state_of(project) / "hold").unlink()
    project.wavegate("resume")
    assert got(project) == dict.fromkeys(HOSTS, 1)


GATED = {
    "probes": "{well: {command: {argv: ['true']}, scope: once}}",
    "gates": "{soaked: {probes: [well], interval: 1s, soak: 4s}}",
    "waves": "[{name: all, hosts: all, after: soaked}]",
}


def test_ticks_carry_a_rollout_through_a_soak_with_nobody_waiting(project: Scratch) -> None:
    assert project.wavegate("tick", "--all").returncode == 0
    project.write("x.yml", rollout(**GATED))
    project.wavegate("run", "x.yml", "--no-wait", code=10)
    assert got(project) == dict.fromkeys(HOSTS, 1)
    assert project.json("status", "--json")["status"] == "waiting"
    project.wavegate("status", "--exit-code", code=10)
    codes = []
    while not codes or codes[-1] == 10:
        codes.append(project.wavegate("tick", code=None).returncode)
    assert codes[-1] == 0
    assert got(project) == dict.fromkeys(HOSTS, 1)
    assert project.json("status", "--json")["status"] == "completed"


def test_a_tick_leaves_alone_what_needs_a_person(project: Scratch) -> None:
    halted(project)
    assert "is halted" in project.wavegate("tick", "--all", code=30).stderr


def test_a_process_that_slept_while_another_took_over_wakes_up_to_stop(project: Scratch) -> None:
    process = walking(project)
    process.send_signal(signal.SIGSTOP)
    try:
        assert "rollout-locked" in project.wavegate("resume", code=41).stderr
        rollout_id = project.json("history", "--json")["rollouts"][0]["id"]
        project.wavegate("lock", "break", rollout_id, "--reason", "its laptop's lid is shut")
        (state_of(project) / "hold").unlink()
        project.wavegate("resume")
    finally:
        process.send_signal(signal.SIGCONT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 41
    assert "error[lease-lost]" in said
    assert got(project) in (dict.fromkeys(HOSTS, 1), {"one": 2, "two": 1, "three": 1})
    submitted = [
        e["batch"] for e in project.json("events", "--json")["events"] if e["kind"] == "batch_submitted"
    ]
    assert len(submitted) == len(set(submitted)) <= 4
    assert project.json("report", "--json")["rollout"]["status"] == "completed"
    project.wavegate("audit", "verify")
