"""Random worlds: a fleet, a plan, fates and catastrophes, all of them from one number.

python -m tests.random_worlds 4711            tell the story of one world
python -m tests.random_worlds 0 --count 1000  look for worlds in which a promise is broken
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import sys
from dataclasses import dataclass

from msgspec.structs import replace

from tests.world import make_fleet, make_spec, wave
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.outcomes import Outcome, Status
from wavegate.core.plan import Plan
from wavegate.core.planning import make_plan
from wavegate.core.quantity import Amount
from wavegate.core.spec import (
    BudgetSpec,
    CompareSpec,
    ErrorBudget,
    GateProbe,
    GateSpec,
    OnBreach,
    Procedure,
    RollbackSpec,
    Sampling,
    Scope,
)
from wavegate.core.state import State
from wavegate.simulation.bench import Bench, Catastrophe, Wish
from wavegate.simulation.fates import Fate, Fates
from wavegate.simulation.oracle import EndlessError
from wavegate.simulation.world import START

BAD = [Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.ABORTED]
MOSTLY_WRITES = 120


@dataclass(frozen=True)
class RandomWorld:
    """What one number stands for. `steady`: no fate depends on the try or on time."""

    seed: int
    plan: Plan
    fates: Fates
    catastrophes: list[list[Catastrophe]]
    stops: list[tuple[float, ev.StopRequested]]
    steady: bool
    wishes: list[Wish]

    def bench(self, *, calm: bool = False) -> Bench:
        """Return the world's bench; a `calm` one has the same fates and nothing else happens."""
        fates = dataclasses.replace(self.fates)
        if calm:
            return Bench(self.plan, fates)
        return Bench(self.plan, fates, self.catastrophes, self.stops, wishes=self.wishes)


