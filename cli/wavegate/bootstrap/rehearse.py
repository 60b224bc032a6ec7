"""Rehearses a rollout: there, back, and there again, each way a rollout in the journal like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from wavegate.bootstrap.prepare import Prepared, prepare, prepare_rehearsal
from wavegate.bootstrap.reading import open_rollout
from wavegate.bootstrap.steer import note, roll_back
from wavegate.bootstrap.walk import start
from wavegate.core import events as ev
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.core.rehearsal import find_obstacle
from wavegate.core.spec import RehearsalSpec
from wavegate.core.state import State
from wavegate.engine.engine import Watcher
from wavegate.errors import WavegateError
from wavegate.lab.state import LabFolder

MakeWatcher = Callable[[str, Plan], Watcher]
"""Returns who looks on while one way is walked: `there`, `back` or `there again`."""


class Rehearsal(Struct, frozen=True):
    """How it went: the plan that was rehearsed, the event that is its evidence, the rollout that holds it."""

    plan: Plan
    event: ev.Rehearsed
    rollout: str


def rehearse(file: Path, wish: RehearsalSpec, watch: MakeWatcher) -> Rehearsal:
    """Play apply, rollback and apply on the hosts wished for, and write down how it went.

    Raise InputError for a file that cannot be planned; WavegateError `rehearsal-impossible`.
    """
    real = prepare(file)
    chosen = choose_hosts(real.project, real.spec.rehearsal, wish)
    if obstacle := find_obstacle(real.spec, chosen):
        raise _refuse(obstacle, "see docs/rehearsal.md")
    trial = prepare_rehearsal(file, chosen)
    _require_same_content(real, trial)
    there, first = start(trial, watch("there", trial.plan))
    if first.status is not Status.COMPLETED:
        return _tell(real, trial, [(there, first)], "the way there")
    if not any(first.host(host).changed for host in trial.plan.hosts):
        return _tell(
            real, trial, [(there, first)], "the way there changed nothing, so that nothing was tried: it"
        )
    back = roll_back(open_rollout(there), watch("back", trial.plan))
    if back.status is not Status.ROLLED_BACK:
        return _tell(real, trial, [(there, first), (there, back)], "the way back")
    again, last = start(trial, watch("there again", trial.plan))
    failed = "" if last.status is Status.COMPLETED else "the second way there"
    return _tell(real, trial, [(there, first), (there, back), (again, last)], failed)


def _require_same_content(real: Prepared, trial: Prepared) -> None:
    """Raise WavegateError `project-changed` when what is rehearsed is not what the evidence would be for."""
    parts = ("rollout file", "project")
    if changed := [part for part in parts if real.plan.digests[part] != trial.plan.digests[part]]:
        raise WavegateError(
            "project-changed",
            f"the {' and the '.join(changed)} changed while the rehearsal was prepared",
            hint="nothing was started; rehearse again",
        )


def choose_hosts(project: Path, written: RehearsalSpec, wish: RehearsalSpec) -> RehearsalSpec:
    """Return where to rehearse: as wished, else as the file says, else on the project's lab.

    Raise WavegateError `rehearsal-impossible` when nothing says it and no lab is up.
    """
    wishes = {key: value for key in ("inventory", "hosts", "gate") if (value := getattr(wish, key))}
    chosen = replace(written, **wishes)
    if chosen.inventory or chosen.hosts:
        return chosen
    lab = LabFolder(project)
    if lab.load() is None or not lab.inventory.is_file():
        hint = "wavegate lab up, or add rehearsal: to the file, or --hosts and --inventory"
        raise _refuse("nothing says on which hosts, and this project has no lab", hint)
    return replace(chosen, inventory=(str(lab.inventory.parent.relative_to(project)),))


def _refuse(why: str, hint: str) -> WavegateError:
    return WavegateError("rehearsal-impossible", "this rollout cannot be rehearsed", why=why, hint=hint)


def _tell(real: Prepared, trial: Prepared, ways: list[tuple[str, State]], failed: str) -> Rehearsal:
    """Write the evidence behind the last way's events."""
    rollout, last = ways[-1]
    seconds = [*(_took(state, is_back=index == 1) for index, (_, state) in enumerate(ways)), 0.0, 0.0][:3]
    event = ev.Rehearsed(
        plan_hash=real.plan.hash,
        succeeded=not failed,
        hosts=trial.plan.hosts,
        apply_seconds=seconds[0],
        rollback_seconds=seconds[1],
        again_seconds=seconds[2],
        rollouts=tuple(dict.fromkeys(one for one, _ in ways)),
        reason=f"{failed} is {last.status.replace('_', ' ')}: {last.reason}" if failed else "",
    )
    note(open_rollout(rollout), event)
    return Rehearsal(real.plan, event, rollout)


def _took(state: State, *, is_back: bool) -> float:
    since = state.rollback.started_at if is_back and state.rollback else state.started_at
    until = state.ended_at or state.at
    return round(until - since, 3) if since is not None else 0.0
