"""Hosts done again or skipped: nobody is forgotten, and every host has an outcome when the rollout rests."""

from __future__ import annotations

from collections.abc import Sequence

from tests.world import make_fleet, plan_of, wave
from wavegate.core.again import hosts_to_retry
from wavegate.core.events import BatchSubmitted
from wavegate.core.outcomes import Outcome, Status
from wavegate.core.plan import Plan
from wavegate.core.quantity import Amount
from wavegate.core.spec import BudgetSpec, Procedure
from wavegate.core.state import State
from wavegate.simulation.bench import Bench, Catastrophe, Wish
from wavegate.simulation.fates import Fate, Fates

FAILS = Fate(outcome=Outcome.FAILED)
SICK = Fate(outcome=Outcome.FAILED, fails_at="precheck")


def walk(plan: Plan, wishes: Sequence[Wish], **fates: Fate) -> State:
    hosts = {name.replace("_", "-"): fate for name, fate in fates.items()}
    bench = Bench(plan, Fates(hosts), wishes=wishes, resumes=1)
    state = bench.run()
    assert bench.oracle.broken == []
    return state


def outcomes(state: State) -> dict[str, Outcome | None]:
    return {name: host.outcome for name, host in state.hosts.items()}


def test_after_a_skip_the_later_steps_of_a_ramp_have_their_turn() -> None:
    plan = plan_of(make_fleet(rest=3), wave("rest", batch=[1, 2]))
    state = walk(plan, [Wish("skip")], rest_01=Fate(outcome=Outcome.NOT_STARTED))
    assert state.status is Status.COMPLETED
    assert list(outcomes(state).values()) == [Outcome.SKIPPED, Outcome.DONE, Outcome.DONE]


def test_a_host_whose_retry_a_breach_came_before_keeps_its_outcome() -> None:
    plan = plan_of(make_fleet(rest=3), wave("rest"))
    state = walk(plan, [Wish("retry", 1)], rest_01=FAILS, rest_02=FAILS)
    assert state.status is Status.HALTED
    assert outcomes(state)["rest-02"] is Outcome.FAILED
    assert hosts_to_retry(state) == {"rest-01", "rest-02"}


def test_hosts_that_a_probe_found_bad_are_that_again_when_their_retry_does_not_come() -> None:
    plan = plan_of(make_fleet(rest=3), wave("rest", after="healthy"))
    state = walk(plan, [Wish("retry", 1)], rest_01=Fate(bad_after=0), rest_02=Fate(bad_after=0))
    assert state.status is Status.HALTED
    assert [bool(state.host(host).found_bad) for host in plan.hosts] == [True, True, False]


def test_hosts_ill_in_an_earlier_wave_count_against_the_budget_of_the_rollout() -> None:
    waves = [wave(name, failure_budget=1) for name in ("a", "b", "c")]
    playbooks = {Procedure.PRECHECK: ("look.yml",), Procedure.APPLY: ("patch.yml",)}
    budget = BudgetSpec(Amount(1))
    plan = plan_of(make_fleet(a=2, b=2, c=2), *waves, playbooks=playbooks, failure_budget=budget)
    held = walk(plan, [], a_02=SICK, b_01=FAILS)
    assert held.status is Status.HELD
    assert held.reason.startswith("the fleet is ill: a-02 did not get through the precheck")
    assert "`wavegate skip`" in held.reason
    assert held.wave("c").started_at is None
    done = walk(plan, [Wish("skip")], a_02=SICK, b_01=FAILS)
    assert (done.status, outcomes(done)["a-02"]) == (Status.COMPLETED, Outcome.SKIPPED)


def test_a_breach_while_a_host_has_its_other_turn_does_not_touch_how_that_ends() -> None:
    plan = plan_of(make_fleet(rest=3), wave("rest"))
    fates = {"rest-01": Fate(5.0, Outcome.FAILED), "rest-02": Fate(10.0), "rest-03": Fate(3.0)}
    deaths = [[Catastrophe("death", 4, "before")]]
    bench = Bench(plan, Fates(fates), deaths, wishes=[Wish("retry", 0)])
    state = bench.run()
    assert bench.oracle.broken == []
    assert bench.happened[0].startswith("death")
    assert state.host("rest-02").outcome is Outcome.DONE
    assert not state.host("rest-02").doubtful
    again = [record.event.hosts for record in bench.records if isinstance(record.event, BatchSubmitted)][2:]
    assert again == [("rest-01",)]  # what was done is not done again
