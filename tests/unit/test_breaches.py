"""What follows a breach: classes of budgets, an ill fleet, four policies, a rollback's budget and gate."""

from __future__ import annotations

import pytest

from tests.world import Bench, World, make_fleet, make_spec, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading, Status
from wavegate.core.planning import make_plan
from wavegate.core.quantity import Amount
from wavegate.core.spec import BudgetSpec, OnBreach, Procedure, RollbackSpec

FLEET = make_fleet(pilot=2, rest=6)
BOTH = {Procedure.APPLY: ("patch.yml",), Procedure.ROLLBACK: ("rollback.yml",)}
CHECKED = {Procedure.PRECHECK: ("look.yml",), **BOTH}


def plan_with(*waves, **changes):
    return make_plan(make_spec(*waves, **{"playbooks": BOTH, **changes}), FLEET, digests={}, seed=1)


def fate_of(forward=None, back=None):
    """Return fates by host: of the way forward, and of the way back (done where nothing is said)."""
    forward, back = forward or {}, back or {}
    return lambda host, procedures: (back if "rollback" in procedures else forward).get(host, Outcome.DONE)


def submitted(bench):
    return [r.event.batch for r in bench.records if isinstance(r.event, ev.BatchSubmitted)]


def outcomes(state):
    return {name: host.outcome for name, host in state.hosts.items()}


WAVES = (wave("pilot", batch=[1]), wave("rest", batch=[2]))


@pytest.mark.parametrize(
    ("policy", "put_back"),
    [
        (OnBreach.HALT, []),
        (OnBreach.ROLLBACK_BATCH, ["rest.2-rollback"]),
        (OnBreach.ROLLBACK_WAVE, ["rest.2-rollback", "rest.1-rollback"]),
        (
            OnBreach.ROLLBACK_ALL,
            ["rest.2-rollback", "rest.1-rollback", "pilot.2-rollback", "pilot.1-rollback"],
        ),
    ],
)
def test_each_policy_puts_back_what_it_names_last_first(policy, put_back):
    bench = Bench(plan_with(*WAVES, on_breach=policy), World(fate=fate_of({"rest-03": Outcome.FAILED})))
    state = bench.run()
    assert [batch for batch in submitted(bench) if "rollback" in batch] == put_back
    assert state.status is (Status.ROLLED_BACK if put_back else Status.HALTED)


def test_a_halted_rollout_is_not_closed():
    state = Bench(plan_with(*WAVES), World(fate=fate_of({"pilot-01": Outcome.FAILED}))).run()
    assert (state.status, state.is_closed, state.is_over) == (Status.HALTED, False, True)


def test_the_reason_says_how_many_were_tolerated_and_with_how_many_it_ended():
    forward = {f"rest-0{n}": Outcome.FAILED for n in (1, 2, 3, 4)}
    waves = (wave("pilot"), wave("rest", batch=[1], in_flight=4, failure_budget=2))
    state = Bench(plan_with(*waves), World(fate=fate_of(forward))).run()
    assert state.reason.endswith("tolerated 2, ended with 4")


def budget(**classes):
    total = classes.pop("total", None)
    sample = classes.pop("minimum_sample", 0)
    return BudgetSpec(
        Amount(total) if total is not None else None,
        {name: Amount(number) for name, number in classes.items()},
        sample,
    )


@pytest.mark.parametrize(
    ("written", "bad", "halts"),
    [
        (budget(unreachable=2), {1: Outcome.UNREACHABLE, 2: Outcome.UNREACHABLE}, False),
        (budget(unreachable=2), dict.fromkeys((1, 2, 3), Outcome.UNREACHABLE), True),
        (budget(unreachable=1, failed=1), {1: Outcome.UNREACHABLE, 2: Outcome.FAILED}, False),
        (budget(unreachable=1, failed=1), {1: Outcome.FAILED, 2: Outcome.FAILED}, True),
        (budget(total=3, failed=1), {1: Outcome.FAILED, 2: Outcome.FAILED}, True),
        (budget(total=1, unreachable=3), {1: Outcome.UNREACHABLE, 2: Outcome.UNREACHABLE}, True),
        (budget(unreachable=2), {1: Outcome.TIMED_OUT, 2: Outcome.FAILED, 3: Outcome.FAILED}, True),
    ],
)
def test_a_class_has_a_budget_of_its_own(written, bad, halts):
    forward = {f"rest-0{number}": outcome for number, outcome in bad.items()}
    plan = plan_with(wave("pilot"), wave("rest", batch=[1], failure_budget=written))
    state = Bench(plan, World(fate=fate_of(forward))).run()
    assert state.status is (Status.HALTED if halts else Status.COMPLETED)


