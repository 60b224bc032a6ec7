"""The journal itself: rollouts, plans and chained events in a database, one durable transaction a write."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from msgspec.structs import asdict
from sqlalchemy import Connection, Engine, bindparam, delete, exists, insert, literal, select, update

from wavegate.adapters.journal import failures, lease, schema
from wavegate.adapters.journal import owner as owners
from wavegate.adapters.journal.chain import Link, link_events, to_canonical_json
from wavegate.adapters.journal.owner import Owner
from wavegate.adapters.journal.reader import JournalReader, Query
from wavegate.adapters.journal.status import last_status
from wavegate.adapters.journal.tables import events as events_table
from wavegate.adapters.journal.tables import plans, requests, rollouts
from wavegate.core.codec import decode, encode, kind_of
from wavegate.core.events import (
    Event,
    LeaseBroken,
    Record,
    RollbackStarted,
    RolloutResumed,
)
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.errors import WavegateError
from wavegate.ports import Request, RolloutRow

RETRY_SECONDS = 40.0
"""How long a writer waits for a server that went away; less than it takes to count as dead."""

T = TypeVar("T")

_PAGED = {"yield_per": 1000}
"""Rows come in pages: a long rollout is never in memory as a whole."""

_ours = (rollouts.c.id == bindparam("rollout"), rollouts.c.epoch == bindparam("mine"))
_mine = (*_ours, rollouts.c.last_seq == bindparam("expected"))
_COMPARE = select(rollouts.c.last_seq, rollouts.c.last_hash).where(*_ours).with_for_update()
_ADVANCE = (
    update(rollouts)
    .where(*_mine)
    .values(last_seq=bindparam("new_seq"), last_hash=bindparam("new_hash"), heartbeat_at=bindparam("now"))
)
_TAIL = select(rollouts.c.last_seq, rollouts.c.last_hash).where(rollouts.c.id == bindparam("rollout"))
_EXTEND = (
    update(rollouts)
    .where(rollouts.c.id == bindparam("rollout"))
    .values(last_seq=bindparam("new_seq"), last_hash=bindparam("new_hash"))
)
_MOVE = update(rollouts).where(rollouts.c.id == bindparam("rollout")).values(status=bindparam("new_status"))
_ADD = insert(events_table)
_ASKED = select(requests).where(requests.c.rollout_id == bindparam("rollout")).order_by(requests.c.number)
_ROLLBACK_BEGAN = select(
    exists().where(
        events_table.c.rollout_id == bindparam("rollout"),
        events_table.c.kind == kind_of(RollbackStarted),
    )
)


class SqlJournal(JournalReader):
    """The Journal port over SQLAlchemy; safe to use from several threads."""

    def __init__(
        self, engine: Engine, location: str, owner: Owner, guard: AbstractContextManager[Any]
    ) -> None:
        self._on_server = engine.dialect.name == "postgresql"
        clock = lease.SERVER_CLOCK if self._on_server else ""
        super().__init__(location, self._query, time.time, clock)
        # On a server, one reading transaction sees one instant, as on SQLite.
        snapshot = {"isolation_level": "REPEATABLE READ"} if self._on_server else {}
        self._engine = engine
        self._reading = engine.execution_options(**snapshot)
        self._writing = engine.execution_options(writing=True)
        self._owner = owner
        self._guard = guard
        self._epochs: dict[str, int] = {}
        self._silent: dict[str, lease.Heard] = {}
        self._claim = threading.local()

    def close(self) -> None:
        """Close every connection; leases that were not given back stay taken."""
        self._engine.dispose()

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

    @contextmanager
    def claiming(self) -> Iterator[None]:
        """Make everything that this thread does in the block one transaction, one process at a time.

        Nothing of it is there when the block raises.
        """
        before = dict(self._epochs)
        try:
            with self._write() as connection:
                schema.take_turns(connection)
                self._claim.connection = connection
                try:
                    yield
                finally:
                    self._claim.connection = None
        except BaseException:
            self._epochs = before
            raise

    def listen(self, rollout_id: str, at: float) -> None:
        """Wait for a sign of life of an owner that cannot be looked at and seems to be dead.

        Returns at once in every other case, and as soon as one is heard. What was not heard is remembered for
        `acquire`.
        """
        row, heard = self._hear(rollout_id, at)
        quiet = abs(row.silent_for) > owners.HEARTBEAT_LIMIT
        if not row.owner or owners.can_be_seen(row) or not quiet:
            return
        until = time.monotonic() + owners.LISTEN_SECONDS
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(1.0, left))
            if self._hear(rollout_id, at)[1] != heard:
                return
        self._silent[rollout_id] = heard

    def _hear(self, rollout_id: str, at: float) -> tuple[RolloutRow, lease.Heard]:
        with self._read() as connection:
            row, epoch = lease.look(connection, rollout_id, at, locked=False)
        return row, lease.Heard(epoch, row.heartbeat_at)

    def acquire(self, rollout_id: str, at: float) -> None:
        """Take the lease, also from a dead owner; raise WavegateError `rollout-locked` when it lives.

        In a claim, an owner that cannot be looked at only counts as dead when `listen` was called before.
        """
        if self._claimed() is None:
            self.listen(rollout_id, at)
        held, silent = self._epochs.get(rollout_id), self._silent.get(rollout_id)
        with self._write() as connection:
            epoch = lease.take(connection, rollout_id, self._owner, held, silent, at)
        self._epochs[rollout_id] = epoch

    def heartbeat(self, rollout_id: str, at: float) -> None:
        """Say that the owner lives; raise WavegateError `lease-lost` when the lease was taken over."""

        def beat() -> None:
            with self._write() as connection:
                lease.beat(connection, rollout_id, self._epoch(rollout_id), at)

        self._insist(beat)

    def release(self, rollout_id: str) -> None:
        """Give the lease back; nothing happens when this process does not hold it."""
        if rollout_id in self._epochs:
            with self._write() as connection:
                lease.give_back(connection, rollout_id, self._epoch(rollout_id))
            self._epochs.pop(rollout_id, None)

    def break_lease(self, rollout_id: str, by: str, reason: str, at: float) -> RolloutRow:
        """Take the lease away from whoever holds it, and write that down; return the row as it was.

        The holder can never write again, alive or not. Raise WavegateError `lease-free` without a holder.
        """
        with self._write() as connection:
            row = lease.take_away(connection, rollout_id)
            seq, last_hash = connection.execute(_TAIL, {"rollout": rollout_id}).one()
            broken = LeaseBroken(by, reason, lease.name_owner(row))
            (link,) = link_events(rollout_id, seq, last_hash, [broken], float(at))
            connection.execute(_ADD, asdict(link))
            last = {"new_seq": link.seq, "new_hash": link.hash}
            connection.execute(_EXTEND, {"rollout": rollout_id, **last})
        return row

    def request(self, rollout_id: str, event: Event, at: float) -> None:
        """Ask the process that walks the rollout to make this an event of it; needs no lease."""
        body = to_canonical_json(encode(event))
        row = {"rollout_id": rollout_id, "at": float(at), "kind": kind_of(event), "body": body}
        with self._write() as connection:
            connection.execute(insert(requests), row)

    def requests(self, rollout_id: str) -> Sequence[Request]:
        """Return what was asked and not yet taken, in order."""

        def look() -> list[Request]:
            with self._read() as connection:
                rows = connection.execute(_ASKED, {"rollout": rollout_id}).all()
            return [Request(row.number, decode(row.kind, json.loads(row.body))) for row in rows]

        return self._insist(look)

    def forget_requests(self, taken: Sequence[Request]) -> None:
        """Forget requests: they are events now."""
        with self._write() as connection:
            connection.execute(delete(requests).where(requests.c.number.in_([one.number for one in taken])))

    def append(
        self, rollout_id: str, expected_seq: int, events: Sequence[Event], at: float
    ) -> Sequence[Record]:
        """Append in one durable transaction; the first gets seq `expected_seq` + 1. It is a heartbeat, too.

        Raise WavegateError `lease-lost`, and write nothing, when this process no longer holds the lease, or
        somebody else wrote. A server that goes away is waited for; whether it had written is found out.
        """
        at = float(at)
        links: list[Link] = []

        def write() -> None:
            with self._write() as connection:
                links[:] = self._append(connection, rollout_id, expected_seq, events, at, links)

        self._insist(write)
        return [Record(link.seq, at, event, link.hash) for link, event in zip(links, events, strict=True)]

    def _append(  # noqa: PLR0913, PLR0917 - one write and what is known of an earlier attempt at it
        self,
        connection: Connection,
        rollout_id: str,
        expected_seq: int,
        events: Sequence[Event],
        at: float,
        tried: Sequence[Link],
    ) -> Sequence[Link]:
        """Return the links that are in the journal now: those `tried` before, if they had got there."""
        held = {"rollout": rollout_id, "mine": self._epoch(rollout_id)}
        found = connection.execute(_COMPARE, held).one_or_none()
        if found and tried and tuple(found) == (tried[-1].seq, tried[-1].hash):
            return tried
        if not found or found.last_seq != expected_seq:
            raise lease.tell_lost(connection, rollout_id)
        links = link_events(rollout_id, expected_seq, found.last_hash, events, at)
        if links:
            now = lease.tell_time(connection, at)
            last = {"new_seq": links[-1].seq, "new_hash": links[-1].hash, "now": now}
            connection.execute(_ADD, [asdict(link) for link in links])
            connection.execute(_ADVANCE, {**held, "expected": expected_seq, **last})
            _move(connection, rollout_id, events)
        return links

    def _insist(self, act: Callable[[], T]) -> T:
        """Do it; when the server goes away, wait for it and do it again, for a while."""
        until, pause = time.monotonic() + RETRY_SECONDS, 0.1
        while True:
            try:
                return act()
            except WavegateError as error:
                gone = error.code == failures.LOST.code and self._claimed() is None
                if not gone or time.monotonic() + pause > until:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 2.0)

    @contextmanager
    def _query(self) -> Iterator[Query]:
        with self._read() as connection:

            def query(sql: str, *values: object) -> Iterable[Any]:
                text = sql.replace("?", "%s") if self._on_server else sql
                return connection.exec_driver_sql(text, values, execution_options=_PAGED)

            yield query

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        claimed = self._claimed()
        if claimed is not None:
            yield claimed
            return
        with self._guard, self._reading.connect() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        claimed = self._claimed()
        if claimed is not None:
            yield claimed
            return
        with self._guard, self._writing.begin() as connection:
            yield connection

    def _claimed(self) -> Connection | None:
        """Return the connection of the claim that this thread is in."""
        return getattr(self._claim, "connection", None)

    def _epoch(self, rollout_id: str) -> int:
        """Return the epoch under which this process holds the lease; one that never was if it does not."""
        return self._epochs.get(rollout_id, -1)


def _keep_plan(connection: Connection, plan: Plan) -> None:
    """Write the plan, unless an earlier rollout of the same plan did."""
    body = to_canonical_json(plan.to_json())
    absent = ~exists().where(plans.c.hash == plan.hash)
    connection.execute(
        insert(plans).from_select(["hash", "body"], select(literal(plan.hash), literal(body)).where(absent))
    )


def _move(connection: Connection, rollout_id: str, events: Sequence[Event]) -> None:
    """Keep the rollout's row in step with what the events say of its status."""
    resumed = any(isinstance(event, RolloutResumed) for event in events)
    began = resumed and bool(connection.execute(_ROLLBACK_BEGAN, {"rollout": rollout_id}).scalar_one())
    status = last_status(events, rollback_began=began)
    if status:
        connection.execute(_MOVE, {"rollout": rollout_id, "new_status": str(status)})
