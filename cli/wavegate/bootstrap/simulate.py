"""From a rollout file to a study of simulated rollouts: planned as `plan` does, scaled where asked for."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from wavegate.bootstrap.prepare import make_seed, prepare
from wavegate.bootstrap.walkers import walk_on_all_cores
from wavegate.core.planning import make_plan
from wavegate.core.votes import with_ready_people
from wavegate.simulation.change import parse_change
from wavegate.simulation.scaling import plan_spec, scale_fleet, without_watching
from wavegate.simulation.study import Study, Told, Trial, study


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asks of a simulation; `hosts` and `runs` None: the real fleet, as often as is cheap."""

    bad_change: str
    hosts: int | None = None
    seed: int = 1
    runs: int | None = None
    host_seconds: float = 60.0


def simulate(file: Path, wish: Wish, tell: Told) -> tuple[Study, int]:
    """Return the study and how many hosts the real fleet has; nothing is changed anywhere.

    Raise InputError for a file that cannot be planned, or `bad-change-unclear`; WavegateError
    `too-few-hosts`.
    """
    change = parse_change(wish.bad_change)
    prepared = prepare(file)
    plan, real_hosts = prepared.plan, len(prepared.plan.hosts)
    if wish.hosts is not None and wish.hosts != real_hosts:
        fleet = scale_fleet(prepared.answer.fleet, prepared.spec, plan, wish.hosts)
        seed = make_seed(prepared.spec.name, fleet.hosts)
        plan = make_plan(plan_spec(prepared.spec), fleet, digests={}, seed=seed)
    trial = Trial(without_watching(with_ready_people(plan)), change, wish.seed, wish.host_seconds)
    return study(trial, wish.runs, tell=tell, walker=walk_on_all_cores), real_hosts
