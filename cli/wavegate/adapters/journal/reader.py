"""Reading a journal with plain SQL, over whatever connection is given: looking needs no library for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, Self

from wavegate.adapters.journal import failures
from wavegate.adapters.journal.chain import Finding, Link, check_links
from wavegate.adapters.journal.status import MOVING, last_status
from wavegate.core.codec import decode, kind_of
from wavegate.core.events import Event, Record
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.errors import WavegateError
from wavegate.ports import RolloutRow

KNOWN_KINDS = frozenset(kind_of(cls) for cls in Event.__args__)
ROW_COLUMNS = tuple(name for name in RolloutRow.__struct_fields__ if name != "silent_for")
_SHOWN = 10

_LISTED = ", ".join(ROW_COLUMNS)
_FIND = "WHERE substr(id, 1, ?) = ? ORDER BY id"
_NEWEST = "ORDER BY created_at DESC, id DESC"
_PLAN = "SELECT p.hash, p.body FROM rollouts r LEFT JOIN plans p ON p.hash = r.plan_hash WHERE r.id = ?"
_READ = "SELECT seq, at, kind, body, hash FROM events WHERE rollout_id = ? AND seq > ? ORDER BY seq"
_HASH = "SELECT hash FROM events WHERE rollout_id = ? AND seq = ?"
_LINK_COLUMNS = ", ".join(Link.__struct_fields__)
_LINKS = f"SELECT {_LINK_COLUMNS} FROM events WHERE rollout_id = ? ORDER BY seq"  # noqa: S608 - constants
_TAIL = "SELECT plan_hash, status, last_seq, last_hash FROM rollouts WHERE id = ?"

Row = tuple[int, float, str, str, str]
"""One event as it is stored: seq, at, kind, body, hash."""


class Query(Protocol):
    """Runs one SELECT with `?` for its values; the rows come one by one."""

    def __call__(self, sql: str, *values: object) -> Iterable[Any]:
        """Return the rows."""
        ...


Session = Callable[[], AbstractContextManager[Query]]
"""Opens a view of the journal in which every query sees the same instant."""


class JournalReader:
    """What can be asked of a journal.

    `clock` is SQL for the time by which the server writes heartbeats; "" where writers use `now` themselves.
    """

    def __init__(self, location: str, session: Session, now: Callable[[], float], clock: str = "") -> None:
        self.location = location
        self._session = session
        self._now = now
        self._rows = f"SELECT {_LISTED}, {clock or 'NULL'} FROM rollouts "  # noqa: S608 - constants

    def close(self) -> None:
        """Let go of what the reader holds open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def one_instant(self) -> Iterator[None]:
        """Let every question in the block be answered as of the same instant, whoever writes meanwhile."""
        before = self._session
        with before() as query:
            self._session = lambda: nullcontext(query)
            try:
                yield
            finally:
                self._session = before

    def rollouts(self) -> Sequence[RolloutRow]:
        """Return all rollouts, newest first."""
        with self._session() as query:
            return self._to_rows(query(self._rows + _NEWEST))

    def find(self, prefix: str) -> RolloutRow:
        """Return the rollout whose id is, or alone starts with, `prefix`.

        Raise WavegateError `rollout-unknown` or `rollout-ambiguous` otherwise.
        """
        with self._session() as query:
            found = self._to_rows(query(self._rows + _FIND, len(prefix), prefix))
        exact = [row for row in found if row.id == prefix]
        if not found:
            raise tell_unknown(prefix)
        if len(found) > 1 and not exact:
            raise _tell_ambiguous(prefix, found)
        return (exact or found)[0]

    def plan(self, rollout_id: str) -> Plan:
        """Return the rollout's frozen plan; raise WavegateError `journal-damaged` if it is not as it was."""
        return Plan.from_json(json.loads(self.plan_text(rollout_id)))

    def plan_text(self, rollout_id: str) -> str:
        """Return the plan's canonical JSON, of which its hash was taken; raise WavegateError as `plan`."""
        with self._session() as query:
            found = list(query(_PLAN, rollout_id))
        if not found:
            raise tell_unknown(rollout_id)
        if not _is_intact(*found[0]):
            raise failures.DAMAGED.about(self.location, f"the plan of rollout {rollout_id} was changed")
        return str(found[0][1])

    def read(self, rollout_id: str, after: int = 0) -> Sequence[Record]:
        """Return the rollout's records with seq > `after`, in order.

        Raise WavegateError `journal-newer` for an event this wavegate does not know, `journal-damaged` for
        one that makes no sense.
        """
        return self.decode_all(list(self.rows(rollout_id, after)))

    def rows(self, rollout_id: str, after: int = 0) -> Iterator[Row]:
        """Yield the rollout's events with seq > `after` as they are stored, in order."""
        with self._session() as query:
            yield from query(_READ, rollout_id, after)

    def decode_all(self, rows: Sequence[Row]) -> list[Record]:
        """Return the records that stored events are; raise WavegateError as `read`."""
        try:
            # All of them at once: asking for each costs twice as much.
            data = json.loads(f"[{','.join(row[3] for row in rows)}]")
            return [
                Record(seq, at, decode(kind, values), hash_)
                for (seq, at, kind, _, hash_), values in zip(rows, data, strict=True)
            ]
        except (ValueError, TypeError, KeyError, AttributeError):
            return [self.decode(row) for row in rows]  # finds out which one it is

    def decode(self, row: Row) -> Record:
        """Return the record that a stored event is; raise WavegateError as `read`."""
        seq, at, kind, body, hash_ = row
        if kind not in KNOWN_KINDS:
            why = f"event {seq} is of a kind this wavegate does not know ({kind})"
            raise failures.NEWER.about(self.location, why)
        try:
            return Record(seq, at, decode(kind, json.loads(body)), hash_)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            why = f"event {seq} ({kind}) makes no sense: {error}"
            raise failures.DAMAGED.about(self.location, why) from error

    def tail(self, rollout_id: str) -> tuple[int, str]:
        """Return how many events the rollout has, and the hash of the last one (of the plan, without any)."""
        with self._session() as query:
            found = list(query(_TAIL, rollout_id))
        if not found:
            raise tell_unknown(rollout_id)
        return found[0][2], found[0][3]

    def hash_at(self, rollout_id: str, seq: int) -> str:
        """Return the hash of one event, "" when there is no such event."""
        with self._session() as query:
            return next((str(row[0]) for row in query(_HASH, rollout_id, seq)), "")

    def links(self, rollout_id: str) -> Iterator[Link]:
        """Yield the rollout's rows with everything that the hash chain covers, in order."""
        with self._session() as query:
            for row in query(_LINKS, rollout_id):
                yield Link(*row)

    def verify(self, rollout_id: str) -> list[Finding]:
        """Return everything in the rollout's rows that is not as it was written; nothing when all is."""
        with self._session() as query:
            tails = list(query(_TAIL, rollout_id))
            if not tails:
                raise tell_unknown(rollout_id)
            plan_hash, status, last_seq, last_hash = tails[0]
            found = []
            if not _is_intact(*next(iter(query(_PLAN, rollout_id)))):
                found.append(Finding(rollout_id, 0, "the plan was changed or is missing"))
            links = (Link(*row) for row in query(_LINKS, rollout_id))
            found += check_links(rollout_id, links, plan_hash, last_seq, last_hash)
            return found or self._verify_status(query, rollout_id, status)

    def _verify_status(self, query: Query, rollout_id: str, status: str) -> list[Finding]:
        events = (self.decode(row).event for row in query(_READ, rollout_id, 0) if row[2] in MOVING)
        told = last_status(events, rollback_began=False) or Status.PLANNED
        message = f"the rollout's row says {status}, its events say {told}"
        return [] if status == told else [Finding(rollout_id, 0, message)]

    def _to_rows(self, found: Iterable[Any]) -> list[RolloutRow]:
        return [to_row(tuple(row), self._now()) for row in found]


