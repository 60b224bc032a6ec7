"""The journal itself: rollouts, plans and chained events in a database, one durable transaction a write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, fields
from typing import Any, Self

from sqlalchemy import Connection, Engine, Row, bindparam, exists, insert, literal, select, update

from wavegate.adapters.journal import failures, lease
from wavegate.adapters.journal.chain import Finding, Link, check_links, link_events, to_canonical_json
from wavegate.adapters.journal.owner import Owner
from wavegate.adapters.journal.status import last_status
from wavegate.adapters.journal.tables import events as events_table
from wavegate.adapters.journal.tables import plans, rollouts
from wavegate.core.events import Event, Record, RollbackStarted, RolloutResumed, decode, kind_of
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.errors import WavegateError
from wavegate.ports import RolloutRow

_KNOWN_KINDS = frozenset(kind_of(cls) for cls in Event.__args__)
_PAGE = 1000
_SHOWN = 10

_mine = (
    rollouts.c.id == bindparam("rollout"),
    rollouts.c.epoch == bindparam("mine"),
    rollouts.c.last_seq == bindparam("expected"),
)
_COMPARE = select(rollouts.c.last_hash).where(*_mine).with_for_update()
_ADVANCE = (
    update(rollouts)
    .where(*_mine)
    .values(last_seq=bindparam("new_seq"), last_hash=bindparam("new_hash"), heartbeat_at=bindparam("now"))
)
_MOVE = update(rollouts).where(rollouts.c.id == bindparam("rollout")).values(status=bindparam("new_status"))
_ADD = insert(events_table)
_LINK_COLUMNS = [field.name for field in fields(Link)]
_READ = (
    select(*events_table.c["seq", "at", "kind", "body", "hash"])
    .where(events_table.c.rollout_id == bindparam("rollout"), events_table.c.seq > bindparam("after"))
    .order_by(events_table.c.seq)
)
_LINKS = (
    select(*[events_table.c[name] for name in _LINK_COLUMNS])
    .where(events_table.c.rollout_id == bindparam("rollout"))
    .order_by(events_table.c.seq)
)
_ROLLBACK_BEGAN = select(
    exists().where(
        events_table.c.rollout_id == bindparam("rollout"),
        events_table.c.kind == kind_of(RollbackStarted),
    )
)


class SqlJournal:
    """The Journal port over SQLAlchemy; safe to use from several threads."""

    def __init__(
        self, engine: Engine, location: str, owner: Owner, guard: AbstractContextManager[Any]
    ) -> None:
        self.location = location
        self._reading = engine
        self._writing = engine.execution_options(writing=True)
        self._owner = owner
        self._guard = guard
        self._epochs: dict[str, int] = {}

    def close(self) -> None:
        """Close every connection; leases that were not given back stay taken."""
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, rollout_id: str, plan: Plan, file: str, at: float) -> None:
        """Write a new rollout with its plan."""
        row = {
            "id": rollout_id,
            "name": plan.name,
            # A path may hold bytes that are no text, which no database takes.
            "file": file.encode("utf-8", "backslashreplace").decode(),
            "plan_hash": plan.hash,
            "created_at": float(at),
            "status": str(Status.PLANNED),
            "last_seq": 0,
            "last_hash": plan.hash,
            "epoch": 0,
            "owner": "",
            "owner_host": "",
            "owner_pid": 0,
            "owner_process": "",
            "owner_since": 0.0,
            "heartbeat_at": 0.0,
        }
        with self._write() as connection:
            _keep_plan(connection, plan)
            connection.execute(insert(rollouts), row)

    def rollouts(self) -> Sequence[RolloutRow]:
        """Return all rollouts, newest first."""
        newest = lease.SELECT_ROWS.order_by(rollouts.c.created_at.desc(), rollouts.c.id.desc())
        with self._read() as connection:
            return lease.to_rows(connection, newest)

    def find(self, prefix: str) -> RolloutRow:
        """Return the rollout whose id is, or alone starts with, `prefix`.

        Raise WavegateError `rollout-unknown` or `rollout-ambiguous` otherwise.
        """
        like = lease.SELECT_ROWS.where(rollouts.c.id.startswith(prefix, autoescape=True))
        with self._read() as connection:
            rows = lease.to_rows(connection, like.order_by(rollouts.c.id))
        # Whether LIKE tells upper from lower case differs from database to database.
        found = [row for row in rows if row.id.startswith(prefix)]
        exact = [row for row in found if row.id == prefix]
        if not found:
            raise lease.tell_unknown(prefix)
        if len(found) > 1 and not exact:
            raise _tell_ambiguous(prefix, found)
        return (exact or found)[0]

    def plan(self, rollout_id: str) -> Plan:
        """Return the rollout's frozen plan; raise WavegateError `journal-damaged` if it is not as it was."""
        query = select(plans).join(rollouts).where(rollouts.c.id == rollout_id)
        with self._read() as connection:
            found = connection.execute(query).one_or_none()
        if found is None:
            raise lease.tell_unknown(rollout_id)
        if not _is_intact(found):
            raise failures.DAMAGED.about(self.location, f"the plan of rollout {rollout_id} was changed")
        return Plan.from_json(json.loads(found.body))

    def read(self, rollout_id: str, after: int = 0) -> Sequence[Record]:
        """Return the rollout's records with seq > `after`, in order.

        Raise WavegateError `journal-newer` for an event this wavegate does not know, `journal-damaged` for
        one that makes no sense.
        """
        with self._read() as connection:
            rows = connection.execute(_READ, {"rollout": rollout_id, "after": after})
            return [self._decode(row) for row in rows]

    def acquire(self, rollout_id: str, at: float) -> None:
        """Take the lease, also from a dead owner; raise WavegateError `rollout-locked` when it lives."""
        with self._write() as connection:
            held = self._epochs.get(rollout_id)
            epoch = lease.take(connection, rollout_id, self._owner, held, float(at))
        self._epochs[rollout_id] = epoch

    def heartbeat(self, rollout_id: str, at: float) -> None:
        """Say that the owner lives; raise WavegateError `lease-lost` when the lease was taken over."""
        with self._write() as connection:
            lease.beat(connection, rollout_id, self._epoch(rollout_id), float(at))

    def release(self, rollout_id: str) -> None:
        """Give the lease back; nothing happens when this process does not hold it."""
        if rollout_id in self._epochs:
            with self._write() as connection:
                lease.give_back(connection, rollout_id, self._epoch(rollout_id))
            self._epochs.pop(rollout_id, None)

    def append(
        self, rollout_id: str, expected_seq: int, events: Sequence[Event], at: float
    ) -> Sequence[Record]:
        """Append in one durable transaction; the first gets seq `expected_seq` + 1. It is a heartbeat, too.

        Raise WavegateError `lease-lost`, and write nothing, when this process no longer holds the lease, or
        somebody else wrote.
        """
        at = float(at)
        expected = {"rollout": rollout_id, "mine": self._epoch(rollout_id), "expected": expected_seq}
        with self._write() as connection:
            last_hash = connection.execute(_COMPARE, expected).scalar_one_or_none()
            if last_hash is None:
                raise lease.tell_lost(connection, rollout_id)
            links = link_events(rollout_id, expected_seq, last_hash, events, at)
            if links:
                last = {"new_seq": links[-1].seq, "new_hash": links[-1].hash, "now": at}
                connection.execute(_ADD, [asdict(link) for link in links])
                connection.execute(_ADVANCE, {**expected, **last})
                _move(connection, rollout_id, events)
        return [Record(link.seq, at, event, link.hash) for link, event in zip(links, events, strict=True)]

    def verify(self, rollout_id: str) -> list[Finding]:
        """Return everything in the rollout's rows that is not as it was written; nothing when all is."""
        with self._read() as connection:
            query = select(rollouts, plans.c.hash, plans.c.body).outerjoin(plans)
            row = connection.execute(query.where(rollouts.c.id == rollout_id)).one_or_none()
            if row is None:
                raise lease.tell_unknown(rollout_id)
            found = [] if _is_intact(row) else [Finding(rollout_id, 0, "the plan was changed or is missing")]
            stream = connection.execution_options(yield_per=_PAGE)
            links = (Link(*link) for link in stream.execute(_LINKS, {"rollout": rollout_id}))
            found += check_links(rollout_id, links, row.plan_hash, row.last_seq, row.last_hash)
        return found or self._verify_status(rollout_id, row.status, row.last_seq)

    def _verify_status(self, rollout_id: str, status: str, last_seq: int) -> list[Finding]:
        # A live writer may have gone on since the row was read.
        events = (record.event for record in self.read(rollout_id) if record.seq <= last_seq)
        told = last_status(events, rollback_began=False) or Status.PLANNED
        message = f"the rollout's row says {status}, its events say {told}"
        return [] if status == told else [Finding(rollout_id, 0, message)]

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._guard, self._reading.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        with self._guard, self._writing.begin() as connection:
            yield connection

    def _epoch(self, rollout_id: str) -> int:
        """Return the epoch under which this process holds the lease; one that never was if it does not."""
        return self._epochs.get(rollout_id, -1)

    def _decode(self, row: Row[Any]) -> Record:
        if row.kind not in _KNOWN_KINDS:
            why = f"event {row.seq} is of a kind this wavegate does not know ({row.kind})"
            raise failures.NEWER.about(self.location, why)
        try:
            return Record(row.seq, row.at, decode(row.kind, json.loads(row.body)), row.hash)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            why = f"event {row.seq} ({row.kind}) makes no sense: {error}"
            raise failures.DAMAGED.about(self.location, why) from error


