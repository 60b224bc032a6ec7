"""Which event moves a rollout to which status, so that `history` need not fold anything."""

from __future__ import annotations

from collections.abc import Iterable

from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.core.outcomes import Status

MOVING = frozenset(
    kind_of(cls)
    for cls in (ev.RolloutStarted, ev.RolloutResumed, ev.RollbackStarted, ev.RolloutPaused, ev.RolloutEnded)
)
"""The kinds of the events that move a rollout to another status."""


def status_after(event: ev.Event, *, rollback_began: bool) -> Status | None:
    """Return the status the event puts the rollout in, as the core's fold does; None when it stays.

    `rollback_began` says whether a RollbackStarted came before: resumed after it, it goes on rolling back.
    """
    match event:
        case ev.RolloutStarted():
            return Status.RUNNING
        case ev.RolloutResumed():
            return Status.ROLLING_BACK if rollback_began else Status.RUNNING
        case ev.RollbackStarted():
            return Status.ROLLING_BACK
        case ev.RolloutPaused() | ev.RolloutEnded():
            return event.status
    return None


def last_status(events: Iterable[ev.Event], *, rollback_began: bool) -> Status | None:
    """Return the status after all of the events; None when none of them moves it."""
    status: Status | None = None
    for event in events:
        status = status_after(event, rollback_began=rollback_began) or status
        rollback_began = rollback_began or isinstance(event, ev.RollbackStarted)
    return status
