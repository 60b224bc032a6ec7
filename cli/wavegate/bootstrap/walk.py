"""Starts, resumes and ends rollouts: the journal's row, the lease, and what a failed start takes back."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wavegate.bootstrap.material import Frozen, forget_closed, forget_secrets, freeze, tell_not_written, thaw
from wavegate.bootstrap.prepare import Prepared
from wavegate.bootstrap.reading import OpenedRollout, open_project_journal, user_name, work_of
from wavegate.bootstrap.wiring import wire
from wavegate.core.events import BatchEnded, Event, RolloutEnded
from wavegate.core.folding import fold
from wavegate.core.obligations import tell_open
from wavegate.core.outcomes import CLOSED, Status
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.engine.engine import Watcher
from wavegate.errors import ExitCode, WavegateError
from wavegate.ports import Journal, RolloutRow, SharedJournal
from wavegate.reports.sentences import some


def start(prepared: Prepared, watcher: Watcher, *, stays: bool = True) -> tuple[str, State]:
    """Freeze the material, write the rollout to the journal, walk it; return its id and where it stands.

    Without `stays`, it is left as soon as only time can bring it on.
    """
    refuse_hopeless(prepared.plan, user_name())
    journal = open_project_journal(prepared.project, create=True)
    rollout_id = secrets.token_hex(4)
    work = work_of(prepared.project, rollout_id)
    try:
        with _one_at_a_time(prepared.project):
            frozen = _claim(journal, rollout_id, prepared, work)
        with wire(rollout_id, prepared.plan, journal, frozen, watcher, stays=stays) as engine:
            return rollout_id, engine.start(user_name())
    except BaseException as error:
        take_back(journal, rollout_id, work, error)
        raise


def _claim(journal: SharedJournal, rollout_id: str, prepared: Prepared, work: Path) -> Frozen:
    """Make the rollout exist, with this process as the owner of its lease."""
    refuse_others(journal, prepared.plan, prepared.project)
    forget_closed(journal, prepared.project)
    frozen = freeze(prepared, work)
    with journal.claiming():
        # Somebody on another machine may have started one while the material was copied.
        refuse_others(journal, prepared.plan, prepared.project)
        journal.create(rollout_id, prepared.plan, str(prepared.file), time.time())
        journal.acquire(rollout_id, time.time())
    return frozen


@contextmanager
def _one_at_a_time(project: Path) -> Iterator[None]:
    """Let two who start at the same instant see each other; the kernel forgets the lock with its holder."""
    folder = project / ".wavegate"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(folder / "start.lock", os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise tell_not_written(project, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def take_back(journal: Journal, rollout_id: str, work: Path, error: BaseException) -> None:
    """Leave nothing of a rollout that failed before its first event; one that has begun can be resumed."""
    try:
        has_begun = bool(journal.read(rollout_id))
    except WavegateError:
        return  # nobody knows, so that nothing may be thrown away
    if has_begun:
        return
    # Where there is no rollout to end, or no room to write that, it blocks nobody without its folder.
    with suppress(WavegateError):
        ended = RolloutEnded(Status.ABORTED, f"it could not begin: {str(error) or type(error).__name__}")
        journal.append(rollout_id, 0, [ended], time.time())
        journal.release(rollout_id)
    shutil.rmtree(work, ignore_errors=True)


def carry_on(
    opened: OpenedRollout, watcher: Watcher, before: Sequence[Event] = (), *, stays: bool = True
) -> State:
    """Go on with a rollout from its journal and its frozen material alone; `opened.state` goes on with it.

    `before` is what a person wants first. Without `stays`, it is left as soon as only time can bring it on.
    """
    row, project, plan, state = opened.row, opened.project, opened.plan, opened.state
    journal = open_project_journal(project)
    journal.listen(row.id, time.time())
    with _one_at_a_time(project), journal.claiming():
        refuse_others(journal, plan, project, own=row.id)
        journal.acquire(row.id, time.time())
    try:
        frozen = thaw(project, opened.work, plan)
        fold(state, journal.read(row.id, state.seq))
    except BaseException:
        journal.release(row.id)
        raise
    with wire(row.id, plan, journal, frozen, watcher, stays=stays, state=state) as engine:
        return engine.resume(user_name(), before) if state.seq else engine.start(user_name())


def end_as_it_stands(row: RolloutRow, project: Path, reason: str) -> State:
    """End a rollout whose frozen material is gone: nothing can be done for its hosts any more."""
    journal = open_project_journal(project)
    now = time.time()
    journal.acquire(row.id, now)
    state = fold(State(), journal.read(row.id))
    lost = [BatchEnded(batch, "lost", "the rollout was aborted") for batch in state.in_flight]
    still_out = f"; still taken out: {tell_open(state)}" if state.obligations else ""
    ended = RolloutEnded(Status.ABORTED, f"aborted by {user_name()}: {reason}{still_out}")
    fold(state, journal.append(row.id, state.seq, [*lost, ended], now))
    journal.release(row.id)
    forget_secrets(work_of(project, row.id))
    return state


def refuse_others(journal: Journal, plan: Plan, project: Path, own: str = "") -> None:
    """Raise WavegateError when another open rollout has this name, or may be at work on these hosts.

    `own` is the id of the rollout that asks, when it exists already. One that stands still (held,
    interrupted) is at work on nothing; only its own name is taken.
    """
    from wavegate.adapters.journal import is_died, owner_alive

    for row in journal.rollouts():
        alive = owner_alive(row)
        never_began = row.status == Status.PLANNED and not work_of(project, row.id).exists()
        if row.id == own or row.status in CLOSED or (never_began and not alive):
            continue
        shared = _share(journal, row, plan) if alive or is_died(row) else ""
        if alive and (shared or row.name == plan.name):
            raise WavegateError(
                "rollout-locked",
                f"rollout {row.id} ({row.name}) is walked by {row.owner}@{row.owner_host}, "
                f"pid {row.owner_pid}{shared}",
                hint=f"watch it: wavegate status {row.id}",
                exit_code=ExitCode.LOCKED,
            )
        if shared or row.name == plan.name:
            how = f"died before it ended{shared}" if is_died(row) else f"is {row.status}"
            raise WavegateError(
                "rollout-open",
                f"rollout {row.id} ({row.name}) {how}; another one would work on a half-changed fleet",
                hint=f"go on: wavegate resume {row.id} · end it: wavegate abort {row.id} --reason WHY",
                exit_code=ExitCode.NEEDS_PERSON,
            )


def refuse_hopeless(plan: Plan, launcher: str) -> None:
    """Raise WavegateError `approval-impossible` for a gate that can never open when `launcher` starts it."""
    for gate in plan.gates.values():
        asked = gate.approval
        if asked is None or not asked.by or asked.launcher_may_vote or launcher not in asked.by:
            continue
        others = [name for name in asked.by if name != launcher]
        if len(others) < asked.required:
            raise WavegateError(
                "approval-impossible",
                f"gate {gate.name} wants {asked.required} approvals; {launcher} starts it and may give none",
                why=f"the others are: {', '.join(others) or 'nobody'}",
                hint="have somebody else start it, name more people, or allow `launcher_may_vote: true`",
            )


def _share(journal: Journal, row: RolloutRow, plan: Plan) -> str:
    """Return a clause that names the hosts of both; "" when there are none."""
    hosts = set(plan.hosts).intersection(journal.plan(row.id).hosts)
    return f", on hosts that this one has too: {some(sorted(hosts))}" if hosts else ""
