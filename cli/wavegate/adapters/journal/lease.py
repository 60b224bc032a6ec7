"""One writer at a time for a rollout: who has the lease, who may take it, who lost it.

Every function works on a transaction that its caller opened for writing. The epoch decides: it grows with
each taking, and nothing written under an older one is accepted.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT, Owner, owner_alive
from wavegate.adapters.journal.tables import rollouts
from wavegate.errors import ExitCode, WavegateError
from wavegate.ports import RolloutRow

_COLUMNS = [rollouts.c[field.name] for field in fields(RolloutRow)]
SELECT_ROWS = select(*_COLUMNS)

_LOOK = select(*_COLUMNS, rollouts.c.epoch).where(rollouts.c.id == bindparam("rollout")).with_for_update()
_HELD = (rollouts.c.id == bindparam("rollout"), rollouts.c.epoch == bindparam("mine"))
_TAKE = update(rollouts).where(*_HELD)
_BEAT = update(rollouts).where(*_HELD).values(heartbeat_at=bindparam("now"))
_NOBODY = {"owner": "", "owner_host": "", "owner_pid": 0, "owner_process": "", "owner_since": 0.0}
_RELEASE = update(rollouts).where(*_HELD).values(**_NOBODY, heartbeat_at=0.0)


def to_rows(connection: Connection, query: Select[Any]) -> list[RolloutRow]:
    """Return what a query made of SELECT_ROWS finds, as the port's rows."""
    return [RolloutRow(**row) for row in connection.execute(query).mappings()]


def take(connection: Connection, rollout_id: str, owner: Owner, held: int | None, at: float) -> int:
    """Make `owner` the lease's owner and return its epoch; taking it again under `held` is no change.

    Raise WavegateError `rollout-locked` when a live process holds it, `rollout-unknown` without a rollout.
    """
    found = connection.execute(_LOOK, {"rollout": rollout_id}).mappings().one_or_none()
    if found is None:
        raise tell_unknown(rollout_id)
    columns = dict(found)
    epoch, row = int(columns.pop("epoch")), RolloutRow(**columns)
    if row.owner and epoch == held:
        return epoch
    if owner_alive(row, at):
        raise _tell_locked(row)
    mine: dict[str, Any] = {
        "owner": owner.user,
        "owner_host": owner.host,
        "owner_pid": owner.pid,
        "owner_process": owner.process,
        "owner_since": at,
        "heartbeat_at": at,
        "epoch": epoch + 1,
    }
    connection.execute(_TAKE.values(**mine), {"rollout": rollout_id, "mine": epoch})
    return epoch + 1


def beat(connection: Connection, rollout_id: str, epoch: int, at: float) -> None:
    """Write that the owner lives; raise WavegateError `lease-lost` when the epoch has passed."""
    if not connection.execute(_BEAT, {"rollout": rollout_id, "mine": epoch, "now": at}).rowcount:
        raise tell_lost(connection, rollout_id)


def give_back(connection: Connection, rollout_id: str, epoch: int) -> None:
    """Leave the lease to nobody, unless somebody else has it by now."""
    connection.execute(_RELEASE, {"rollout": rollout_id, "mine": epoch})


def tell_lost(connection: Connection, rollout_id: str) -> WavegateError:
    """Return the error for a writer that may not write any more, with who wrote or took over."""
    found = to_rows(connection, SELECT_ROWS.where(rollouts.c.id == rollout_id))
    if not found:
        return tell_unknown(rollout_id)
    row = found[0]
    who = f"{_name_owner(row)} holds it now" if row.owner else "nobody holds it now"
    return WavegateError(
        "lease-lost",
        f"this process may no longer write rollout {rollout_id}; it starts nothing more",
        why=f"its lease was given back or taken over, or somebody else wrote in between; {who}",
        hint=f"see where it stands with `wavegate status {rollout_id}`",
        exit_code=ExitCode.LOCKED,
    )


def tell_unknown(prefix: str) -> WavegateError:
    """Return the error for an id that no rollout has."""
    what = f"no rollout has an id that starts with {prefix!r}"
    return WavegateError("rollout-unknown", what, hint="list them with `wavegate history`")


def _tell_locked(row: RolloutRow) -> WavegateError:
    since, beat_at = _tell_time(row.owner_since), _tell_time(row.heartbeat_at)
    return WavegateError(
        "rollout-locked",
        f"rollout {row.id} is being worked on by {_name_owner(row)} since {since}",
        why=f"one process at a time may write a rollout; that one was last heard of at {beat_at}",
        hint=f"follow it with `wavegate status {row.id}`, or stop it where it runs (Ctrl-C); if its machine "
        f"is gone, the rollout can be taken over {HEARTBEAT_LIMIT:.0f} seconds after it was last heard of",
        exit_code=ExitCode.LOCKED,
    )


def _name_owner(row: RolloutRow) -> str:
    return f"{row.owner}@{row.owner_host} (process {row.owner_pid})"


def _tell_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
