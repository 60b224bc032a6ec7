"""Who holds which lease, and taking one away."""

from __future__ import annotations

import time

from msgspec import Struct
from msgspec.structs import asdict

from wavegate.bootstrap.reading import (
    choose,
    current_project,
    look_into_project_journal,
    open_project_journal,
    user_name,
)
from wavegate.core.outcomes import CLOSED
from wavegate.ports import RolloutRow


class Lease(Struct, frozen=True):
    """A rollout's lease. `known_by` is what tells whether its owner lives: `process` or `heartbeat`."""

    row: RolloutRow
    alive: bool
    known_by: str

    def to_json(self) -> dict[str, object]:
        """Return the lease as JSON data; the keys are documented and stable."""
        told = asdict(self.row)
        names = ("id", "name", "status", "owner", "owner_host", "owner_pid", "owner_process", "owner_since")
        kept = {name: told[name] for name in (*names, "heartbeat_at", "silent_for")}
        return {**kept, "held": bool(self.row.owner), "alive": self.alive, "known_by": self.known_by}


def find_leases(rollout_id: str | None) -> tuple[Lease, ...]:
    """Return the lease of one rollout; without an id those of all open rollouts and all that are held."""
    with look_into_project_journal(current_project()) as journal:
        rows = [journal.find(rollout_id)] if rollout_id else journal.rollouts()
    shown = rows if rollout_id else [row for row in rows if row.owner or row.status not in CLOSED]
    return tuple(make_lease(row) for row in shown)


def make_lease(row: RolloutRow) -> Lease:
    """Return what is known of the row's lease from here."""
    from wavegate.adapters.journal import can_be_seen, owner_alive

    by = ("process" if can_be_seen(row) else "heartbeat") if row.owner else ""
    return Lease(row, owner_alive(row), by)


def break_lease(rollout_id: str | None, reason: str) -> Lease:
    """Take the lease away from whoever holds it, and write it down; return the lease as it was."""
    with open_project_journal(current_project()) as journal:
        row = journal.find(rollout_id) if rollout_id else choose(journal.rollouts())
        before = journal.break_lease(row.id, user_name(), reason, time.time())
        return make_lease(before)
