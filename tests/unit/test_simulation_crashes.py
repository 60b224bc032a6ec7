"""Kills the engine around every single journal write of a set of rollouts, and has another process go on.

Every promise is judged by the oracle, from what really happened in the fake world; where a host's fate does
not depend on the try, the end must be the one of the undisturbed rollout.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from tests.world import make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Status
from wavegate.core.plan import Plan
from wavegate.core.spec import (
    CompareSpec,
    ErrorBudget,
    GateProbe,
    GateSpec,
    OnBreach,
    Procedure,
    Sampling,
    Scope,
)
from wavegate.core.state import State
from wavegate.simulation.bench import Bench, Catastrophe
from wavegate.simulation.fates import Fate, Fates
from wavegate.simulation.world import START

FAILS, BREAKS = Fate(outcome=Outcome.FAILED), Fate(bad_after=5)
DRAINED = Fate(takes_out=True, survives=True)
FAILS_DRAINED = replace(DRAINED, outcome=Outcome.FAILED)
SICK = Fate(outcome=Outcome.FAILED, fails_at="precheck")
WITH_BACKUP = {
    Procedure.BACKUP: ("backup.yml",),
    Procedure.APPLY: ("patch.yml",),
    Procedure.VERIFY: ("verify.yml",),
    Procedure.ROLLBACK: ("rollback.yml",),
}


def hosts(**fates: Fate) -> Mapping[str, Fate]:
    return {name.replace("_", "-"): fate for name, fate in fates.items()}


def apart_plan() -> Plan:
    fleet = make_fleet(pilot=2, rest=8)
    racks = {host: f"rack{number // 3}" for number, host in enumerate(fleet.hosts)}
    fleet = replace(fleet, values={"rack": racks})
    return plan_of(fleet, wave("pilot"), wave("rest", batch=[1], in_flight=4, apart="rack"))


def watched_plan(budget: ErrorBudget) -> Plan:
    plan = plan_of(
        make_fleet(pilot=1, rest=4),
        wave("pilot", during="watch", after="healthy"),
        wave("rest", batch=[2], during="watch"),
    )
    outside = replace(plan.probes["answers"], name="outside", scope=Scope.ONCE)
    use = GateProbe(probe="outside", sampling=Sampling(interval=5.0))
    gate = GateSpec(name="watch", probes=(use,), error_budget=budget)
    changes = {"probes": {**plan.probes, "outside": outside}, "gates": {**plan.gates, "watch": gate}}
    return replace(plan, **changes)


def compared_plan() -> Plan:
    plan = plan_of(make_fleet(pilot=1, rest=3), wave("pilot", after="healthy"), wave("rest"))
    probe = replace(plan.probes["answers"], compare=CompareSpec(at_most=0.2))
    use = GateProbe(probe="answers", sampling=Sampling(interval=2.0, count=12))
    gate = replace(plan.gates["healthy"], probes=(use,), soak=0.0)
    return replace(plan, probes={"answers": probe}, gates={"healthy": gate})


@dataclass(frozen=True)
class Case:
    """One rollout in one world, and how it ends undisturbed."""

    plan: Plan
    end: Status
    fates: Mapping[str, Fate] = field(default_factory=dict)
    stops: Sequence[tuple[float, ev.StopRequested]] = ()


TWO = (
    wave("pilot", after="healthy"),
    wave("rest", batch=[2], in_flight=4, failure_budget=1, after="healthy"),
)
SMALL = make_fleet(pilot=1, rest=6)

CASES = {
    "three waves with gates before and after": Case(
        plan_of(
            make_fleet(pilot=1, office=3, site=4),
            wave("pilot", after="healthy"),
            wave("office", batch=[1, 2], before="healthy"),
            wave("site", batch=["50%"], after="healthy"),
        ),
        Status.COMPLETED,
    ),
    "a ramp in a window": Case(
        plan_of(make_fleet(rest=9), wave("rest", batch=[1, 2, 3], in_flight=6)), Status.COMPLETED
    ),
    "a gate that watches, with a budget that is kept": Case(
        watched_plan(ErrorBudget(downtime=60.0)), Status.COMPLETED
    ),
    "a comparison with hosts to come": Case(compared_plan(), Status.COMPLETED),
    "a comparison that fails": Case(compared_plan(), Status.HALTED, hosts(pilot_01=Fate(slower=3.0))),
    "hosts that stay apart": Case(apart_plan(), Status.COMPLETED),
    "uneven hosts in a sliding window": Case(
        plan_of(make_fleet(rest=8), wave("rest", batch=[1], in_flight=3)),
        Status.COMPLETED,
        {f"rest-{n:02d}": Fate(seconds=3.0 * n, survives=n % 2 == 0) for n in range(1, 9)},
    ),
    "bad hosts that are tolerated": Case(
        plan_of(make_fleet(pilot=1, rest=8), TWO[0], wave("rest", batch=[2], in_flight=4, failure_budget=2)),
        Status.COMPLETED,
        hosts(rest_02=FAILS, rest_05=Fate(outcome=Outcome.UNREACHABLE)),
    ),
    "hosts found bad after a while and tolerated": Case(
        plan_of(SMALL, *TWO), Status.COMPLETED, hosts(rest_03=BREAKS)
    ),
    "a breach that halts": Case(plan_of(SMALL, *TWO), Status.HALTED, hosts(rest_01=FAILS, rest_02=FAILS)),
    "a breach that rolls the wave back": Case(
        plan_of(SMALL, *TWO, rollback=True),
        Status.ROLLED_BACK,
        hosts(rest_02=FAILS, rest_03=Fate(outcome=Outcome.FAILED, seconds=3.0)),
    ),
    "a gate that fails and rolls back": Case(
        plan_of(SMALL, *TWO, rollback=True), Status.ROLLED_BACK, hosts(rest_02=BREAKS, rest_05=BREAKS)
    ),
    "a backup before and a rollback after": Case(
        plan_of(SMALL, *TWO, playbooks=WITH_BACKUP, on_breach=OnBreach.ROLLBACK_WAVE),
        Status.ROLLED_BACK,
        hosts(rest_03=FAILS, rest_04=FAILS),
    ),
    "a rollback that fails": Case(
        plan_of(SMALL, *TWO, rollback=True),
        Status.ROLLBACK_FAILED,
        hosts(
            rest_02=FAILS,
            rest_03=Fate(outcome=Outcome.FAILED, rollback=Outcome.ROLLBACK_FAILED),
        ),
    ),
    "a host that hangs": Case(
        plan_of(SMALL, *TWO, rollback=True, batch_timeout=60.0),
        Status.COMPLETED,
        hosts(rest_02=Fate(hangs=True)),
    ),
    "a precheck that holds": Case(
        plan_of(SMALL, *TWO, playbooks={Procedure.PRECHECK: ("look.yml",), **WITH_BACKUP}),
        Status.HELD,
        hosts(rest_01=SICK, rest_02=SICK),
    ),
    "a rollback of everything": Case(
        plan_of(SMALL, *TWO, playbooks=WITH_BACKUP, on_breach=OnBreach.ROLLBACK_ALL),
        Status.ROLLED_BACK,
        hosts(rest_03=FAILS, rest_04=FAILS),
    ),
    "a rollback of the batch": Case(
        plan_of(SMALL, *TWO, playbooks=WITH_BACKUP, on_breach=OnBreach.ROLLBACK_BATCH),
        Status.ROLLED_BACK,
        hosts(rest_03=FAILS, rest_04=FAILS),
    ),
    "stopped, and gone on with": Case(
        plan_of(SMALL, *TWO), Status.COMPLETED, stops=[(START + 35, ev.StopRequested("ann"))]
    ),
    "stopped at once, and gone on with": Case(
        plan_of(SMALL, *TWO), Status.COMPLETED, stops=[(START + 35, ev.StopRequested("ann", now=True))]
    ),
    "drained before, and back after": Case(
        plan_of(SMALL, *TWO), Status.COMPLETED, dict.fromkeys(SMALL.hosts, DRAINED)
    ),
    "failed while drained, and tolerated": Case(
        plan_of(SMALL, *TWO),
        Status.COMPLETED,
        dict.fromkeys(SMALL.hosts, DRAINED) | hosts(rest_02=FAILS_DRAINED),
    ),
    "hung while drained": Case(
        plan_of(SMALL, *TWO, batch_timeout=60.0),
        Status.COMPLETED,
        dict.fromkeys(SMALL.hosts, DRAINED) | hosts(rest_02=replace(DRAINED, hangs=True)),
    ),
    "rolled back while drained": Case(
        plan_of(SMALL, *TWO, rollback=True),
        Status.ROLLED_BACK,
        dict.fromkeys(SMALL.hosts, DRAINED)
        | hosts(
            rest_02=replace(DRAINED, outcome=Outcome.FAILED), rest_03=replace(DRAINED, outcome=Outcome.FAILED)
        ),
    ),
    "halted while drained": Case(
        plan_of(SMALL, *TWO),
        Status.HALTED,
        dict.fromkeys(SMALL.hosts, DRAINED)
        | hosts(
            rest_02=replace(DRAINED, outcome=Outcome.FAILED), rest_03=replace(DRAINED, outcome=Outcome.FAILED)
        ),
    ),
    "stopped at once while drained": Case(
        plan_of(SMALL, *TWO),
        Status.COMPLETED,
        dict.fromkeys(SMALL.hosts, DRAINED),
        stops=[(START + 35, ev.StopRequested("ann", now=True))],
    ),
    "what cannot be put back": Case(
        plan_of(SMALL, *TWO),
        Status.HELD,
        dict.fromkeys(SMALL.hosts, DRAINED) | hosts(rest_02=replace(FAILS_DRAINED, undo=Outcome.UNREACHABLE)),
    ),
    "a fleet that was ill before": Case(
        plan_of(SMALL, wave("pilot", before="healthy"), wave("rest")),
        Status.HELD,
        hosts(pilot_01=Fate(sick=True)),
    ),
}


def walk(case: Case, *catastrophes: Sequence[Catastrophe]) -> tuple[Bench, State]:
    bench = Bench(case.plan, Fates(case.fates), catastrophes, case.stops)
    return bench, bench.run()


def judge(case: Case, bench: Bench, state: State, undisturbed: State) -> None:
    assert bench.oracle.broken == [], bench.happened
    assert state.status is case.end, (state.reason, bench.happened)
    for name, host in undisturbed.hosts.items():
        other = state.host(name)
        if case.end is Status.ROLLED_BACK and {host.outcome, other.outcome} & {None, Outcome.ABORTED}:
            continue  # in one world the breach came before its turn, or what was in flight was lost
        if case.end in {Status.COMPLETED, Status.ROLLED_BACK}:
            assert host.outcome == other.outcome, (name, bench.happened)
        else:  # what was in flight at a breach ends in one world and was lost in the other
            both = {host.forward or host.outcome, other.forward or other.outcome}
            assert len(both - {None, Outcome.ABORTED}) <= 1, (name, both, bench.happened)


@pytest.mark.parametrize("name", CASES)
def test_undisturbed_it_ends_as_it_should(name: str) -> None:
    bench, state = walk(CASES[name])
    assert (bench.oracle.broken, state.status) == ([], CASES[name].end), state.reason


@pytest.mark.parametrize("kind", ["death", "pause", "slow"])
@pytest.mark.parametrize("name", CASES)
def test_a_catastrophe_around_any_write_changes_nothing_about_the_end(name: str, kind: str) -> None:
    case = CASES[name]
    _, undisturbed = walk(case)
    deaths = 0
    for write in range(1, 10_000):
        struck = 0
        for when in ("before", "after"):
            bench, state = walk(case, [Catastrophe(kind, write, when, seconds=7.0)])
            struck += any(what.endswith("of process 1") for what in bench.happened)
            judge(case, bench, state, undisturbed)
        if not struck:
            break
        deaths += struck
    assert deaths >= 10


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_second_death_while_the_first_one_is_made_good_changes_nothing(name: str) -> None:
    case = CASES[name]
    _, undisturbed = walk(case)
    for write in range(1, 10_000):
        for again in range(1, 6):
            for when in ("before", "after"):
                first, second = Catastrophe("death", write), Catastrophe("death", again, when)
                bench, state = walk(case, [first], [second])
                judge(case, bench, state, undisturbed)
                if not any(what.endswith("of process 1") for what in bench.happened):
                    return


NEVER = 1_000_000
PAIRS = 40
"""Sampled for each rollout: where the first process dies, and where the ones that make that good do."""


@pytest.mark.parametrize("name", CASES)
def test_deaths_while_deaths_are_made_good_change_nothing_wherever_they_come(name: str) -> None:
    case = CASES[name]
    counting, undisturbed = walk(case, [Catastrophe("slow", NEVER)])
    writes = counting.processes[0].journal.writes
    deaths: Counter[int] = Counter()
    for seed in range(PAIRS):
        rng = random.Random(f"{name}/{seed}")
        fates = [
            [Catastrophe("death", rng.randint(1, most), rng.choice(["before", "after"]))]
            for most in (writes, writes, 4, 4)[: rng.choice([2, 2, 3, 4])]
        ]
        bench, state = walk(case, *fates)
        judge(case, bench, state, undisturbed)
        deaths[sum(what.startswith("death") for what in bench.happened)] += 1
    assert deaths[2] + deaths[3] + deaths[4] >= PAIRS / 4, deaths
