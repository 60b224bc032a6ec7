"""One writer for a rollout: who may take the lease, and who has lost it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.journal_samples import ANN_ELSEWHERE, STARTED, begin, make_plan, owner_with
from wavegate.adapters.journal import (
    Owner,
    SqlJournal,
    is_died,
    open_journal,
    owner,
    owner_alive,
    this_process,
)
from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT
from wavegate.core import events as ev
from wavegate.errors import ExitCode, WavegateError

LISTEN = 0.3


@pytest.fixture
def location(location: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A journal with one rollout, in which nobody is listened for long."""
    monkeypatch.setattr(owner, "LISTEN_SECONDS", LISTEN)
    with open_journal(location) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    return location


def on_server(location: str) -> bool:
    return location.startswith("postgresql")


def turn_clock(journal: SqlJournal, by: float) -> None:
    """Make the last heartbeat look as if the clock had been put forward since by `by` seconds."""
    with journal._writing.begin() as connection:
        connection.exec_driver_sql(f"UPDATE rollouts SET heartbeat_at = heartbeat_at - ({by})")


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
    assert row.owner_since == row.heartbeat_at
    assert owner_alive(row)
    journal.release("r1")
    assert journal.find("r1").owner == ""
    assert not owner_alive(journal.find("r1"))


def test_taking_the_lease_again_is_no_change(location: str) -> None:
    journal = open_journal(location)
    journal.acquire("r1", 100)
    since = journal.find("r1").owner_since
    journal.acquire("r1", 200)
    assert journal.find("r1").owner_since == since
    journal.append("r1", 0, [STARTED], 201)


def test_a_heartbeat_and_an_append_say_that_the_owner_lives(location: str) -> None:
    journal = take_as(location, this_process())
    before = journal.find("r1").heartbeat_at
    journal.heartbeat("r1", 110)
    between = journal.find("r1").heartbeat_at
    journal.append("r1", 0, [STARTED], 120)
    assert before < between < journal.find("r1").heartbeat_at
    assert on_server(location) or journal.find("r1").heartbeat_at == 120.0


def test_a_live_owner_is_named_and_left_alone(location: str) -> None:
    take_as(location, this_process(), at=0.0)
    with pytest.raises(WavegateError) as caught:
        open_journal(location).acquire(
            "r1", 1e9
        )  # a heartbeat of decades ago says nothing about a live process
    error, me = caught.value, this_process()
    assert (error.code, error.exit_code) == ("rollout-locked", ExitCode.LOCKED)
    since = "20" if on_server(location) else "1970-01-01 00:00:00 UTC"
    assert f"{me.user}@{me.host} (process {os.getpid()}) since {since}" in error.what
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


HOUR = 3600.0
CLOCKS = [0.0, HEARTBEAT_LIMIT - 5, HEARTBEAT_LIMIT + 5, HOUR, -HOUR]
"""By how much the clock was put forward since an owner that cannot be looked at was last heard of."""


def take_from_afar(location: str) -> SqlJournal:
    return take_as(location, ANN_ELSEWHERE, at=time.time())


@pytest.mark.parametrize("by", CLOCKS)
def test_a_live_owner_afar_keeps_its_lease_whatever_the_clock_does(location: str, by: float) -> None:
    afar = take_from_afar(location)
    turn_clock(afar, by)
    stop = threading.Event()

    def live() -> None:
        while not stop.wait(LISTEN / 10):
            afar.heartbeat("r1", time.time() - by)
            turn_clock(afar, by)  # its machine's clock stays another one than everybody's

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(WavegateError, match="ann@far"):
            open_journal(location).acquire("r1", time.time())
    finally:
        stop.set()
        thread.join()
    afar.append("r1", 0, [STARTED], 1)


@pytest.mark.parametrize("by", CLOCKS)
def test_a_dead_owner_afar_is_never_fresh_for_longer_than_the_limit(location: str, by: float) -> None:
    turn_clock(take_from_afar(location), by)
    journal = open_journal(location)
    assert owner_alive(journal.find("r1")) is (abs(by) <= HEARTBEAT_LIMIT)
    if abs(by) <= HEARTBEAT_LIMIT:
        with pytest.raises(WavegateError, match="ann@far"):
            journal.acquire("r1", time.time())
    else:
        journal.acquire("r1", time.time())


def test_heartbeats_on_a_server_are_by_its_clock(location: str) -> None:
    if not on_server(location):
        pytest.skip("a file has no clock of its own")
    journal = take_as(location, ANN_ELSEWHERE, at=time.time() + HOUR)
    for at in (time.time() - HOUR, time.time() + HOUR):
        journal.heartbeat("r1", at)
        assert abs(journal.find("r1").silent_for) < HEARTBEAT_LIMIT
        assert owner_alive(journal.find("r1"))


def test_in_a_claim_nobody_is_listened_for(location: str) -> None:
    turn_clock(take_from_afar(location), HOUR)
    journal = open_journal(location)
    with pytest.raises(WavegateError, match="ann@far"), journal.claiming():
        journal.acquire("r1", time.time())
    journal.listen("r1", time.time())
    with journal.claiming():
        journal.acquire("r1", time.time())
    journal.append("r1", 0, [STARTED], 1)


def test_another_machine_with_the_same_name_is_another_machine(location: str) -> None:
    take_as(location, replace(ANN_ELSEWHERE, host=this_process().host), at=time.time())
    with pytest.raises(WavegateError, match="being worked on"):
        open_journal(location).acquire("r1", time.time())


def test_who_lost_the_lease_can_do_nothing_with_it(location: str) -> None:
    lost = take_as(location, ANN_ELSEWHERE, at=0.0)
    lost.append("r1", 0, [STARTED], 1)
    turn_clock(lost, HOUR)
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
