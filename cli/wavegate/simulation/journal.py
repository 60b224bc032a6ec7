"""The Journal port in memory: leases, epochs and compare-and-swap as the real one has them, nothing encoded.

`Ledger` is what processes share, as they share a database; `MemoryJournal` is one process's way to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.errors import ExitCode, WavegateError
from wavegate.ports import Request, RolloutRow

SILENCE_LIMIT = 60.0
"""Seconds without a heartbeat after which a lease may be taken over, as in the real journal."""

Seen = Callable[[Sequence[ev.Record]], None]


class _Entry(Struct):
    row: RolloutRow
    plan: Plan
    records: list[ev.Record] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    asked: int = 0
    epoch: int = 0
    heard_at: float = 0.0
    beat_at: float = 0.0
    rollback_began: bool = False

    def seen_row(self) -> RolloutRow:
        """Return the row with the last heartbeat; a walk has far too many of them to make a row of each."""
        return replace(self.row, heartbeat_at=self.beat_at if self.row.owner else 0.0)


class Ledger(Struct):
    """All rollouts; `dead` are owners seen gone; `seen` is shown what was appended.

    `time` is a clock that never jumps, by which silence is measured; without it, the writers' own is used.
    """

    entries: dict[str, _Entry] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    time: Callable[[], float] | None = None
    seen: Seen = lambda records: None  # noqa: ARG005


class MemoryJournal:
    """One process's journal over a ledger."""

    def __init__(self, ledger: Ledger | None = None, owner: str = "one") -> None:
        self.ledger = ledger if ledger is not None else Ledger()
        self.owner = owner
        self._epochs: dict[str, int] = {}

    def create(self, rollout_id: str, plan: Plan, file: str, at: float) -> None:
        """Write a new rollout with its plan; the plan's hash is left out, since it costs more than a walk."""
        row = RolloutRow(rollout_id, plan.name, file, "", float(at), str(Status.PLANNED))
        self.ledger.entries[rollout_id] = _Entry(row, plan)

    def rollouts(self) -> Sequence[RolloutRow]:
        """Return all rollouts, newest first."""
        rows = [entry.seen_row() for entry in self.ledger.entries.values()]
        return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)

    def find(self, prefix: str) -> RolloutRow:
        """Return the rollout whose id is, or alone starts with, `prefix`; raise WavegateError otherwise."""
        found = [entry.seen_row() for key, entry in self.ledger.entries.items() if key.startswith(prefix)]
        exact = [row for row in found if row.id == prefix]
        if not found:
            raise _tell_unknown(prefix)
        if len(found) > 1 and not exact:
            what = f"{len(found)} rollouts have an id that starts with {prefix!r}"
            raise WavegateError("rollout-ambiguous", what, hint="write more letters of the id")
        return (exact or found)[0]

    def plan(self, rollout_id: str) -> Plan:
        """Return the rollout's frozen plan."""
        return self._entry(rollout_id).plan

    def read(self, rollout_id: str, after: int = 0) -> Sequence[ev.Record]:
        """Return the rollout's records with seq > `after`, in order."""
        entry = self.ledger.entries.get(rollout_id)
        return entry.records[after:] if entry else []

    def acquire(self, rollout_id: str, at: float) -> None:
        """Take the lease, also from a dead owner; raise WavegateError `rollout-locked` when it lives."""
        entry = self._entry(rollout_id)
        if entry.row.owner and entry.epoch == self._epochs.get(rollout_id):
            return
        if entry.row.owner and self._is_alive(entry, at):
            raise _tell_locked(entry.row)
        entry.epoch += 1
        entry.heard_at, entry.beat_at = self._time(at), float(at)
        entry.row = replace(entry.row, owner=self.owner, owner_since=float(at))
        self._epochs[rollout_id] = entry.epoch

    def heartbeat(self, rollout_id: str, at: float) -> None:
        """Say that the owner lives; raise WavegateError `lease-lost` when the lease was taken over."""
        entry = self._mine(rollout_id)
        entry.heard_at, entry.beat_at = self._time(at), float(at)

    def release(self, rollout_id: str) -> None:
        """Give the lease back; nothing happens when this process does not hold it."""
        epoch, entry = self._epochs.pop(rollout_id, None), self.ledger.entries.get(rollout_id)
        if entry and epoch == entry.epoch:
            entry.row = replace(entry.row, owner="", owner_since=0.0)
            entry.epoch += 1

    def request(self, rollout_id: str, event: ev.Event, at: float) -> None:  # noqa: ARG002
        """Ask the process that walks the rollout to make this an event of it; needs no lease."""
        entry = self._entry(rollout_id)
        entry.asked += 1
        entry.requests.append(Request(entry.asked, event))

    def requests(self, rollout_id: str) -> Sequence[Request]:
        """Return what was asked and not yet taken, in order."""
        return tuple(self._entry(rollout_id).requests)

    def forget_requests(self, taken: Sequence[Request]) -> None:
        """Forget requests: they are events now."""
        for entry in self.ledger.entries.values():
            entry.requests = [request for request in entry.requests if request not in taken]

    def append(
        self, rollout_id: str, expected_seq: int, events: Sequence[ev.Event], at: float
    ) -> Sequence[ev.Record]:
        """Append all or nothing; the first gets seq `expected_seq` + 1. It is a heartbeat, too."""
        entry = self._mine(rollout_id)
        if len(entry.records) != expected_seq:
            raise _tell_lost(entry.row)
        records = [ev.Record(expected_seq + n, float(at), event) for n, event in enumerate(events, 1)]
        if records:
            entry.records += records
            entry.heard_at, entry.beat_at = self._time(at), float(at)
            if status := _last_status(entry, events):
                entry.row = replace(entry.row, status=str(status))
            self.ledger.seen(records)
        return records

    def _entry(self, rollout_id: str) -> _Entry:
        if rollout_id not in self.ledger.entries:
            raise _tell_unknown(rollout_id)
        return self.ledger.entries[rollout_id]

    def _mine(self, rollout_id: str) -> _Entry:
        entry = self._entry(rollout_id)
        if not entry.row.owner or entry.epoch != self._epochs.get(rollout_id):
            raise _tell_lost(entry.row)
        return entry

    def _is_alive(self, entry: _Entry, at: float) -> bool:
        return entry.row.owner not in self.ledger.dead and self._time(at) - entry.heard_at <= SILENCE_LIMIT

    def _time(self, at: float) -> float:
        return self.ledger.time() if self.ledger.time else at