def make_world(seed: int) -> RandomWorld:
    """Return the world that the number stands for."""
    rng = random.Random(seed)
    plan = _make_plan(rng)
    steady = rng.random() < 0.5
    fates = {host: _make_fate(rng, plan, steady=steady) for host in plan.hosts}
    pool = random.Random(f"{seed} pool")  # on its own, so that old seeds go on standing for their worlds
    if pool.random() < 0.5:
        fates = {host: _take_out(pool, fate, steady=steady) for host, fate in fates.items()}
    watched = random.Random(f"{seed} watched")
    if watched.random() < 0.4:
        plan, fates = _watch(watched, plan, fates, steady=steady)
    deaths = [_make_catastrophes(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    stops = [
        (START + rng.uniform(1, 150), ev.StopRequested("ann", now=rng.random() < 0.4))
        for _ in range(rng.choice([0, 0, 0, 1, 2]))
    ]
    wishes = [_make_wish(rng) for _ in range(rng.choice([0, 0, 1, 2, 4]))]
    return RandomWorld(seed, plan, Fates(fates, seed=seed), deaths, stops, steady, wishes)


def _make_wish(rng: random.Random) -> Wish:
    return Wish(rng.choice(["retry", "skip"]), rng.choice([0, 0, rng.randrange(1, 20)]))


def _make_plan(rng: random.Random) -> Plan:
    sizes = {f"g{n}": rng.randint(1, 10) for n in range(rng.choice([1, 1, 2, 2, 3]))}
    fleet = make_fleet(**sizes)
    racks = {host: f"rack{rng.randrange(3)}" for host in fleet.hosts}
    fleet = replace(fleet, values={"rack": racks})
    waves = []
    for name, size in sizes.items():
        gates = {side: "healthy" for side in ("before", "after") if rng.random() < 0.35}
        apart = {"apart": "rack", "at_most": rng.randint(1, 2)} if rng.random() < 0.3 else {}
        batch = rng.choice([[1], [2], [3], [1, 2], [1, 2, 4], ["50%"], [1, "50%"], ["100%"]])
        window = rng.choice([None, None, rng.randint(1, 6)])
        made = wave(name, batch=batch, in_flight=window, **gates, **apart)
        waves.append(replace(made, failure_budget=_make_budget(rng, size)))
    playbooks = {Procedure.APPLY: ("patch.yml",), Procedure.ROLLBACK: ("rollback.yml",)}
    for procedure in (Procedure.PRECHECK, Procedure.BACKUP, Procedure.VERIFY):
        if rng.random() < 0.35:
            playbooks[procedure] = (f"{procedure}.yml",)
    spec = make_spec(
        *waves,
        playbooks=playbooks,
        on_breach=rng.choice(list(OnBreach)),
        batch_timeout=rng.choice([60.0, 3600.0]),
        failure_budget=_make_budget(rng, 4) if rng.random() < 0.3 else None,
        rollback=RollbackSpec(tolerated=rng.choice([0, 0, 1, 2]), gate=rng.choice(["", "", "healthy"])),
    )
    plan = make_plan(spec, fleet, digests={}, seed=1)
    gate = plan.gates["healthy"]
    sampling = Sampling(
        interval=rng.choice([2.0, 5.0, 30.0]),
        count=rng.choice([1, 1, 3]),
        initial_delay=rng.choice([0.0, 0.0, 4.0]),
        failure_limit=rng.choice([0, 0, 1]),
        inconclusive_limit=rng.choice([0, 1]),
        consecutive_error_limit=rng.choice([1, 4]),
        consecutive_success_limit=rng.choice([0, 0, 2]),
    )
    gate = replace(
        gate, soak=rng.choice([0.0, 10.0, 40.0]), probes=(replace(gate.probes[0], sampling=sampling),)
    )
    return replace(plan, gates={"healthy": gate})


def _make_budget(rng: random.Random, size: int) -> BudgetSpec:
    total = Amount(rng.choice([0, 0, 1, 2, size]))
    by_class = {"failed": Amount(1), "found_bad": Amount(rng.randint(0, 1))} if rng.random() < 0.15 else {}
    return BudgetSpec(total, by_class, rng.choice([0, 0, 0, 3]))


def _make_fate(rng: random.Random, plan: Plan, *, steady: bool) -> Fate:
    seconds = rng.choice([0.0, 1.0, 5.0, 10.0, 10.0, rng.uniform(1, 20), 50.0])
    survives = rng.random() < 0.4
    chance = rng.random()
    fate = Fate(seconds, survives=survives)
    if chance < 0.10:
        fate = replace(fate, outcome=rng.choice(BAD), fails_at=rng.choice(plan.procedures).value)
    elif chance < 0.13:
        fate = replace(fate, outcome=rng.choice([Outcome.SKIPPED, Outcome.NOT_STARTED]))
    elif chance < 0.16:
        fate = replace(fate, hangs=True)
    elif chance < 0.22:
        fate = replace(fate, bad_after=0.0 if steady else rng.uniform(0, 60))
    elif chance < 0.24:
        fate = replace(fate, sick=True)
    elif chance < 0.30 and not steady:
        fate = replace(fate, lies=rng.choice([0.0, 0.1]), errors=rng.choice([0.0, 0.4]), unsure=0.05)
    if rng.random() < 0.06:
        fate = replace(fate, rollback=rng.choice([Outcome.ROLLBACK_FAILED, Outcome.UNREACHABLE]))
    return fate


def _take_out(rng: random.Random, fate: Fate, *, steady: bool) -> Fate:
    """Return the fate of a host that is behind a balancer; that may fail where no end is compared."""
    fails = not steady and rng.random() < 0.2
    undo = rng.choice([Outcome.FAILED, Outcome.UNREACHABLE]) if fails else Outcome.DONE
    return replace(fate, takes_out=rng.random() < 0.7, undo=undo)


def _watch(
    rng: random.Random, plan: Plan, fates: dict[str, Fate], *, steady: bool
) -> tuple[Plan, dict[str, Fate]]:
    """Return the plan with a gate during its waves, or one that compares; where an end is compared, neither
    may depend on the time: no budget is judged, and the hosts do not get slower."""
    if rng.random() < 0.5:
        use = plan.gates["healthy"].probes[0]
        probe = replace(plan.probes["answers"], compare=CompareSpec(at_most=0.2, hosts=rng.choice([2, 50])))
        uses = (replace(use, sampling=replace(use.sampling, count=10)),)
        gate = replace(plan.gates["healthy"], name="compares", probes=uses)
        probe, gate = (
            replace(probe, name="compared"),
            replace(gate, probes=(replace(uses[0], probe="compared"),)),
        )
        waves = [replace(one, after="compares") if one.after else one for one in plan.waves[:-1]]
        plan = replace(plan, waves=(*waves, plan.waves[-1]), probes={**plan.probes, "compared": probe})
        slower = rng.choice([1.0, 1.0, 3.0]) if not steady else 1.0
        fates = {host: replace(fate, slower=slower) for host, fate in fates.items()}
        return replace(plan, gates={**plan.gates, "compares": gate}), fates
    outside = replace(plan.probes["answers"], name="outside", scope=Scope.ONCE)
    budget = ErrorBudget(downtime=rng.choice([0.0, 10.0]), errors=rng.choice([None, 0.1]))
    sampling = Sampling(interval=rng.choice([4.0, 15.0]), consecutive_error_limit=rng.choice([1, 4]))
    gate = GateSpec(
        name="watch",
        probes=(GateProbe(probe="outside", sampling=sampling),),
        error_budget=None if steady else rng.choice([None, budget, budget]),
    )
    waves = [replace(one, during="watch") if rng.random() < 0.7 else one for one in plan.waves]
    service = Fate(errors=rng.choice([0.0, 0.3]), lies=rng.choice([0.0, 0.02])) if not steady else Fate()
    changes = {"probes": {**plan.probes, "outside": outside}, "gates": {**plan.gates, "watch": gate}}
    return replace(plan, waves=tuple(waves), **changes), {**fates, "": service}


def _make_catastrophes(rng: random.Random) -> list[Catastrophe]:
    happens = []
    for _ in range(rng.choice([0, 1, 1, 2])):
        kind = rng.choice(["death", "death", "death", "pause", "slow", "jump"])
        write = int(MOSTLY_WRITES ** rng.random())
        seconds = {"slow": rng.uniform(0, 40), "jump": rng.choice([-3600.0, 3600.0])}.get(
            kind, rng.uniform(0, 90)
        )
        happens.append(Catastrophe(kind, write, rng.choice(["before", "after"]), seconds))
    return happens


def walk_world(seed: int) -> tuple[Bench, State, list[str]]:
    """Walk one world; return its bench, where it stands, and every broken promise."""
    world = make_world(seed)
    bench = world.bench()
    try:
        state = bench.run()
    except EndlessError as error:
        return bench, fold(State(), bench.records), [str(error)]
    broken = list(bench.oracle.broken)
    decisive = any(what.split()[0] in {"jump", "retry", "skip"} for what in bench.happened)
    if world.steady and bench.happened and not decisive and not world.stops:
        calm = world.bench(calm=True)
        undisturbed = calm.run()
        if _kind(undisturbed.status) != _kind(state.status):
            broken.append(f"it is {state.status} and would have been {undisturbed.status} undisturbed")
        elif state.status is Status.COMPLETED:
            for host, other in undisturbed.hosts.items():
                if state.host(host).outcome is not other.outcome:
                    broken.append(f"{host} is {state.host(host).outcome}, {other.outcome} undisturbed")
    return bench, state, broken


def _kind(status: Status) -> str:
    """Return the status, where what was in flight at a breach may not decide it: then a host more or less
    has the change, and so can fail to be put back."""
    stopped = {Status.HALTED, Status.ROLLED_BACK, Status.ROLLBACK_FAILED}
    return "stopped" if status in stopped else str(status)


def tell(seed: int) -> None:
    """Print the story of one world."""
    world = make_world(seed)
    for planned in world.plan.waves:
        print(
            planned.name,
            [batch.hosts for batch in planned.batches],
            planned.in_flight,
            planned.budget,
            end=" ",
        )
        print(planned.before, planned.after, dict(planned.apart), planned.at_most)
    print(
        world.plan.on_breach, world.plan.budget, world.plan.rollback, world.plan.procedures, world.plan.gates
    )
    for host, fate in world.fates.of.items():
        print(host, fate)
    print(world.catastrophes, world.stops, world.wishes, "steady" if world.steady else "")
    bench, state, broken = walk_world(seed)
    for record in bench.records:
        if not isinstance(record.event, ev.SweepEnded | ev.SweepStarted):
            print(f"{record.seq:4} {record.at - START:8.1f} {record.event}")
    print(bench.happened, state.status, state.reason)
    print("\n".join(broken) or "every promise was kept")


def main() -> int:
    """Tell one world, or look through many."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=0)
    options = parser.parse_args()
    if not options.count:
        tell(options.seed)
        return 0
    found = 0
    for seed in range(options.seed, options.seed + options.count):
        bench, state, broken = walk_world(seed)
        if broken:
            found += 1
            print(seed, state.status, bench.happened, broken[:2])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
