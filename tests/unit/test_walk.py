"""Whole rollouts through the real engine and journal, in a fake world with a clock that jumps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.world import START, Bench, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict
from wavegate.core.spec import Budget, GateProbe, Sampling

TWO_WAVES = (wave("pilot", after="healthy"), wave("rest", batch=[2], failure_budget=1, after="healthy"))
FLEET = make_fleet(pilot=1, rest=6)


def outcomes_of(state):
    return {name: host.outcome for name, host in state.hosts.items()}


def bad_on(*names, outcome=Outcome.FAILED):
    return lambda host, procedures: (
        outcome if host in names and "rollback" not in procedures else Outcome.DONE
    )


def test_a_good_change_reaches_everybody_in_order():
    bench = Bench(plan_of(FLEET, *TWO_WAVES), World())
    state = bench.run()
    assert state.status is Status.COMPLETED
    assert set(outcomes_of(state).values()) == {Outcome.DONE}
    submitted = [r.event.batch for r in bench.records if isinstance(r.event, ev.BatchSubmitted)]
    assert submitted == ["pilot.1", "rest.1", "rest.2", "rest.3"]
    assert bench.kinds()[-2:] == ["wave_completed", "rollout_ended"]


def test_the_next_wave_waits_for_the_soak():
    bench = Bench(plan_of(FLEET, *TWO_WAVES), World())
    state = bench.run()
    gate = state.wave("pilot").after
    assert state.wave("rest").started_at - gate.opened_at >= 20
    assert gate.series["answers"].ended >= 10


def test_probes_that_always_measure_do_not_keep_a_gate_shut():
    plan = plan_of(make_fleet(pilot=2), wave("pilot", after="healthy"))
    other = replace(plan.probes["answers"], name="other")
    uses = tuple(
        GateProbe(probe=name, sampling=Sampling(interval=0.05)) for name in ("answers", "other")
    )  # a sweep takes 0.1 s in this world: one of them is always under way
    gate = replace(plan.gates["healthy"], probes=uses, soak=1.0)
    plan = replace(plan, probes={**plan.probes, "other": other}, gates={"healthy": gate})
    bench = Bench(plan, World())
    assert bench.run().status is Status.COMPLETED
    assert bench.world.time < START + 12


def test_every_intent_is_in_the_journal_before_the_act():
    world = World()
    bench = Bench(plan_of(FLEET, *TWO_WAVES), world)

    def submit(order, report, really=world.submit):
        written = [r.event for r in bench.journal.read("r1") if isinstance(r.event, ev.BatchSubmitted)]
        assert order in written
        really(order, report)

    world.submit = submit
    assert bench.run().status is Status.COMPLETED


def test_one_bad_host_within_the_budget_is_tolerated_and_told():
    state = Bench(plan_of(FLEET, *TWO_WAVES), World(fate=bad_on("rest-02"))).run()
    assert state.status is Status.COMPLETED
    assert state.reason == "6 of 7 hosts done, 1 bad within the failure budget"


def test_a_breach_starts_nothing_new_and_halts():
    plan = plan_of(FLEET, *TWO_WAVES)
    bench = Bench(plan, World(fate=bad_on("rest-01", "rest-02")))
    state = bench.run()
    assert state.status is Status.HALTED
    assert "bad hosts 2 > tolerated 1 in wave rest" in state.reason
    assert "rest-03" not in state.hosts


def test_what_is_in_flight_at_a_breach_ends_by_itself_and_counts():
    plan = plan_of(FLEET, wave("pilot"), wave("rest", batch=[1], in_flight=3))
    world = World(fate=bad_on("rest-01"), seconds_of=lambda host: 5.0 if host == "rest-01" else 50.0)
    state = Bench(plan, world).run()
    assert state.status is Status.HALTED
    assert {h: o for h, o in outcomes_of(state).items() if h.startswith("rest")} == {
        "rest-01": Outcome.FAILED,
        "rest-02": Outcome.DONE,
        "rest-03": Outcome.DONE,
    }


def test_the_rollout_budget_is_the_tighter_one():
    plan = plan_of(
        FLEET, wave("pilot", failure_budget=1), wave("rest", batch=[1], failure_budget=3), failure_budget=None
    )
    bad = bad_on("pilot-01", "rest-01", "rest-02")
    assert Bench(plan, World(fate=bad)).run().status is Status.HELD  # the pilot has no host that is done
    tight = plan_of(FLEET, wave("pilot"), wave("rest", batch=[1], failure_budget=3))
    from msgspec.structs import replace

    tight = replace(tight, budget=Budget(1))
    state = Bench(tight, World(fate=bad_on("rest-01", "rest-02", "rest-03"))).run()
    assert state.status is Status.HALTED
    assert "bad hosts 2 > tolerated 1 in rollout" in state.reason


def test_a_gate_that_fails_during_the_soak_rolls_the_wave_back_and_spares_the_rest():
    turns_bad = lambda probe, host, now: Reading.BAD if now > 1_000_015 else Reading.GOOD  # noqa: E731
    bench = Bench(plan_of(FLEET, *TWO_WAVES, rollback=True), World(reading=turns_bad))
    state = bench.run()
    assert state.status is Status.ROLLED_BACK
    assert outcomes_of(state) == {"pilot-01": Outcome.ROLLED_BACK}
    assert state.wave("pilot").after.verdict is Verdict.FAIL
    assert state.host("pilot-01").forward is Outcome.DONE


def test_rollback_goes_backwards_and_skips_what_was_never_touched():
    plan = plan_of(FLEET, wave("pilot"), wave("rest", batch=[2]), rollback=True)
    bench = Bench(plan, World(fate=bad_on("rest-03")))
    state = bench.run()
    assert state.status is Status.ROLLED_BACK
    rollbacks = [
        r.event
        for r in bench.records
        if isinstance(r.event, ev.BatchSubmitted) and "rollback" in r.event.procedures
    ]
    assert [batch.hosts for batch in rollbacks] == [("rest-04", "rest-03"), ("rest-02", "rest-01")]
    assert state.host("pilot-01").outcome is Outcome.DONE


def test_a_rollback_that_fails_stops_everything_and_names_the_hosts():
    def fate(host, procedures):
        if "rollback" in procedures:
            return Outcome.ROLLBACK_FAILED if host == "rest-04" else Outcome.ROLLED_BACK
        return Outcome.FAILED if host == "rest-03" else Outcome.DONE

    plan = plan_of(FLEET, wave("pilot"), wave("rest", batch=[2]), rollback=True)
    state = Bench(plan, World(fate=fate)).run()
    assert state.status is Status.ROLLBACK_FAILED
    assert "rest-04" in state.reason
    assert "rollback not tried: rest-01, rest-02" in state.reason


def test_no_rollback_beside_a_task_that_may_still_be_alive():
    fate = bad_on("rest-01", outcome=Outcome.TIMED_OUT)
    plan = plan_of(FLEET, wave("pilot"), wave("rest", batch=[2]), rollback=True)
    bench = Bench(plan, World(fate=fate))
    state = bench.run()
    assert state.status is Status.ROLLED_BACK
    submitted = [r.event for r in bench.records if isinstance(r.event, ev.BatchSubmitted)]
    assert submitted[-1].procedures == ("settle", "rollback"), "the host is looked at before it is put back"
    assert state.hosts["rest-01"].in_doubt == ()


def test_a_host_that_another_ones_failure_cut_off_is_rolled_back_too():
    fates = {"rest-01": Outcome.FAILED, "rest-02": Outcome.ABORTED}

    def fate(host, procedures):
        return Outcome.DONE if "rollback" in procedures else fates.get(host, Outcome.DONE)

    plan = plan_of(FLEET, wave("pilot"), wave("rest", batch=[2]), rollback=True)
    state = Bench(plan, World(fate=fate)).run()
    assert state.status is Status.ROLLED_BACK
    assert outcomes_of(state)["rest-02"] is Outcome.ROLLED_BACK


def test_a_probe_that_cannot_measure_holds_the_rollout_and_never_rolls_back():
    bench = Bench(plan_of(FLEET, *TWO_WAVES, rollback=True), World(reading=lambda *_: Reading.ERROR))
    state = bench.run()
    assert state.status is Status.HELD
    assert state.wave("pilot").after.verdict is Verdict.INCONCLUSIVE
    assert "errors in a row 5 > consecutive_error_limit 4" in state.reason


def test_a_held_rollout_looks_again_on_resume():
    answers = {"now": Reading.ERROR}
    bench = Bench(plan_of(FLEET, *TWO_WAVES), World(reading=lambda *_: answers["now"]))
    assert bench.run().status is Status.HELD
    answers["now"] = Reading.GOOD
    assert bench.engine().resume("test").status is Status.COMPLETED


def test_hosts_sick_before_the_wave_hold_it_and_nothing_is_changed():
    plan = plan_of(FLEET, wave("pilot", before="healthy"), wave("rest"), rollback=True)
    state = Bench(plan, World(reading=lambda *_: Reading.BAD)).run()
    assert state.status is Status.HELD
    assert state.batches == {}
    assert "nothing of the wave was changed" in state.reason


def test_a_host_found_bad_by_a_probe_counts_against_the_budget():
    sick = lambda probe, host, now: Reading.BAD if host == "rest-05" else Reading.GOOD  # noqa: E731
    state = Bench(plan_of(FLEET, *TWO_WAVES), World(reading=sick)).run()
    assert state.status is Status.COMPLETED
    assert state.host("rest-05").is_bad
    more = lambda probe, host, now: Reading.BAD if host in {"rest-05", "rest-06"} else Reading.GOOD  # noqa: E731
    assert Bench(plan_of(FLEET, *TWO_WAVES), World(reading=more)).run().status is Status.HALTED


def test_a_wave_in_which_nothing_was_done_holds():
    fate = lambda host, procedures: Outcome.SKIPPED  # noqa: E731
    state = Bench(plan_of(FLEET, *TWO_WAVES), World(fate=fate)).run()
    assert state.status is Status.HELD
    assert "no host of wave pilot was done" in state.reason


def test_a_host_on_which_ansible_never_began_holds_the_rollout_and_gets_its_turn_on_resume():
    broken = {"rest-02"}
    fate = lambda host, procedures: Outcome.NOT_STARTED if host in broken else Outcome.DONE  # noqa: E731
    bench = Bench(plan_of(FLEET, *TWO_WAVES), World(fate=fate))
    state = bench.run()
    assert state.status is Status.HELD
    assert "Ansible never began on rest-02 of wave rest" in state.reason
    assert "rest-03" not in state.hosts
    broken.clear()
    state = bench.engine().resume("test")
    assert state.status is Status.COMPLETED
    assert set(outcomes_of(state).values()) == {Outcome.DONE}


def test_a_slow_host_delays_nobody_but_itself():
    fleet = make_fleet(rest=10)
    plan = plan_of(fleet, wave("rest", batch=[1], in_flight=2))
    world = World(seconds_of=lambda host: 90.0 if host == "rest-01" else 10.0)
    state = Bench(plan, world).run()
    assert world.most_in_flight == 2
    assert state.ended_at - state.started_at == 90.0


def test_a_ramp_waits_for_its_first_batch():
    plan = plan_of(make_fleet(rest=5), wave("rest", batch=[1, 2], in_flight=5))
    bench = Bench(plan, World())
    state = bench.run()
    starts = [batch.started_at for batch in state.batches.values()]
    assert starts[1] - starts[0] == 10.0
    assert starts[2] == starts[1]


def test_the_first_stop_lets_what_is_in_flight_end_and_resume_goes_on():
    world = World()
    bench = Bench(plan_of(FLEET, *TWO_WAVES), world)
    engine = bench.engine()
    world._later(world.time + 5, [ev.StopRequested("a signal")])
    state = engine.start("test")
    assert state.status is Status.INTERRUPTED
    assert state.host("pilot-01").outcome is Outcome.DONE
    assert bench.engine().resume("test").status is Status.COMPLETED
    assert set(world.applied.values()) == {1}


def test_the_second_stop_cancels_and_resume_does_those_hosts_again():
    world = World()
    bench = Bench(plan_of(FLEET, *TWO_WAVES), world)
    world._later(world.time + 5, [ev.StopRequested("a signal", now=True)])
    state = bench.engine().start("test")
    assert state.status is Status.INTERRUPTED
    assert state.host("pilot-01").outcome is Outcome.ABORTED
    assert not state.host("pilot-01").is_bad
    assert bench.engine().resume("test").status is Status.COMPLETED
    assert world.applied["pilot-01"] == 2


@pytest.mark.parametrize("fails", [(), ("rest-01", "rest-02"), ("pilot-01",)])
@pytest.mark.parametrize("rollback", [False, True])
def test_death_after_every_record_changes_nothing_about_the_end(fails, rollback):
    plan = plan_of(FLEET, *TWO_WAVES, rollback=rollback)
    undisturbed = Bench(plan, World(fate=bad_on(*fails))).run()
    deaths = 0
    while True:
        world = World(fate=bad_on(*fails))
        disturbed = Bench(plan, world).run_with_one_death(after=deaths + 1)
        if disturbed is None:
            break
        deaths += 1
        assert (disturbed.status, outcomes_of(disturbed)) == (undisturbed.status, outcomes_of(undisturbed))
        assert world.overlaps == []
    assert deaths >= 5


@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 8), min_size=1, max_size=4),
    batch=st.lists(
        st.one_of(st.integers(1, 4), st.integers(1, 100).map("{}%".format)), min_size=1, max_size=2
    ),
    in_flight=st.integers(1, 6),
    budget=st.integers(0, 3),
    rollback=st.booleans(),
    data=st.data(),
)
def test_random_worlds_keep_the_promises(sizes, batch, in_flight, budget, rollback, data):
    fleet = make_fleet(**{f"g{n}": size for n, size in enumerate(sizes)})
    waves = [
        wave(group, batch=batch, in_flight=in_flight, failure_budget=budget, after="healthy" if n % 2 else "")
        for n, group in enumerate(fleet.groups)
    ]
    plan = plan_of(fleet, *waves, rollback=rollback)
    fates = {
        host: data.draw(
            st.sampled_from(
                [Outcome.DONE] * 6
                + [Outcome.FAILED, Outcome.UNREACHABLE, Outcome.SKIPPED, Outcome.NOT_STARTED]
            )
        )
        for host in fleet.hosts
    }
    times = {host: data.draw(st.sampled_from([1.0, 10.0, 100.0])) for host in fleet.hosts}
    world = World(
        fate=lambda host, procedures: Outcome.DONE if "rollback" in procedures else fates[host],
        seconds_of=times.__getitem__,
    )
    bench = Bench(plan, world)
    state = bench.run()
    assert state.status in {Status.COMPLETED, Status.HALTED, Status.ROLLED_BACK, Status.HELD}
    assert world.overlaps == []
    assert world.most_in_flight <= in_flight
    assert state.in_flight == {}
    assert all(host.outcome is not None for host in state.hosts.values())
    if state.status is Status.COMPLETED:
        assert set(state.hosts) == set(fleet.hosts)
        for planned in plan.waves:
            assert sum(1 for host in planned.hosts if state.host(host).is_bad) <= planned.tolerated
        left = {host.outcome for host in state.hosts.values() if not host.is_bad}
        assert left <= {Outcome.DONE, Outcome.SKIPPED}
