"""What becomes of another process's wish, when the one that walks the rollout comes to it."""

from __future__ import annotations

from collections.abc import Callable

from wavegate.core import events as ev
from wavegate.core.overriding import is_shut
from wavegate.core.plan import Plan
from wavegate.core.state import GateState, State
from wavegate.core.votes import find_objection


def receive(
    plan: Plan, state: State, event: ev.Event, now: float, find_fault: Callable[[ev.VoteCast], str]
) -> ev.Event | None:
    """Return the event to write: a vote that does not count (any more) is refused, None drops the wish.

    `find_fault` tells why a signed vote's signature does not hold, "" when it does.
    """
    if isinstance(event, ev.VoteCast):
        fault = find_fault(event) if event.signature else ""
        why = find_objection(plan, state, event, now, fault)
        return refuse(event, why) if why else event
    if isinstance(event, ev.GateOverridden):
        gate: GateState | None = getattr(state.wave(event.wave), event.side)
        return event if gate and is_shut(gate) else None
    return event


def refuse(vote: ev.VoteCast, why: str) -> ev.VoteRefused:
    """Return the record of a vote that does not count."""
    return ev.VoteRefused(vote.wave, vote.side, vote.gate, vote.by, vote.choice, why)