def _keep_plan(connection: Connection, plan: Plan) -> None:
    """Write the plan, unless an earlier rollout of the same plan did."""
    body = to_canonical_json(plan.to_json())
    absent = ~exists().where(plans.c.hash == plan.hash)
    connection.execute(
        insert(plans).from_select(["hash", "body"], select(literal(plan.hash), literal(body)).where(absent))
    )


def _is_intact(row: Row[Any]) -> bool:
    """Return whether the plan's text is still what its hash was taken of."""
    return row.body is not None and hashlib.sha256(row.body.encode()).hexdigest() == row.hash


def _move(connection: Connection, rollout_id: str, events: Sequence[Event]) -> None:
    """Keep the rollout's row in step with what the events say of its status."""
    resumed = any(isinstance(event, RolloutResumed) for event in events)
    began = resumed and bool(connection.execute(_ROLLBACK_BEGAN, {"rollout": rollout_id}).scalar_one())
    status = last_status(events, rollback_began=began)
    if status:
        connection.execute(_MOVE, {"rollout": rollout_id, "new_status": str(status)})


def _tell_ambiguous(prefix: str, rows: Sequence[RolloutRow]) -> WavegateError:
    shown = ", ".join(f"{row.id} ({row.name}, {row.status})" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return WavegateError(
        "rollout-ambiguous",
        f"{len(rows)} rollouts have an id that starts with {prefix!r}",
        why=f"they are {shown}{more}",
        hint="write more letters of the id",
    )
