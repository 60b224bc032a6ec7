"""`wavegate lock` and `wavegate audit` as people call them, and a stopped process whose lease was broken."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.journal_samples import (
    ANN_ELSEWHERE,
    ONE_OF_EACH,
    STARTED,
    begin,
    make_plan,
    owner_with,
    write_one_of_each,
)
from tests.unit.scratch import Scratch
from wavegate.adapters.journal import open_journal
from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.errors import WavegateError

WRITER = """
import sys, time
from wavegate.adapters.journal import open_journal
from wavegate.core import events as ev
from wavegate.errors import WavegateError
journal = open_journal(sys.argv[1])
journal.acquire("r1", time.time())
journal.append("r1", 0, [ev.WaveStarted("pilot")], time.time())
print("holding", flush=True)
sys.stdin.readline()
for act in (
    lambda: journal.append("r1", 1, [ev.WaveStarted("more")], time.time()),
    lambda: journal.append("r1", 2, [ev.WaveStarted("more")], time.time()),
    lambda: journal.heartbeat("r1", time.time()),
):
    try:
        act()
        print("wrote")
    except WavegateError as error:
        print(error.code)
journal.release("r1")
"""


def test_a_stopped_holder_that_wakes_after_its_lease_was_broken_writes_nothing(location: str) -> None:
    with open_journal(location) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", WRITER, location]
        holder = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert holder.stdout
        assert holder.stdout.readline() == "holding\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED | os.WNOWAIT)
        with pytest.raises(WavegateError, match="being worked on"):
            journal.acquire("r1", 1)
        before = journal.break_lease("r1", "bob", "it hangs", 5.0)
        assert before.owner_pid == holder.pid
        journal.acquire("r1", 1)
        journal.append("r1", 2, [ev.WaveCompleted("pilot")], 6)
        holder.send_signal(signal.SIGCONT)
        assert holder.communicate("\n")[0].split() == ["lease-lost"] * 3
        kinds = [kind_of(record.event) for record in journal.read("r1")]
        assert kinds == ["wave_started", "lease_broken", "wave_completed"]
        broken = journal.read("r1")[1].event
        assert broken == ev.LeaseBroken("bob", "it hangs", broken.owner)  # type: ignore[union-attr]
        assert f"(process {holder.pid})" in broken.owner  # type: ignore[union-attr]
        assert journal.verify("r1") == []
        assert journal.find("r1").owner_pid == os.getpid()


def test_a_lease_that_nobody_holds_is_not_broken(location: str) -> None:
    with open_journal(location) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
        with pytest.raises(WavegateError) as caught:
            journal.break_lease("r1", "bob", "why", 1)
        assert caught.value.code == "lease-free"
        assert journal.read("r1") == []
        with pytest.raises(WavegateError) as caught:
            journal.break_lease("zzz", "bob", "why", 1)
        assert caught.value.code == "rollout-unknown"


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project with one rollout that Ann's process works on, elsewhere."""
    scratch = Scratch(tmp_path)
    scratch.write("ansible.cfg", "[defaults]\n")
    with open_journal(str(tmp_path / ".wavegate" / "journal.db"), owner=ANN_ELSEWHERE) as journal:
        begin(journal)
        journal.append("r1", 0, [STARTED], 100)
    return scratch


def test_a_person_sees_who_holds_a_lease_and_takes_it_away(project: Scratch) -> None:
    shown = project.wavegate("lock", "show").stdout
    assert "rollout r1 (patch-intranet, running): held by ann@far (process 4711) since" in shown
    assert "it seems to be dead: resume listens for it, then takes over" in shown
    (lease,) = project.json("lock", "show", "r", "--json")["leases"]
    assert (lease["held"], lease["alive"], lease["known_by"]) == (True, False, "heartbeat")
    assert project.wavegate("lock", "break", "r1", code=2).stderr.count("--reason") == 1
    told = project.wavegate("lock", "break", "r1", "--reason", "far is gone").stderr
    assert "the lease was taken away from ann@far (process 4711)" in told
    assert "its Ansible processes may still be at work on far: look there first" in told
    assert "wavegate resume r1" in told
    assert "nobody holds its lease" in project.wavegate("lock", "show").stdout
    assert "took the lease away from ann@far (process 4711): far is gone" in project.wavegate("events").stdout
    assert "took the lease away from ann@far" in project.wavegate("report").stdout
    assert "lease-free" in project.wavegate("lock", "break", "r1", "--reason", "x", code=40).stderr


def test_a_lease_of_a_dead_process_here_is_seen_to_be_free(project: Scratch) -> None:
    path = str(project.folder / ".wavegate" / "journal.db")
    with open_journal(path, owner=owner_with(start="1")) as journal:
        begin(journal, "r2")
    shown = project.wavegate("lock", "show", "r2").stdout
    assert "the process is gone: resume takes over" in shown


def test_an_audit_of_all_rollouts_names_what_was_changed(project: Scratch) -> None:
    path = project.folder / ".wavegate" / "journal.db"
    with open_journal(str(path)) as journal:
        write_one_of_each(journal, "r2")
        last_hash = journal.tail("r2")[1]
    sound = project.wavegate("audit", "verify").stdout
    written = f"{len(ONE_OF_EACH)} events as they were written, last hash {last_hash}"
    assert f"rollout r2 (patch-intranet, rolled back): {written}" in sound
    project.wavegate("audit", "export", "r2", "--output", "r2.zip")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET body = replace(body, 'web1', 'x') WHERE seq = 4")
    told = project.wavegate("audit", "verify", code=30).stdout
    assert "rollout r2 (patch-intranet, rolled back): NOT as it was written" in told
    assert "  event 4 (host_finished) was changed after it was written" in told
    assert "rollout r1 (patch-intranet, running): 1 events" in told
    data = json.loads(project.wavegate("audit", "verify", "r2", "--json", code=30).stdout)
    assert (data["sound"], data["rollouts"][0]["findings"][0]["seq"]) == (False, 4)
    project.wavegate("audit", "verify", "r1")
    refused = project.wavegate("audit", "export", "r2", "--output", "now.zip", code=30).stderr
    assert "error[audit-failed]" in refused
    assert not (project.folder / "now.zip").exists()
    # The bundle that was made before needs neither the journal nor the project.
    elsewhere = Scratch(project.folder / "elsewhere")
    elsewhere.folder.mkdir()
    (project.folder / "r2.zip").rename(elsewhere.folder / "r2.zip")
    assert last_hash in elsewhere.wavegate("audit", "verify", "r2.zip").stdout
    assert "error[bundle-unreadable]" in elsewhere.wavegate("audit", "verify", "no.zip", code=40).stderr
