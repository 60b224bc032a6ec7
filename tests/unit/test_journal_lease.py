"""One writer for a rollout: who may take the lease, and who has lost it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.journal_samples import ANN_ELSEWHERE, STARTED, begin, make_plan, owner_with
from wavegate.adapters.journal import Owner, SqlJournal, is_died, open_journal, owner_alive, this_process
from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT
from wavegate.core import events as ev
from wavegate.errors import ExitCode, WavegateError


@pytest.fixture
def location(tmp_path: Path) -> str:
    path = str(tmp_path / "journal.db")
    with open_journal(path) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    return path


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that lives until it is told otherwise."""
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def owner_of(process: subprocess.Popen[bytes]) -> Owner:
    """Return the child as an owner, with what the kernel says of its start."""
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return owner_with(pid=process.pid, start=stat[19])


def take_as(location: str, owner: Owner, at: float = 100.0) -> SqlJournal:
    journal = open_journal(location, owner=owner)
    journal.acquire("r1", at)
    return journal


def test_the_lease_shows_who_holds_it_and_goes_when_given_back(location: str) -> None:
    journal, me = open_journal(location), this_process()
    journal.acquire("r1", 100)
    row = journal.find("r1")
    assert (row.owner, row.owner_host, row.owner_pid) == (me.user, me.host, os.getpid())
    assert (row.owner_since, row.heartbeat_at) == (100.0, 100.0)
    assert owner_alive(row, 100)
    journal.release("r1")
    assert journal.find("r1").owner == ""
    assert not owner_alive(journal.find("r1"), 100)


def test_taking_the_lease_again_is_no_change(location: str) -> None:
    journal = open_journal(location)
    journal.acquire("r1", 100)
    journal.acquire("r1", 200)
    assert journal.find("r1").owner_since == 100.0
    journal.append("r1", 0, [STARTED], 201)


def test_a_heartbeat_and_an_append_say_that_the_owner_lives(location: str) -> None:
    journal = take_as(location, this_process())
    journal.heartbeat("r1", 110)
    assert journal.find("r1").heartbeat_at == 110.0
    journal.append("r1", 0, [STARTED], 120)
    assert journal.find("r1").heartbeat_at == 120.0


def test_a_live_owner_is_named_and_left_alone(location: str) -> None:
    take_as(location, this_process(), at=0.0)
    with pytest.raises(WavegateError) as caught:
        open_journal(location).acquire(
            "r1", 1e9
        )  # a heartbeat of decades ago says nothing about a live process
    error, me = caught.value, this_process()
    assert (error.code, error.exit_code) == ("rollout-locked", ExitCode.LOCKED)
    assert f"{me.user}@{me.host} (process {os.getpid()}) since 1970-01-01 00:00:00 UTC" in error.what
    assert "wavegate status r1" in error.hint


def test_a_killed_owner_is_dead_also_before_its_parent_has_noticed(
    location: str, child: subprocess.Popen[bytes]
) -> None:
    take_as(location, owner_of(child))
    with pytest.raises(WavegateError, match="being worked on"):
        open_journal(location).acquire("r1", 101)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # seen dead, and left a zombie
    open_journal(location).acquire("r1", 101)
    child.wait()
    assert open_journal(location).find("r1").owner_pid == os.getpid()


def test_a_stopped_owner_lives(location: str, child: subprocess.Popen[bytes]) -> None:
    take_as(location, owner_of(child))
    child.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
    with pytest.raises(WavegateError, match="being worked on"):
        open_journal(location).acquire("r1", 10_000)


DIED = [
    # status, who is its owner, died
    ("running", "dead", True),
    ("rolling_back", "dead", True),
    ("running", "nobody", True),
    ("running", "alive", False),
    ("planned", "dead", True),
    ("planned", "nobody", False),
    ("held", "dead", False),
    ("completed", "dead", False),
]


