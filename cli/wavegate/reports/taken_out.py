"""What a rollout has taken out and not put back yet, as every view of it tells."""

from __future__ import annotations

from msgspec import Struct

from wavegate.core.state import State


class TakenOut(Struct, frozen=True):
    """An open obligation: `undo` is the playbook that puts it back, `failed` says why it could not."""

    host: str
    key: str
    undo: str
    since: float
    failed: str


def list_taken_out(state: State) -> tuple[TakenOut, ...]:
    """Return the open obligations, in the order in which they were announced."""
    return tuple(
        TakenOut(one.host, one.key, one.undo, one.opened_at, one.failed) for one in state.obligations.values()
    )