def _last_status(entry: _Entry, events: Sequence[ev.Event]) -> Status | None:
    status: Status | None = None
    for event in events:
        match event:
            case ev.RolloutStarted():
                status = Status.RUNNING
            case ev.RolloutResumed():
                status = Status.ROLLING_BACK if entry.rollback_began else Status.RUNNING
            case ev.RollbackStarted():
                status, entry.rollback_began = Status.ROLLING_BACK, True
            case ev.RolloutPaused() | ev.RolloutEnded():
                status = event.status
    return status


def _tell_unknown(prefix: str) -> WavegateError:
    what = f"no rollout has an id that starts with {prefix!r}"
    return WavegateError("rollout-unknown", what, hint="list them with `wavegate history`")


def _tell_locked(row: RolloutRow) -> WavegateError:
    what = f"rollout {row.id} is being worked on by {row.owner}"
    why = "one process at a time may write a rollout"
    return WavegateError("rollout-locked", what, why=why, exit_code=ExitCode.LOCKED)


def _tell_lost(row: RolloutRow) -> WavegateError:
    what = f"this process may no longer write rollout {row.id}; it starts nothing more"
    why = f"its lease was given back or taken over; {row.owner or 'nobody'} holds it now"
    return WavegateError("lease-lost", what, why=why, exit_code=ExitCode.LOCKED)
