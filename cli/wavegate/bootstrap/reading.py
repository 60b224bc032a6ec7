"""Reading the journal: for status, history, events and report. Never writes, never needs the lease."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from wavegate.config.project import find_project_root
from wavegate.core.events import Record
from wavegate.core.folding import fold
from wavegate.core.outcomes import CLOSED
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.errors import WavegateError
from wavegate.ports import RolloutRow

if TYPE_CHECKING:
    from wavegate.adapters.journal import JournalReader, SqlJournal


class OpenedRollout(Struct, frozen=True):
    """One rollout as its journal tells it; `died` when it is open and its process is gone."""

    row: RolloutRow
    plan: Plan
    records: Sequence[Record]
    state: State
    died: bool
    project: Path

    @property
    def work(self) -> Path:
        """Return the folder in which the rollout keeps its frozen material and its output."""
        return work_of(self.project, self.row.id)


def current_project() -> Path:
    """Return the project that the current directory belongs to."""
    return find_project_root(Path.cwd())


def look_into_project_journal(project: Path) -> JournalReader:
    """Return the project's journal for reading only, which takes no time; a missing one is `no-rollouts`."""
    from wavegate.adapters.journal import journal_location, look_into_journal

    return look_into_journal(journal_location(project))


def open_project_journal(project: Path, *, create: bool = False) -> SqlJournal:
    """Return the project's journal; without `create`, a missing one is the error `no-rollouts`."""
    from wavegate.adapters.journal import journal_location, open_journal

    journal = open_journal(journal_location(project), create=create)
    if create:
        _keep_out_of_git(project / ".wavegate")
    return journal


def _keep_out_of_git(folder: Path) -> None:
    """Journal, frozen copies and output are no part of the project's own history."""
    ignore = folder / ".gitignore"
    if folder.is_dir() and not ignore.exists():
        ignore.write_text("*\n", encoding="utf-8")
        ignore.chmod(0o600)


class Glance(Struct, frozen=True):
    """Where one rollout stands; `state` has no tallies of single targets for gates that were decided."""

    row: RolloutRow
    plan: Plan
    state: State
    died: bool


def glance_at_rollout(rollout_id: str | None) -> Glance:
    """Return where a rollout stands, chosen as by `open_rollout`, without reading what nobody sees of it."""
    from wavegate.adapters.journal import glance_at, is_died

    project = current_project()
    with look_into_project_journal(project) as journal, journal.one_instant():
        row = journal.find(rollout_id) if rollout_id else choose(journal.rollouts())
        state = glance_at(journal, row.id, cache_of(project) / "glances")
        return Glance(row, journal.plan(row.id), state, is_died(row))


def open_rollout(rollout_id: str | None) -> OpenedRollout:
    """Return the rollout whose id starts with `rollout_id`; without one the only open one, or the latest."""
    from wavegate.adapters.journal import is_died

    project = current_project()
    with look_into_project_journal(project) as journal, journal.one_instant():
        row = journal.find(rollout_id) if rollout_id else choose(journal.rollouts())
        records = journal.read(row.id)
        state = fold(State(), records)
        return OpenedRollout(row, journal.plan(row.id), records, state, is_died(row), project)


def open_rollouts() -> list[str]:
    """Return the ids of the project's open rollouts, oldest first; none where there is no journal."""
    try:
        rows = open_project_journal(current_project()).rollouts()
    except WavegateError as error:
        if error.code != "no-rollouts":
            raise
        return []
    return [row.id for row in reversed(rows) if row.status not in CLOSED]


def choose(rows: Sequence[RolloutRow]) -> RolloutRow:
    """Return the only open rollout, or the latest when none is open; raise WavegateError otherwise."""
    if not rows:
        raise WavegateError("no-rollouts", "there is no rollout yet", hint="start one: wavegate run FILE")
    open_rows = [row for row in rows if row.status not in CLOSED]
    if len(open_rows) > 1:
        names = ", ".join(f"{row.id} ({row.name})" for row in open_rows)
        raise WavegateError(
            "rollout-ambiguous", f"several rollouts are open: {names}", hint="name one by its id"
        )
    return open_rows[0] if open_rows else rows[0]


def work_of(project: Path, rollout_id: str) -> Path:
    """Return the folder (owner only) in which a rollout keeps its frozen material and its output."""
    return project / ".wavegate" / "rollouts" / rollout_id


def cache_of(project: Path) -> Path:
    """Return the folder for what is only kept to be quick; it may be removed at any time."""
    return project / ".wavegate" / "cache"


def user_name() -> str:
    """Return who runs this process, for the journal."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
