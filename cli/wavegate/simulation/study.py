"""Many simulated rollouts of one plan: how long a good change takes, and how far a bad one gets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from wavegate.core.decide import current_wave
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.engine.engine import Engine
from wavegate.simulation.bench import ROLLOUT, Blind
from wavegate.simulation.change import Clause
from wavegate.simulation.journal import Ledger
from wavegate.simulation.luck import Luck
from wavegate.simulation.process import Process
from wavegate.simulation.world import World

WORK_LIMIT = 250_000
"""Steps (hosts and records) after which no further rollout is begun, unless a number was asked for."""
MOST_RUNS = 200
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Walk:
    """One simulated rollout. `reached`: wave -> hosts that got the change; `stopped_in`: the wave, or ""."""

    status: Status
    seconds: float
    stopped_in: str
    stopped_by: str
    reached: Counter[str]
    harmed: int
    began: dict[str, float]
    steps: int

    @property
    def total(self) -> int:
        """Return how many hosts got the change."""
        return self.reached.total()


@dataclass(frozen=True, slots=True)
class Study:
    """All walks: of a good change, and of the bad one."""

    plan: Plan
    change: Sequence[Clause]
    seed: int
    host_seconds: float
    good: Sequence[Walk]
    bad: Sequence[Walk]


Told = Callable[[str, int, int], None]


def study(  # noqa: PLR0913 - the five things that a person may say about a simulation
    plan: Plan,
    change: Sequence[Clause],
    *,
    seed: int,
    runs: int | None,
    host_seconds: float,
    tell: Told = lambda what, done, of: None,  # noqa: ARG005
) -> Study:
    """Walk the plan again and again in worlds that differ by chance; without `runs`, as often as is cheap."""
    where = {host: wave.name for wave in plan.waves for host in wave.hosts}

    def walks(kind: str, clauses: Sequence[Clause]) -> Iterator[Walk]:
        steps, most = 0, runs or MOST_RUNS
        for number in range(most):
            tell(kind, number, most)
            rng = random.Random(f"{seed}/{kind}/{number}")  # noqa: S311 - a fake world, no secret
            walk = _walk(plan, where, Luck(clauses, host_seconds, len(where), rng))
            yield walk
            steps += walk.steps
            if runs is None and steps > WORK_LIMIT:
                break

    return Study(plan, change, seed, host_seconds, tuple(walks("good", ())), tuple(walks("bad", change)))


def _walk(plan: Plan, where: dict[str, str], luck: Luck) -> Walk:
    world, ledger = World(luck, batch_timeout=plan.batch_timeout), Ledger()
    process = Process(world, ledger, "simulated")
    process.journal.create(ROLLOUT, plan, "", world.now())
    process.journal.acquire(ROLLOUT, world.now())
    began = world.time
    engine = Engine(
        rollout_id=ROLLOUT,
        plan=plan,
        journal=process.journal,
        executor=process,
        prober=process,
        clock=process,
        inbox=process,
        watcher=Blind(),
        look_seconds=_DAY,
    )
    state = engine.start("the simulator")
    wave, by = _tell_stop(plan, state)
    return Walk(
        state.status,
        world.time - began,
        wave,
        by,
        Counter(where[host] for host in world.reached),
        len(luck.doomed.keys() & world.reached.keys()) + luck.harmed,
        {name: here.started_at - began for name, here in state.waves.items() if here.started_at is not None},
        len(world.reached) + state.seq,
    )


def _tell_stop(plan: Plan, state: State) -> tuple[str, str]:
    """Return in which wave the rollout was stopped, and by what."""
    if state.status is Status.COMPLETED:
        return "", ""
    if state.breach:
        return state.breach.wave, "failure budget"
    if state.failed_gate:
        return state.failed_gate, "gate"
    wave = current_wave(plan, state)
    return (wave.name if wave else ""), "hold"