@pytest.mark.parametrize(("status", "owner", "died"), DIED)
def test_a_rollout_that_died_is_told_from_one_that_walks_or_stands(
    location: str, status: str, owner: str, died: bool
) -> None:
    if owner != "nobody":
        take_as(location, owner_with(start="1") if owner == "dead" else this_process())
    row = replace(open_journal(location).find("r1"), status=status)
    assert is_died(row) is died


def test_another_process_that_got_the_pid_is_not_the_owner(location: str) -> None:
    take_as(location, owner_with(start="1"))
    open_journal(location).acquire("r1", 101)


HEARTBEATS = [
    # seconds since the last heartbeat of an owner that cannot be looked at from here, lives
    (0, True),
    (HEARTBEAT_LIMIT, True),
    (HEARTBEAT_LIMIT + 1, False),
    (-3600, True),  # a clock that went back is no reason to take anything away
]


@pytest.mark.parametrize(("age", "lives"), HEARTBEATS)
def test_from_afar_only_the_heartbeat_tells(location: str, age: float, lives: bool) -> None:
    take_as(location, ANN_ELSEWHERE, at=10_000.0)
    journal = open_journal(location)
    assert owner_alive(journal.find("r1"), 10_000.0 + age) is lives
    if lives:
        with pytest.raises(WavegateError, match="ann@far"):
            journal.acquire("r1", 10_000.0 + age)
    else:
        journal.acquire("r1", 10_000.0 + age)


def test_another_machine_with_the_same_name_is_another_machine(location: str) -> None:
    take_as(location, replace(ANN_ELSEWHERE, host=this_process().host))
    with pytest.raises(WavegateError, match="being worked on"):
        open_journal(location).acquire("r1", 101)


def test_who_lost_the_lease_can_do_nothing_with_it(location: str) -> None:
    lost = take_as(location, ANN_ELSEWHERE, at=0.0)
    lost.append("r1", 0, [STARTED], 1)
    winner = take_as(location, this_process(), at=1000.0)
    for attempt in (
        lambda: lost.append("r1", 1, [ev.WaveStarted("pilot")], 1001),
        lambda: lost.heartbeat("r1", 1001),
    ):
        with pytest.raises(WavegateError) as caught:
            attempt()
        assert (caught.value.code, caught.value.exit_code) == ("lease-lost", ExitCode.LOCKED)
        assert f"(process {os.getpid()}) holds it now" in caught.value.why
    lost.release("r1")
    assert winner.find("r1").owner_pid == os.getpid()
    winner.append("r1", 1, [ev.WaveStarted("pilot")], 1002)


def test_a_lease_given_back_is_not_written_under(location: str) -> None:
    journal = take_as(location, this_process())
    journal.release("r1")
    journal.release("r1")
    with pytest.raises(WavegateError, match="may no longer write"):
        journal.append("r1", 0, [STARTED], 1)
    with pytest.raises(WavegateError, match="may no longer write"):
        journal.heartbeat("r1", 1)


def test_an_unknown_rollout_has_no_lease(location: str) -> None:
    with pytest.raises(WavegateError) as caught:
        open_journal(location).acquire("zzz", 1)
    assert caught.value.code == "rollout-unknown"


def test_of_eight_that_reach_for_a_dead_owner_s_lease_one_gets_it(location: str) -> None:
    take_as(location, owner_with(start="1"))
    journals = [open_journal(location) for _ in range(8)]
    barrier, results = threading.Barrier(8), []

    def race(journal: SqlJournal) -> None:
        barrier.wait()
        try:
            journal.acquire("r1", 101)
            results.append("won")
        except WavegateError as error:
            results.append(error.code)

    threads = [threading.Thread(target=race, args=(journal,)) for journal in journals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["rollout-locked"] * 7 + ["won"]


def test_rollouts_have_a_lease_each(location: str) -> None:
    journal = take_as(location, this_process())
    begin(journal, "r2")
    journal.release("r1")
    journal.append("r2", 0, [STARTED], 1)