def to_row(values: Sequence[Any], now: float) -> RolloutRow:
    """Return the port's row for ROW_COLUMNS and the server's time behind them, or `now` where it has none."""
    row = dict(zip(ROW_COLUMNS, values, strict=False))
    told = values[len(ROW_COLUMNS)]
    silent = (now if told is None else told) - row["heartbeat_at"] if row["owner"] else 0.0
    return RolloutRow(**row, silent_for=silent)


def tell_unknown(prefix: str) -> WavegateError:
    """Return the error for an id that no rollout has."""
    what = f"no rollout has an id that starts with {prefix!r}"
    return WavegateError("rollout-unknown", what, hint="list them with `wavegate history`")


def _is_intact(hash_: str | None, body: str | None) -> bool:
    """Return whether the plan's text is still what its hash was taken of."""
    return body is not None and hashlib.sha256(body.encode()).hexdigest() == hash_


def _tell_ambiguous(prefix: str, rows: Sequence[RolloutRow]) -> WavegateError:
    shown = ", ".join(f"{row.id} ({row.name}, {row.status})" for row in rows[:_SHOWN])
    more = f" and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    return WavegateError(
        "rollout-ambiguous",
        f"{len(rows)} rollouts have an id that starts with {prefix!r}",
        why=f"they are {shown}{more}",
        hint="write more letters of the id",
    )
