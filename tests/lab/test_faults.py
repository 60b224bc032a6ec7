"""Real faults in the middle of things: nothing is lost, nothing is doubled, every host's outcome is true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Project, wait_for
from tests.lab.test_rollouts import left_over, make_rollout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOSTS = ("pilot-1", "finance-1", "finance-2")
WAVES = [{"name": "pilot", "hosts": "pilot"}, {"name": "finance", "hosts": "department_finance", "batch": 1}]
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}


def on_host(name: str, script: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.shell": script, "changed_when": True}


def log_of(name: str) -> str:
    return f"/var/tmp/wavegate-log-{name}"


def works(name: str, seconds: float = 0.0) -> dict[str, Any]:
    """Return a task that writes when it begins and when it ends, and takes some time between."""
    log = log_of(name)
    return on_host("Work", f"echo begin >> {log}; sleep {seconds}; echo end >> {log}")


def tells(project: Project, name: str) -> dict[str, Any]:
    """Return a task that tells this test that the host is in flight."""
    return {
        "name": "Tell that the host is in flight",
        "ansible.builtin.copy": {"content": "", "dest": str(begun(project, name)), "mode": "0600"},
        "delegate_to": "localhost",
        "become": False,
        "vars": LOCAL,
    }


def holds(go: Path) -> dict[str, Any]:
    """Return a task that waits on finance-1 until the fault is there."""
    return {
        "name": "Hold until the fault is there",
        "ansible.builtin.wait_for": {"path": str(go), "timeout": 50},
        "delegate_to": "localhost",
        "become": False,
        "vars": LOCAL,
        "when": "inventory_hostname == 'finance-1'",
    }


def begun(project: Project, name: str) -> Path:
    return project.root / ".wavegate" / f"begun-{name}-{{{{ inventory_hostname }}}}"


def is_begun(project: Project, name: str, host: str) -> bool:
    return Path(str(begun(project, name)).replace("{{ inventory_hostname }}", host)).exists()


def logs(project: Project, name: str) -> dict[str, list[str]]:
    """Return what the hosts wrote down, as Ansible itself reads it."""
    ansible = str(Path(sys.executable).with_name("ansible"))
    command = [ansible, "-i", "inventories/lab", ",".join(HOSTS), "-b", "-o", "-m", "ansible.builtin.shell"]
    done = subprocess.run(
        [*command, "-a", f"cat {log_of(name)} 2>/dev/null || true"],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    found = {}
    for line in done.stdout.splitlines():
        host, _, rest = line.partition(" | ")
        found[host] = [word for word in rest.partition("(stdout) ")[2].split("\\n") if word]
    assert set(found) == set(HOSTS), done.stdout + done.stderr
    return found


def standings(project: Project) -> dict[str, str]:
    return {host["name"]: host["standing"] for host in project.read("report")["hosts"]}


def scope(**changes: Any) -> dict[str, Any]:
    return {"hosts": "pilot:department_finance", "waves": WAVES, **changes}


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_task_that_lives_on_after_its_controller_died_is_not_overlapped(project: Project) -> None:
    name = "orphan"
    file = make_rollout(project, name, [tells(project, name), works(name, 45)], **scope())
    process = project.start("run", file)
    wait_for(lambda: is_begun(project, name, "pilot-1"))
    wait_for(lambda: logs(project, name)["pilot-1"] == ["begin"])
    kill(process)
    rollout_id = project.read("history")["rollouts"][0]["id"]
    for pid in pids_of(rollout_id):  # also Ansible itself: only the task on the host is left
        os.kill(pid, signal.SIGKILL)
    project.call("resume", timeout=400)
    assert set(standings(project).values()) == {"done"}
    for host, lines in logs(project, name).items():
        assert lines == ["begin", "end"] * (len(lines) // 2), f"two tasks at once on {host}: {lines}"
    assert len(logs(project, name)["pilot-1"]) == 4
    assert left_over(rollout_id) == []


def pids_of(rollout_id: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"WAVEGATE_BATCH={rollout_id}".encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


PROBES = {
    "ssh": {"tcp": {"host": "{{ ansible_host }}", "port": 22}, "failure_limit": 3},
    "disk": {
        "host": {"disk_free": {"/var/lib/intranet": "1%"}, "timeout": "15s"},
        "interval": "2s",
        "consecutive_error_limit": 1,
    },
}


def soaked(probe: str) -> dict[str, Any]:
    """Return a rollout whose pilot soaks for 20 s under one probe."""
    return scope(
        probes={probe: PROBES[probe]},
        gates={"soaked": {"probes": [probe], "interval": "1s", "soak": "20s"}},
        waves=[
            {"name": "pilot", "hosts": "pilot", "after": "soaked"},
            {"name": "finance", "hosts": "department_finance"},
        ],
    )


DATA = on_host("A place for data", "mkdir -p /var/lib/intranet")


def test_killed_in_the_soak_it_resumes_in_the_soak(project: Project) -> None:
    name = "soaking"
    process = project.start("run", make_rollout(project, name, [works(name)], **soaked("ssh")))
    wait_for(lambda: project.events(name, "sweep_ended"))
    kill(process)
    project.call("resume")
    (opened,) = project.events(name, "gate_opened")
    (decided,) = project.events(name, "gate_decided")
    assert decided["verdict"] == "pass"
    assert decided["at"] - opened["at"] >= 20
    assert set(logs(project, name)["pilot-1"]) == {"begin", "end"}
    assert set(standings(project).values()) == {"done"}


@pytest.mark.parametrize(
    ("fault", "probe"), [("stop", "ssh"), ("partition", "ssh"), ("sshd", "ssh"), ("full-disk", "disk")]
)
def test_a_host_that_is_lost_in_the_soak_fails_the_gate(project: Project, fault: str, probe: str) -> None:
    name = f"soak-{fault}"
    out, err, code = break_in_the_soak(project, name, fault, probe)
    assert code == 30, out + err
    assert [event["host"] for event in project.events(name, "host_found_bad")] == ["pilot-1"]
    assert standings(project)["finance-1"] == "not_started"
    project.call("retry")
    assert set(standings(project).values()) == {"done"}


def test_a_host_that_hangs_in_the_soak_was_not_measured_and_the_rollout_waits(project: Project) -> None:
    name = "soak-hang"
    out, err, code = break_in_the_soak(project, name, "hang", "disk")
    assert code == 20, out + err
    (decided,) = project.events(name, "gate_decided")
    assert decided["verdict"] == "inconclusive"
    assert standings(project)["finance-1"] == "not_started"
    project.call("resume")
    assert set(standings(project).values()) == {"done"}
    assert logs(project, name) == {host: ["begin", "end"] for host in HOSTS}, "every host was done once"


def break_in_the_soak(project: Project, name: str, fault: str, probe: str) -> tuple[str, str, int]:
    """Break the pilot while its gate looks; return what the rollout printed and its exit code."""
    process = project.start("run", make_rollout(project, name, [DATA, works(name)], **soaked(probe)))
    wait_for(lambda: project.events(name, "sweep_ended") or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    project.call("lab", "break", fault, "pilot-1")
    try:
        out, err = process.communicate(timeout=150)
    finally:
        project.call("lab", "heal", "pilot-1")
    return out, err, process.returncode


def put_back(project: Project, name: str, seconds: float) -> str:
    play = {"name": "Put back", "hosts": "all", "gather_facts": False, "become": True}
    tasks = [tells(project, f"{name}-back"), on_host("Back", f"sleep {seconds}; echo back >> {log_of(name)}")]
    return project.write(f"playbooks/{name}-back.yml", [{**play, "tasks": tasks}])


def test_killed_in_the_rollback_it_resumes_in_the_rollback(project: Project) -> None:
    name = "returning"
    fails = {"name": "Fail", "ansible.builtin.command": "false", "when": "inventory_hostname == 'finance-2'"}
    changes = scope(rollback=put_back(project, name, 8), on_breach="rollback_all")
    process = project.start("run", make_rollout(project, name, [works(name), fails], **changes))
    wait_for(lambda: is_begun(project, f"{name}-back", "finance-1"))
    kill(process)
    project.call("resume", code=31, timeout=400)
    assert standings(project) == dict.fromkeys(HOSTS, "rolled_back")
    assert all(lines[-1] == "back" for lines in logs(project, name).values())


def break_in_a_batch(project: Project, name: str, fault: str, *tasks: dict[str, Any], **changes: Any) -> str:
    """Break finance-1 in flight, before `tasks`; return what the halted rollout printed."""
    go = project.root / ".wavegate" / f"go-{name}"
    tasks = (on_host("Connect", "true"), tells(project, name), holds(go), *tasks)
    process = project.start("run", make_rollout(project, name, [*tasks], **scope(**changes)))
    wait_for(lambda: is_begun(project, name, "finance-1"))
    project.call("lab", "break", fault, "finance-1")
    go.touch()
    try:
        out, err = process.communicate(timeout=200)
    finally:
        project.call("lab", "heal", "finance-1")
    assert process.returncode == 30, out + err
    return out


@pytest.mark.parametrize("fault", ["stop", "hang", "partition", "sshd"])
def test_a_host_that_is_lost_in_a_batch_is_named_and_can_be_done_again(project: Project, fault: str) -> None:
    name = f"lost-in-{fault}"
    break_in_a_batch(project, name, fault, works(name), batch_timeout="60s")
    told = standings(project)
    assert told["finance-1"] in {"unreachable", "timed_out"}
    assert told["finance-2"] == "not_started"
    project.call("retry", timeout=400)
    assert set(standings(project).values()) == {"done"}
    assert {host: lines[-1] for host, lines in logs(project, name).items()} == dict.fromkeys(HOSTS, "end")


def test_a_disk_that_fills_in_a_batch_is_named_and_the_host_can_be_done_again(project: Project) -> None:
    name = "filled"
    writes = on_host(
        "Write", "mkdir -p /var/lib/intranet && dd if=/dev/zero of=/var/lib/intranet/data bs=64k count=1"
    )
    out = break_in_a_batch(project, name, "full-disk", writes, works(name))
    told = standings(project)
    assert told == {"pilot-1": "done", "finance-1": "failed", "finance-2": "not_started"}
    assert "No space left on device" in out
    project.call("retry", timeout=400)
    assert set(standings(project).values()) == {"done"}
    assert logs(project, name) == {host: ["begin", "end"] for host in HOSTS}, "every host was done once"


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A file system of one megabyte for the journal."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_journal_whose_disk_is_full_loses_nothing(
    project: Project, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "full"
    monkeypatch.setenv("WAVEGATE_JOURNAL", str(small_disk / "journal.db"))
    file = make_rollout(project, name, [tells(project, name), works(name, 6)], **scope())
    process = project.start("run", file)
    wait_for(lambda: is_begun(project, name, "pilot-1"))
    fill(small_disk / "ballast")
    out, err = process.communicate(timeout=200)
    assert process.returncode == 40, out + err
    assert "error[journal-disk-full]" in err
    assert "wavegate resume" in err
    (small_disk / "ballast").unlink()
    project.call("resume", timeout=400)
    assert set(standings(project).values()) == {"done"}
    assert logs(project, name) == {host: ["begin", "end"] for host in HOSTS}, "every host was done once"


def fill(path: Path) -> None:
    """Write until nothing more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


def test_two_different_rollouts_over_the_same_hosts_do_not_walk_at_once(project: Project) -> None:
    first = make_rollout(project, "first", [works("first", 4)], **scope())
    second = make_rollout(project, "second", [works("second")], **scope())
    process = project.start("run", first)
    try:
        wait_for(lambda: project.events("first", "rollout_started"))
        assert "error[rollout-locked]" in project.call("run", second, code=41)
    finally:
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    assert logs(project, "second") == {host: [] for host in HOSTS}
