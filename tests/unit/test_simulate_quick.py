"""A quick walk is the walk of the real engine in the same fake world, for random plans and changes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from msgspec.structs import replace

from tests.random_worlds import make_world
from tests.world import make_fleet, plan_of, wave
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.core.quantity import Amount
from wavegate.core.spec import BudgetSpec, GateProbe, GateSpec, Sampling, Scope
from wavegate.engine.engine import Engine
from wavegate.simulation.bench import ROLLOUT, Blind
from wavegate.simulation.change import parse_change
from wavegate.simulation.journal import Ledger
from wavegate.simulation.process import Process
from wavegate.simulation.scaling import without_watching
from wavegate.simulation.study import Trial, Walk, tell_walk
from wavegate.simulation.world import World

CHANGES = [
    "breaks 30% after 20s",
    "breaks 100% at once",
    "breaks 10% after 5s, breaks 5% after 1m",
    "fails 5%",
    "fails 10%, hangs 5%, unreachable 5%, breaks 5%",
    "flaky 3%, errors 10%",
    "breaks 5% after 12s, fails 3%, flaky 0.5%",
]


def walk_with_the_engine(trial: Trial, kind: str, number: int) -> Walk:
    """Walk with the engine, a journal, an executor and a prober: every event is one."""
    plan, luck = trial.plan, trial.luck(kind, number)
    world, ledger = World(luck, batch_timeout=plan.batch_timeout), Ledger()
    process = Process(world, ledger, "simulated")
    process.most_turns = 1_000_000
    process.journal.create(ROLLOUT, plan, "", world.now())
    process.journal.acquire(ROLLOUT, world.now())
    engine = Engine(
        rollout_id=ROLLOUT,
        plan=plan,
        journal=process.journal,
        executor=process,
        prober=process,
        clock=process,
        inbox=process,
        watcher=Blind(),
        look_seconds=86_400.0,
    )
    state = engine.start("the test")
    where = {host: planned.name for planned in plan.waves for host in planned.hosts}
    return tell_walk(plan, state, world.time, Counter(where[host] for host in world.reached), luck)


def compare(plan: Plan, change: str, seed: int, *, host_seconds: float = 10.0) -> Walk:
    """Return the quick walk of the bad change, after both kinds of walks were found to be equal."""
    trial = Trial(without_watching(plan), parse_change(change), seed, host_seconds)
    for kind in ("good", "bad"):
        quick, slow = trial.walk(kind, 0), walk_with_the_engine(trial, kind, 0)
        assert quick == slow, (change, seed)
    return quick


@pytest.mark.parametrize("chunk", range(4))
def test_a_quick_walk_is_the_engine_s_walk(chunk: int) -> None:
    ends: Counter[Status] = Counter()
    for seed in range(chunk * 100, (chunk + 1) * 100):
        rng = random.Random(f"quick/{seed}")
        seconds = rng.choice([2.0, 10.0, 45.0])  # some batches take longer than they may
        walk = compare(make_world(seed).plan, rng.choice(CHANGES), seed, host_seconds=seconds)
        ends[walk.status] += 1
    # what makes walks differ is there
    assert {Status.COMPLETED, Status.HELD, Status.HALTED, Status.ROLLED_BACK} <= set(ends)


def with_random_gates(rng: random.Random) -> Plan:
    """Return a plan with long soaks and two probes, one of which may measure one thing once."""
    waves = (
        wave("pilot", after="healthy"),
        wave("office", batch=[2], in_flight=6, failure_budget=2, before="healthy", after="healthy"),
        wave("site", batch=["50%"], failure_budget="30%", after="healthy"),
    )
    plan = plan_of(make_fleet(pilot=3, office=9, site=20), *waves, rollback=rng.random() < 0.5)
    soak = rng.choice([3.0, 60.0, 600.0])
    answers = plan.probes["answers"]
    other = replace(answers, name="other", scope=rng.choice(list(Scope)), by="rack")
    racks = {host: f"rack {place % 4}" for place, host in enumerate(plan.hosts)}
    plan = replace(plan, groups={"rack": racks})
    sampling = [
        Sampling(
            interval=rng.choice([0.05 if soak == 3.0 else 2.5, 7.0, 30.0]),
            count=rng.choice([1, 30]),
            initial_delay=rng.choice([0.0, 40.0]),
            failure_limit=rng.choice([0, 2]),
            consecutive_success_limit=rng.choice([0, 3]),
            dry_run=rng.random() < 0.2,
        )
        for _ in range(2)
    ]
    uses = tuple(
        GateProbe(probe=name, sampling=how) for name, how in zip(("answers", "other"), sampling, strict=True)
    )
    gate = GateSpec(name="healthy", probes=uses, soak=soak)
    return replace(plan, probes={"answers": answers, "other": other}, gates={"healthy": gate})


def test_sweeps_folded_together_in_a_soak_are_the_sweeps_one_by_one() -> None:
    ends: Counter[Status] = Counter()
    for seed in range(24):
        rng = random.Random(f"gates/{seed}")
        after = rng.choice([0, 50, 300, 590, 599, 1200])
        change = rng.choice([f"breaks 10% after {after}s", f"breaks 5% after {after}s, breaks 5% after 40s"])
        ends[compare(with_random_gates(rng), change, seed).status] += 1
    assert {Status.COMPLETED, Status.HALTED, Status.ROLLED_BACK} <= set(ends)


def test_a_host_on_which_the_change_failed_does_not_break() -> None:
    plan = plan_of(make_fleet(all=20), wave("all", failure_budget="100%", after="healthy"))
    probe = replace(plan.probes["answers"], scope=Scope.ONCE)
    use = GateProbe(probe="answers", sampling=Sampling(interval=2.0, failure_limit=8))
    gate = GateSpec(name="healthy", probes=(use,), soak=60.0)
    plan = replace(plan, probes={"answers": probe}, gates={"healthy": gate})
    ends = {compare(plan, "breaks 50% at once, fails 50%", seed).status for seed in range(15)}
    assert ends == {Status.COMPLETED, Status.HALTED}


def test_a_budget_that_waits_for_a_sample_sees_every_host_in_time() -> None:
    budget = BudgetSpec(Amount(1), {}, minimum_sample=8)
    plan = plan_of(make_fleet(all=80), wave("all", batch=[4], in_flight=12, failure_budget=budget))
    reached = {compare(plan, "fails 20%", seed).total for seed in range(25)}
    assert len(reached) > 2


@pytest.mark.parametrize("change", CHANGES)
def test_a_larger_fleet_in_a_window_is_the_same_walk_too(change: str) -> None:
    waves = (
        wave("pilot", after="healthy"),
        wave("office", batch=[1, 5, "25%"], in_flight=40, failure_budget="10%", before="healthy"),
        wave("site", batch=[1], in_flight=30, failure_budget="5%", after="healthy"),
    )
    plan = plan_of(make_fleet(pilot=5, office=150, site=400), *waves, rollback=True)
    compare(plan, change, seed=3)
