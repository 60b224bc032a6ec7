"""Finds rehearsals in the journal: they are rollouts themselves, whose last event tells how they went."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from wavegate.adapters.tried_roles import find_tried
from wavegate.bootstrap.reading import look_into_project_journal
from wavegate.core import events as ev
from wavegate.core.judgement import Judgement
from wavegate.core.plan import Plan
from wavegate.core.rehearsal import PREFIX, Evidence, judge_rehearsals, judge_tried
from wavegate.errors import WavegateError

_MOST = 50
"""How many of the newest rehearsals' rollouts are looked at; each rehearsal is two or three of them."""


def find_rehearsals(project: Path, name: str) -> list[Evidence]:
    """Return how the newest rehearsals of rollouts of that name went, newest first."""
    try:
        with look_into_project_journal(project) as journal:
            rows = [row for row in journal.rollouts() if row.name == PREFIX + name]
            ends = [(row.id, journal.read(row.id, journal.tail(row.id)[0] - 1)) for row in rows[:_MOST]]
    except WavegateError as error:
        if error.code != "no-rollouts":
            raise
        return []
    told = [
        Evidence(r.at, id_, r.event) for id_, last in ends for r in last if isinstance(r.event, ev.Rehearsed)
    ]
    return sorted(told, key=lambda one: one.at, reverse=True)


def judge_rehearsal(
    project: Path, material: Path, plan: Plan, within: float, roles: Sequence[str]
) -> Judgement:
    """Return what rehearsals within so many seconds are worth: of this plan, or of roles in its material."""
    if roles:
        return judge_tried([find_tried(project, material, role) for role in roles], within, time.time())
    return judge_rehearsals(plan.hash, find_rehearsals(project, plan.name), within, time.time())
