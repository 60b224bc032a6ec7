"""Overriding a gate, and the gate over the whole fleet: the real core and engine in a fake world."""

from __future__ import annotations

from msgspec.structs import replace

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Reading, Status, Verdict
from wavegate.core.overriding import find_overridable
from wavegate.core.plan import Plan
from wavegate.core.requests import receive
from wavegate.core.spec import ErrorBudget, GateProbe, GateSpec, Sampling, Scope
from wavegate.core.state import GateState, State, WaveState

BAD_HOST = "pilot-01"


def _plan(**changes: object) -> Plan:
    waves = (wave("pilot", after="healthy"), wave("site", after="healthy"))
    return plan_of(make_fleet(pilot=2, site=2), *waves, **changes)


def _world(*bad: str) -> World:
    return World(reading=lambda probe, host, now: Reading.BAD if host in bad else Reading.GOOD)


def _promote(bench: Bench, state: State, gate: str = "healthy") -> State:
    """Do what `wavegate promote` does: write the override, then go on."""
    shut = find_overridable(state, gate)
    assert shut is not None
    event = ev.GateOverridden(shut.wave, shut.side, gate, "ann", "checked by hand")
    bench.journal.acquire("r1", bench.world.time)
    bench.journal.append("r1", state.seq, [event], bench.world.time)
    return bench.engine().resume("ann")


def test_a_failed_gate_is_passed_once_and_its_bad_hosts_count_no_more() -> None:
    bench = Bench(_plan(), _world(BAD_HOST))
    halted = bench.run()
    assert halted.status is Status.HALTED
    state = _promote(bench, halted)
    assert state.status is Status.COMPLETED
    gate = state.wave("pilot").after
    assert gate is not None
    assert gate.override is not None
    assert gate.reason == "overridden by ann: checked by hand"
    assert state.host(BAD_HOST).accepted
    assert not state.counts.made_bad


def test_the_override_is_for_one_gate_of_one_wave() -> None:
    bench = Bench(_plan(), _world(BAD_HOST, "site-01"))
    state = _promote(bench, bench.run())
    assert state.status is Status.HALTED
    assert state.failed_gate == "site"
    assert state.wave("site").after.verdict is Verdict.FAIL  # type: ignore[union-attr]


def test_a_gate_that_could_not_measure_is_passed() -> None:
    world = World(reading=lambda probe, host, now: Reading.ERROR)
    bench = Bench(plan_of(make_fleet(pilot=1), wave("pilot", after="healthy")), world)
    held = bench.run()
    assert held.status is Status.HELD
    assert _promote(bench, held).status is Status.COMPLETED


def test_a_hosts_accepted_state_ends_when_it_is_done_again() -> None:
    bench = Bench(_plan(), _world(BAD_HOST))
    state = _promote(bench, bench.run())
    retried = ev.HostsRetried("pilot", (BAD_HOST,), (0,), "ann")
    bench.journal.acquire("r1", bench.world.time)
    again = bench.engine().resume("ann", [retried])
    assert state.status is Status.COMPLETED
    assert again.status is Status.HALTED
    assert not again.host(BAD_HOST).accepted


def test_an_override_that_comes_too_late_is_dropped() -> None:
    bench = Bench(_plan(), _world())
    state = bench.run()
    late = ev.GateOverridden("pilot", "after", "healthy", "ann", "too late")
    assert receive(bench.plan, state, late, bench.world.time, lambda vote: "") is None
    assert find_overridable(state, "healthy") is None


def test_a_background_gate_whose_error_budget_is_spent_is_passed_too() -> None:
    plan = plan_of(
        make_fleet(pilot=2, site=2), wave("pilot", during="seen", batch=[1], in_flight=1), wave("site")
    )
    use = GateProbe(probe="answers", sampling=Sampling(interval=2.0))
    seen = GateSpec(name="seen", probes=(use,), error_budget=ErrorBudget(downtime=3.0))
    probes = {"answers": replace(plan.probes["answers"], scope=Scope.ONCE)}
    bench = Bench(replace(plan, gates={"seen": seen}, probes=probes), World(reading=lambda *_: Reading.BAD))
    halted = bench.run()
    assert halted.status is Status.HALTED
    assert halted.failed_gate == "pilot"
    assert len(bench.world.applied) == 1
    state = _promote(bench, halted, "seen")
    assert state.status is Status.COMPLETED
    assert state.wave("pilot").during.override is not None  # type: ignore[union-attr]


def test_a_gate_that_only_watches_keeps_nothing_from_going_on() -> None:
    watching = GateState("pilot", "during", "seen", 0.0, ())
    state = State(waves={"pilot": WaveState(during=watching)})
    assert find_overridable(state, "seen") is None
    watching.verdict = Verdict.INCONCLUSIVE
    assert find_overridable(state, "seen") is watching


def _fit() -> GateSpec:
    return GateSpec(name="fit", probes=(GateProbe(probe="answers", sampling=Sampling(interval=2.0)),))


def test_a_fleet_that_is_ill_is_held_before_anything_is_changed_and_its_hosts_are_named() -> None:
    plan = _plan(before="fit", gates={"fit": _fit(), "healthy": _fit()})
    world = _world(BAD_HOST, "site-02")
    bench = Bench(plan, world)
    state = bench.run()
    assert state.status is Status.HELD
    assert "the fleet is ill, 2 hosts were sick before" in state.reason
    assert f"{BAD_HOST} (answers:" in state.reason
    assert "site-02 (answers:" in state.reason
    assert not world.applied


def test_a_fleet_that_is_well_passes_once_for_all_waves() -> None:
    plan = _plan(before="fit", gates={"fit": _fit(), "healthy": _fit()})
    bench = Bench(plan, _world())
    state = bench.run()
    assert state.status is Status.COMPLETED
    fleet = [r.event for r in bench.records if isinstance(r.event, ev.GateOpened) and not r.event.wave]
    assert [event.targets for event in fleet] == [plan.hosts]


def test_a_sick_host_that_is_skipped_keeps_nobody_waiting() -> None:
    plan = _plan(before="fit", gates={"fit": _fit(), "healthy": _fit()})
    bench = Bench(plan, _world(BAD_HOST))
    assert bench.run().status is Status.HELD
    bench.journal.acquire("r1", bench.world.time)
    state = bench.engine().resume("ann", [ev.HostSkipped("pilot", BAD_HOST, "ann", "it is replaced")])
    assert state.status is Status.COMPLETED
    assert BAD_HOST not in bench.world.applied


def test_a_death_anywhere_in_the_fleets_gate_changes_nothing() -> None:
    plan = _plan(before="fit", gates={"fit": _fit(), "healthy": _fit()})
    whole = Bench(plan, _world())
    whole.run()
    for seq in range(1, len(whole.records)):
        state = Bench(plan, _world()).run_with_one_death(seq)
        assert state is not None
        assert state.status is Status.COMPLETED, f"killed after {seq}"
