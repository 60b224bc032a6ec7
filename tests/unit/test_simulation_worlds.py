"""Ten thousand random worlds, and whether the oracle would have noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.random_worlds import make_world, walk_world
from wavegate.core import decide, dispatch, obligations
from wavegate.core.outcomes import Status
from wavegate.simulation.world import World

CHUNK = 500


@pytest.mark.slow
@pytest.mark.parametrize("chunk", range(20))
def test_in_ten_thousand_random_worlds_every_promise_is_kept(chunk: int) -> None:
    for seed in range(chunk * CHUNK, (chunk + 1) * CHUNK):
        _, _, broken = walk_world(seed)
        assert not broken, f"{broken}; see what happened: python -m tests.random_worlds {seed}"


@pytest.mark.parametrize(
    ("seed", "what"),
    [
        (4332, "sick hosts of an earlier wave count in the rollout's budget"),
        (5760, "a rollback's gate waits for a discharge in flight, and does not spin"),
        (9600, "what a rollback has put back is not put back again after a resume"),
    ],
    ids=str,
)
def test_worlds_in_which_a_promise_was_once_broken(seed: int, what: str) -> None:
    _, _, broken = walk_world(seed)
    assert not broken, what


def test_random_worlds_are_of_every_kind() -> None:
    ends: Counter[Status] = Counter()
    struck: Counter[str] = Counter()
    for seed in range(150):
        bench, state, _ = walk_world(seed)
        ends[state.status] += 1
        struck.update(what.split()[0] for what in bench.happened)
    wanted = {Status.COMPLETED, Status.HELD, Status.HALTED, Status.ROLLED_BACK, Status.ROLLBACK_FAILED}
    assert set(ends) == wanted
    assert {"death", "pause", "slow", "jump", "process", "retry", "skip"} <= set(struck)


def test_a_world_is_the_same_every_time_it_is_walked() -> None:
    first, second = (walk_world(606)[0].records for _ in range(2))
    assert first == second
    assert make_world(1).plan != make_world(2).plan


def collect_blindly(world: World, batch: str) -> tuple[Any, ...]:
    """Fence the batch, and neither wait for what is at work nor end it."""
    world.fenced.add(batch)
    return tuple(world.works[batch].on_disk(world.time)) if batch in world.works else ()


def collect_nothing(world: World, batch: str) -> tuple[Any, ...]:
    """Fence and end the batch, and forget what it wrote."""
    world.fenced.add(batch)
    if batch in world.works:
        world.end(batch, world.time)
    world.settle()
    return ()


def forget_what_failed(state: Any, batch: Any, event: Any) -> None:
    """Take an obligation for discharged, however the discharge ended."""
    obligations.close_obligation(state, event.host, batch.obligation)


MISTAKES: list[tuple[Any, str, Callable[..., Any], str]] = [
    (dispatch, "_has_room", lambda *_: True, "hosts in flight > in_flight"),
    (dispatch, "_may_join", lambda *_: True, "in flight > at_most"),
    (dispatch, "settled_first", lambda _, __, procedures: procedures, "beside a task that never ends"),
    (decide, "find_breach", lambda *_: None, "hosts are bad >"),
    (decide, "_go_forward", decide._walk, "after a gate had failed"),
    (decide, "discharge_first", lambda plan, state, decided: decided, "nobody tried to put it back"),
    (decide, "discharge_first", lambda plan, state, decided: decided, "which is still taken out"),
    (obligations, "finish_discharge", forget_what_failed, "is taken out, and nobody knows"),
    (World, "collect", collect_blindly, "starts on"),
    (World, "collect", collect_nothing, "the journal lost it"),
]


@pytest.mark.parametrize(("where", "name", "mistake", "told"), MISTAKES, ids=[case[3] for case in MISTAKES])
def test_the_oracle_notices_a_core_or_executor_that_makes_a_mistake(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, mistake: Callable[..., Any], told: str
) -> None:
    monkeypatch.setattr(where, name, mistake)
    broken = [sentence for seed in range(250) for sentence in walk_world(seed)[2]]
    assert any(told in sentence for sentence in broken)
