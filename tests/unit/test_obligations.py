"""What a rollout takes out is put back, whatever happens: the real core and engine in a fake world."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.codec import decode, encode
from wavegate.core.folding import fold
from wavegate.core.outcomes import Outcome, Status
from wavegate.core.plan import Plan
from wavegate.core.state import State

Procedures = tuple[str, ...]


def _plan(**changes: object) -> Plan:
    return plan_of(make_fleet(pilot=1, site=4), wave("pilot"), wave("site", in_flight=2), **changes)


def _bench(plan: Plan | None = None, **nature: object) -> Bench:
    world = World(takes_out=lambda host: True, **nature)  # type: ignore[arg-type]
    return Bench(plan or _plan(), world)


def _fails_on(*hosts: str, procedure: str = "apply") -> dict[str, object]:
    def fate(host: str, procedures: Procedures) -> Outcome:
        return Outcome.FAILED if host in hosts and procedure in procedures else Outcome.DONE

    return {"fate": fate}


def _submitted(bench: Bench) -> list[ev.BatchSubmitted]:
    return [record.event for record in bench.records if isinstance(record.event, ev.BatchSubmitted)]


def _discharges(bench: Bench) -> list[ev.BatchSubmitted]:
    return [order for order in _submitted(bench) if order.obligation]


def test_what_the_playbook_puts_back_itself_needs_no_discharge() -> None:
    bench = _bench()
    state = bench.run()
    assert state.status is Status.COMPLETED
    assert not state.obligations
    assert not bench.world.out
    assert not _discharges(bench)


def test_a_host_that_failed_in_between_is_put_back_before_the_rollout_halts() -> None:
    bench = _bench(**_fails_on("site-02"))
    state = bench.run()
    assert state.status is Status.HALTED
    assert not state.obligations
    assert not bench.world.out
    (discharge,) = _discharges(bench)
    assert (discharge.hosts, discharge.procedures, discharge.undo) == (
        ("site-02",),
        ("discharge",),
        "undo.yml",
    )


def test_a_discharge_changes_no_outcome_and_no_budget() -> None:
    with_it, without = _bench(**_fails_on("site-02")), _bench(**_fails_on("site-02"))
    without.world.takes_out = lambda host: False
    one, other = with_it.run(), without.run()
    assert {name: host.outcome for name, host in one.hosts.items()} == {
        name: host.outcome for name, host in other.hosts.items()
    }
    assert one.reason == other.reason
    assert one.batches_ended == other.batches_ended


def test_within_the_budget_the_host_is_put_back_before_the_next_batch_starts() -> None:
    plan = plan_of(make_fleet(site=4), wave("site", failure_budget=1, in_flight=1))
    bench = _bench(plan, **_fails_on("site-02"))
    assert bench.run().status is Status.COMPLETED
    kinds = [order.obligation or order.hosts[0] for order in _submitted(bench)]
    assert kinds == ["site-01", "site-02", "pool", "site-03", "site-04"]


def test_the_window_holds_while_something_is_put_back() -> None:
    plan = plan_of(make_fleet(site=6), wave("site", failure_budget=3, in_flight=2))
    bench = _bench(plan, **_fails_on("site-01", "site-02", "site-04"))
    assert bench.run().status is Status.COMPLETED
    assert bench.world.most_in_flight == 2
    assert not bench.world.overlaps


def test_a_rollback_of_the_host_goes_first() -> None:
    bench = _bench(_plan(rollback=True), **_fails_on("site-02"))
    state = bench.run()
    assert state.status is Status.ROLLED_BACK
    assert not bench.world.out
    mine = [order.procedures for order in _submitted(bench) if "site-02" in order.hosts]
    assert mine == [("apply",), ("rollback",), ("discharge",)]


def test_hosts_of_a_rollback_that_failed_are_put_back_too() -> None:
    def fate(host: str, procedures: Procedures) -> Outcome:
        bad = host == "site-02" and "discharge" not in procedures
        return (
            Outcome.FAILED
            if bad and "apply" in procedures
            else Outcome.ROLLBACK_FAILED
            if bad
            else Outcome.DONE
        )

    bench = _bench(_plan(rollback=True), fate=fate)
    state = bench.run()
    assert state.status is Status.ROLLBACK_FAILED
    assert not state.obligations
    assert not bench.world.out


@pytest.mark.parametrize("dead", range(1, 60))
def test_killed_after_any_write_everything_is_back_after_the_resume(dead: int) -> None:
    bench = _bench(**_fails_on("site-03"))
    state = bench.run_with_one_death(dead)
    if state is None:
        assert dead > len(bench.records)
        return
    assert state.status is Status.HALTED
    assert not state.obligations
    assert not bench.world.out
    assert not bench.world.overlaps


def test_after_a_death_a_host_is_put_back_before_it_is_done_again() -> None:
    bench = _bench()
    opened = 1 + next(number for number, kind in enumerate(_bench_kinds()) if kind == "obligation_opened")
    state = bench.run_with_one_death(opened)
    assert state is not None
    assert state.status is Status.COMPLETED
    mine = [order.procedures for order in _submitted(bench) if "pilot-01" in order.hosts]
    assert mine == [("apply",), ("settle", "discharge"), ("apply",)]


def _bench_kinds() -> list[str]:
    bench = _bench()
    bench.run()
    return bench.kinds()


def test_what_cannot_be_put_back_holds_the_rollout_and_nothing_new_starts() -> None:
    plan = plan_of(make_fleet(site=6), wave("site", failure_budget=2, in_flight=2))
    bench = _bench(plan, fate=_undo_fails("site-01"))
    state = bench.run()
    assert state.status is Status.HELD
    assert "pool on site-01" in state.reason
    assert list(state.obligations) == [("site-01", "pool")]
    assert len(_discharges(bench)) == 1
    assert "site-06" not in {host for order in _submitted(bench) for host in order.hosts}


def _undo_fails(host: str):
    def fate(name: str, procedures: Procedures) -> Outcome:
        return Outcome.FAILED if name == host else Outcome.DONE

    return fate


def test_each_resume_tries_it_again_first_and_goes_on_when_it_is_back() -> None:
    plan = plan_of(make_fleet(site=6), wave("site", failure_budget=2, in_flight=2))
    bench = _bench(plan, fate=_undo_fails("site-01"))
    bench.run()
    assert bench.engine().resume("test").status is Status.HELD
    assert len(_discharges(bench)) == 2
    bench.world.fate = lambda host, procedures: Outcome.DONE
    before = len(bench.records)
    state = bench.engine().resume("test")
    assert state.status is Status.COMPLETED
    assert not state.obligations
    later = [r.event for r in bench.records[before:] if isinstance(r.event, ev.BatchSubmitted)]
    assert later[0].obligation == "pool"


def test_a_halted_rollout_says_what_is_still_out_and_a_resume_halts_again_once_it_is_back() -> None:
    bench = _bench(_plan(), fate=_undo_fails("site-02"))
    state = bench.run()
    assert state.status is Status.HALTED
    assert "still taken out: pool on site-02" in state.reason
    bench.world.fate = _fails_on("site-02")["fate"]  # type: ignore[assignment]
    state = bench.engine().resume("test")
    assert state.status is Status.HALTED
    assert not state.obligations
    assert "still" not in state.reason


def test_no_rollback_is_closed_over_an_open_obligation() -> None:
    def fate(host: str, procedures: Procedures) -> Outcome:
        bad = host == "site-02" and "rollback" not in procedures
        return Outcome.FAILED if bad else Outcome.DONE

    bench = _bench(_plan(rollback=True), fate=fate)
    state = bench.run()
    assert state.status is Status.HELD
    assert not state.is_closed
    bench.world.fate = lambda host, procedures: Outcome.DONE
    state = bench.engine().resume("test")
    assert state.status is Status.ROLLED_BACK
    assert not state.obligations


def _walk_with(bench: Bench, *asked: ev.Event) -> State:
    engine = bench.engine()
    engine._write([ev.RolloutStarted("patch", "h", "test")])
    engine._advance()
    engine._write(bench.world.wait(60))
    engine._write(list(asked))
    return engine._walk()


@pytest.mark.parametrize("now", [False, True])
def test_a_rollout_that_is_stopped_puts_back_first(now: bool) -> None:
    bench = _bench()
    state = _walk_with(bench, ev.StopRequested("me", now))
    assert state.status is Status.INTERRUPTED
    assert not state.obligations
    assert not bench.world.out
    assert bool(_discharges(bench)) is now


def test_an_abort_puts_back_first_and_ends_whether_that_worked_or_not() -> None:
    bench = _bench(**_fails_on("pilot-01"))
    state = _walk_with(bench, ev.AbortRequested("me", "no more"))
    assert state.status is Status.ABORTED
    assert not state.obligations

    bench = _bench(fate=_undo_fails("pilot-01"))
    state = _walk_with(bench, ev.AbortRequested("me", "no more"))
    assert state.status is Status.ABORTED
    assert list(state.obligations) == [("pilot-01", "pool")]
    assert "still taken out: pool on pilot-01" in state.reason


def test_a_journal_from_before_obligations_is_read() -> None:
    data = encode(ev.BatchSubmitted("pilot.1", "pilot", 0, ("a",), ("apply",)))
    del data["obligation"], data["undo"]
    assert decode("batch_submitted", data) == ev.BatchSubmitted("pilot.1", "pilot", 0, ("a",), ("apply",))


def test_the_first_pin_of_a_key_counts() -> None:
    pinned = ev.VersionPinned("pilot.1", "a", "k", "1")
    records = [ev.Record(1, 0.0, pinned), ev.Record(2, 0.0, replace(pinned, host="b", value="2"))]
    assert fold(State(), records).pins == {"k": pinned}


def test_a_later_process_is_told_what_was_pinned() -> None:
    bench = _bench()
    bench.run()
    told: list[ev.Event] = []
    pinned = ev.VersionPinned("pilot.1", "a", "k", "1")
    bench.journal.append(
        "r1", len(bench.records), [pinned, ev.RolloutPaused(Status.HELD, "x")], bench.world.time
    )
    bench.world.acknowledge = told.append  # type: ignore[method-assign, assignment]
    bench.engine().resume("test")
    assert pinned in told
