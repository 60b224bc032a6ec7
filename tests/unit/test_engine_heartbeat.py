"""The engine says that it lives every few seconds, whatever the clock does meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import pytest

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT
from wavegate.engine.engine import HEARTBEAT_SECONDS

HOUR = 3600.0


@dataclass
class Jumping(World):
    """A world whose clock is wrong by `jump` from its twentieth second on."""

    jump: float = 0.0
    began: float = 0.0

    def now(self) -> float:
        self.began = self.began or self.time
        return self.time + (self.jump if self.time >= self.began + 20 else 0.0)


@pytest.mark.parametrize("jump", [0.0, HOUR, -HOUR, 2.0, -2.0])
def test_a_clock_that_jumps_neither_floods_nor_starves_the_heartbeat(jump: float) -> None:
    world = Jumping(seconds_of=lambda host: 120.0, jump=jump)
    bench = Bench(plan_of(make_fleet(all=2), wave("all")), world)
    beats: list[float] = []
    written = bench.journal.heartbeat

    def beat(rollout_id: str, at: float) -> None:
        beats.append(world.time)
        written(rollout_id, at)

    bench.journal.heartbeat = beat  # type: ignore[method-assign]
    bench.run()
    pauses = [later - earlier for earlier, later in pairwise(beats)]
    assert max(pauses) <= 2 * HEARTBEAT_SECONDS < HEARTBEAT_LIMIT
    assert len(beats) <= 120 / HEARTBEAT_SECONDS + 3
