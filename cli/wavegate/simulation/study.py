"""Many simulated rollouts of one plan: how long a good change takes, and how far a bad one gets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from wavegate.core.decide import current_wave
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.simulation.change import Clause
from wavegate.simulation.luck import Luck
from wavegate.simulation.quick import QuickWalk
from wavegate.simulation.world import START

MOST_RUNS, LEAST_RUNS = 200, 10
CHEAP = 1_000_000
"""So many hosts are walked of each kind, unless a number of rollouts was asked for."""
KINDS = ("good", "bad")


class Walk(Struct, frozen=True):
    """One simulated rollout. `reached`: wave -> hosts that got the change; `stopped_in`: the wave, or "".

    `harmed` counts the hosts that the change broke or failed on, also where they were put back afterwards.
    """

    status: Status
    seconds: float
    stopped_in: str
    stopped_by: str
    reached: Counter[str]
    harmed: int
    began: dict[str, float]

    @property
    def total(self) -> int:
        """Return how many hosts got the change."""
        return self.reached.total()


class Study(Struct, frozen=True):
    """All walks: of a good change, and of the bad one."""

    plan: Plan
    change: Sequence[Clause]
    seed: int
    host_seconds: float
    good: Sequence[Walk]
    bad: Sequence[Walk]


class Trial(Struct, frozen=True):
    """What is simulated: one plan and one change, in worlds that differ by chance alone."""

    plan: Plan
    change: Sequence[Clause]
    seed: int
    host_seconds: float

    def walk(self, kind: str, number: int) -> Walk:
        """Walk once; the same kind ("good" or "bad") and number are the same walk, wherever it is walked."""
        luck = self.luck(kind, number)
        quick = QuickWalk(self.plan, luck)
        state = quick.run()
        return tell_walk(self.plan, state, quick.time, quick.reached, luck)

    def luck(self, kind: str, number: int) -> Luck:
        """Return the chances of one walk."""
        rng = random.Random(f"{self.seed}/{kind}/{number}")  # noqa: S311 - a fake world, no secret
        hosts = sum(len(wave.hosts) for wave in self.plan.waves)
        return Luck(() if kind == "good" else self.change, self.host_seconds, hosts, rng)


Told = Callable[[str, int, int], None]
Walker = Callable[[Trial, Sequence[tuple[str, int]]], Iterator[Walk]]
"""Something that walks the (kind, number) given, and yields the walks in that order."""


def walk_here(trial: Trial, wanted: Sequence[tuple[str, int]]) -> Iterator[Walk]:
    """Walk one after the other, in this process."""
    return (trial.walk(kind, number) for kind, number in wanted)


def runs_of(plan: Plan) -> int:
    """Return how many rollouts of each kind are simulated when nobody says how many."""
    hosts = sum(len(wave.hosts) for wave in plan.waves)
    return min(MOST_RUNS, max(LEAST_RUNS, CHEAP // hosts))


def study(
    trial: Trial,
    runs: int | None = None,
    *,
    tell: Told = lambda kind, done, of: None,  # noqa: ARG005
    walker: Walker = walk_here,
) -> Study:
    """Walk the plan again and again; `tell` is told (kind, done, of) before each walk and after the last."""
    most = runs or runs_of(trial.plan)
    wanted = [(kind, number) for kind in KINDS for number in range(most)]
    walks: dict[str, list[Walk]] = {kind: [] for kind in KINDS}
    tell(KINDS[0], 0, most)
    for (kind, number), walk in zip(wanted, walker(trial, wanted), strict=True):
        walks[kind].append(walk)
        tell(kind, number + 1, most)
    return Study(
        trial.plan, trial.change, trial.seed, trial.host_seconds, tuple(walks["good"]), tuple(walks["bad"])
    )


def tell_walk(plan: Plan, state: State, time: float, reached: Counter[str], luck: Luck) -> Walk:
    """Return what is remembered of a walk that stands still at `time`."""
    wave, by = _tell_stop(plan, state)
    started = {name: wave.started_at for name, wave in state.waves.items()}
    began = {name: at - START for name, at in started.items() if at is not None}
    return Walk(state.status, time - START, wave, by, reached, len(luck.harmed), began)


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