def test_a_budget_waits_for_its_minimum_sample():
    plan = plan_with(
        wave("pilot"), wave("rest", batch=[1], in_flight=1, failure_budget=budget(total=0, minimum_sample=4))
    )
    bench = Bench(plan, World(fate=fate_of({"rest-01": Outcome.FAILED})))
    assert bench.run().status is Status.HALTED
    assert submitted(bench)[-1] == "rest.4"


def sick(*names):
    """Return a fate in which these hosts do not get through the precheck."""
    return lambda host, procedures: Outcome.FAILED if host in names else Outcome.DONE


def test_a_fleet_that_was_ill_before_holds_and_is_not_halted_or_rolled_back():
    plan = plan_with(*WAVES, playbooks=CHECKED, on_breach=OnBreach.ROLLBACK_ALL)
    bench = Bench(plan, World(fate=sick("rest-01")))
    state = bench.run()
    assert state.status is Status.HELD
    assert "the fleet is ill: rest-01 did not get through the precheck" in state.reason
    assert not any("rollback" in batch for batch in submitted(bench))
    bench.world.fate = fate_of()
    assert bench.engine().resume("ann").status is Status.COMPLETED
    assert set(outcomes(bench.engine_state()).values()) == {Outcome.DONE}


def test_ill_hosts_within_the_budget_are_tolerated():
    plan = plan_with(wave("pilot"), wave("rest", failure_budget=1), playbooks=CHECKED)
    state = Bench(plan, World(fate=sick("rest-01"))).run()
    assert state.status is Status.COMPLETED
    assert state.wave("rest").sick == {"rest-01"}


def test_hosts_that_we_made_ill_halt_also_where_others_were_ill_before():
    def fate(host, procedures):
        return {"rest-01": Outcome.FAILED, "rest-02": Outcome.TIMED_OUT}.get(host, Outcome.DONE)

    world = World(fate=fate, completed_by=lambda host, outcome: ("precheck",) if host == "rest-02" else ())
    bench = Bench(plan_with(*WAVES, playbooks=CHECKED, on_breach=OnBreach.ROLLBACK_WAVE), world)
    state = bench.run()
    assert state.rollback is not None
    assert state.rollback.hosts == ("rest-02",), "nothing was changed on the host that was ill before"


def test_a_rollback_has_a_budget_of_its_own():
    fates = fate_of({"rest-03": Outcome.FAILED}, {"rest-03": Outcome.ROLLBACK_FAILED})
    for tolerated, tried in ((0, 1), (1, 2)):
        spec = RollbackSpec(tolerated=tolerated)
        plan = plan_with(*WAVES, on_breach=OnBreach.ROLLBACK_WAVE, rollback=spec)
        bench = Bench(plan, World(fate=fates))
        state = bench.run()
        assert state.status is Status.ROLLBACK_FAILED
        assert "not put back: rest-03" in state.reason
        assert sum("rollback" in batch for batch in submitted(bench)) == tried


def test_resume_tries_again_what_could_not_be_put_back():
    fates = fate_of({"rest-03": Outcome.FAILED}, {"rest-03": Outcome.ROLLBACK_FAILED})
    bench = Bench(plan_with(*WAVES, on_breach=OnBreach.ROLLBACK_WAVE), World(fate=fates))
    assert bench.run().status is Status.ROLLBACK_FAILED
    bench.world.fate = fate_of()
    state = bench.engine().resume("ann")
    assert state.status is Status.ROLLED_BACK
    assert {host for host, outcome in outcomes(state).items() if outcome is Outcome.ROLLED_BACK} == {
        "rest-01",
        "rest-02",
        "rest-03",
        "rest-04",
    }


@pytest.mark.parametrize(
    ("reading", "status"),
    [
        (Reading.GOOD, Status.ROLLED_BACK),
        (Reading.BAD, Status.ROLLBACK_FAILED),
        (Reading.ERROR, Status.HELD),
    ],
)
def test_the_gate_after_a_rollback_has_the_last_word(reading, status):
    spec = RollbackSpec(gate="healthy")
    plan = plan_with(*WAVES, on_breach=OnBreach.ROLLBACK_WAVE, rollback=spec)
    world = World(fate=fate_of({"rest-03": Outcome.FAILED}), reading=lambda *_: reading)
    bench = Bench(plan, world)
    assert bench.run().status is status
    if status is not Status.ROLLED_BACK:
        bench.world.reading = lambda *_: Reading.GOOD
        assert bench.engine().resume("ann").status is Status.ROLLED_BACK


def test_a_retry_does_bad_hosts_again_and_then_goes_on():
    bench = Bench(plan_with(*WAVES), World(fate=fate_of({"rest-01": Outcome.FAILED})))
    assert bench.run().status is Status.HALTED
    bench.world.fate = fate_of()
    state = bench.engine().resume("ann", before=[ev.HostsRetried("rest", ("rest-01",), (0,), "ann")])
    assert state.status is Status.COMPLETED
    assert submitted(bench)[-3:] == ["rest.1-try2", "rest.2", "rest.3"]


def test_a_bad_host_of_a_completed_rollout_can_be_done_again():
    waves = (wave("pilot", after="healthy"), wave("rest", failure_budget=1, after="healthy"))
    bench = Bench(plan_with(*waves), World(fate=fate_of({"rest-01": Outcome.UNREACHABLE})))
    assert bench.run().status is Status.COMPLETED
    bench.world.fate = fate_of()
    state = bench.engine().resume("ann", before=[ev.HostsRetried("rest", ("rest-01",), (0,), "ann")])
    assert state.status is Status.COMPLETED
    assert set(outcomes(state).values()) == {Outcome.DONE}
    orders = [r.event for r in bench.records if isinstance(r.event, ev.BatchSubmitted)]
    assert (orders[-1].hosts, orders[-1].procedures) == (("rest-01",), ("settle", "apply"))


def test_a_skipped_host_is_neither_done_nor_bad_and_the_rollout_goes_on():
    bench = Bench(plan_with(*WAVES), World(fate=fate_of({"rest-01": Outcome.FAILED})))
    assert bench.run().status is Status.HALTED
    state = bench.engine().resume("ann", before=[ev.HostSkipped("rest", "rest-01", "ann", "it is replaced")])
    assert state.status is Status.COMPLETED
    assert outcomes(state)["rest-01"] is Outcome.SKIPPED


def test_a_batch_whose_hosts_are_all_skipped_is_never_submitted():
    bench = Bench(plan_with(*WAVES), World(fate=fate_of({"pilot-01": Outcome.FAILED})))
    assert bench.run().status is Status.HALTED
    skips = [ev.HostSkipped("pilot", host, "ann", "gone") for host in ("pilot-01", "pilot-02")]
    state = bench.engine().resume("ann", before=skips)
    assert state.status is Status.COMPLETED
    assert all(r.event.hosts for r in bench.records if isinstance(r.event, ev.BatchSubmitted))


def test_a_person_can_put_back_a_completed_rollout():
    bench = Bench(plan_with(*WAVES), World())
    assert bench.run().status is Status.COMPLETED
    hosts = bench.plan.hosts
    state = bench.engine().resume("ann", before=[ev.RollbackStarted("rest", hosts, "it was wrong", "ann")])
    assert state.status is Status.ROLLED_BACK
    assert set(outcomes(state).values()) == {Outcome.ROLLED_BACK}
    assert [batch for batch in submitted(bench) if "rollback" in batch][-1] == "pilot.1-rollback"


def test_an_abort_ends_it_for_good_when_nothing_is_in_flight():
    bench = Bench(plan_with(*WAVES), World(fate=fate_of({"rest-01": Outcome.FAILED})))
    assert bench.run().status is Status.HALTED
    state = bench.engine().resume("ann", before=[ev.AbortRequested("ann", "withdrawn")])
    assert (state.status, state.reason) == (Status.ABORTED, "aborted by ann: withdrawn")
