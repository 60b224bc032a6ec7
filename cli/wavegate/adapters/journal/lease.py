"""One writer at a time for a rollout: who has the lease, who may take it, who lost it.

Every function works on a transaction that its caller opened for writing. The epoch decides: it grows with
each taking, and nothing written under an older one is accepted.

On a server, heartbeats are written and compared by the server's clock, never by a client's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, bindparam, select, text, update

from wavegate.adapters.journal.owner import HEARTBEAT_LIMIT, Owner, can_be_seen, owner_alive
from wavegate.adapters.journal.reader import ROW_COLUMNS, tell_unknown, to_row
from wavegate.adapters.journal.tables import rollouts
from wavegate.errors import ExitCode, WavegateError
from wavegate.ports import RolloutRow

SERVER_CLOCK = "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"
_ASK_CLOCK = text(f"SELECT {SERVER_CLOCK}")

_COLUMNS = [rollouts.c[name] for name in ROW_COLUMNS]
_SELECT = select(*_COLUMNS, rollouts.c.epoch).where(rollouts.c.id == bindparam("rollout"))
_LOOK = _SELECT.with_for_update()
_HELD = (rollouts.c.id == bindparam("rollout"), rollouts.c.epoch == bindparam("mine"))
_TAKE = update(rollouts).where(*_HELD)
_BEAT = update(rollouts).where(*_HELD).values(heartbeat_at=bindparam("now"))
_NOBODY = {"owner": "", "owner_host": "", "owner_pid": 0, "owner_process": "", "owner_since": 0.0}
_RELEASE = update(rollouts).where(*_HELD).values(**_NOBODY, heartbeat_at=0.0)
_BREAK = update(rollouts).where(*_HELD).values(**_NOBODY, heartbeat_at=0.0, epoch=rollouts.c.epoch + 1)


class Heard(Struct, frozen=True):
    """The last sign of life of a lease's owner."""

    epoch: int
    heartbeat_at: float


def tell_time(connection: Connection, at: float) -> float:
    """Return the time by which heartbeats are kept: the server's own, or `at` where there is none."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(_ASK_CLOCK).scalar_one())
    return float(at)


def look(
    connection: Connection, rollout_id: str, at: float, *, locked: bool = True
) -> tuple[RolloutRow, int]:
    """Return the rollout's row (`locked` until the transaction ends) and epoch, as of `at`.

    Raise WavegateError `rollout-unknown` without one.
    """
    found = connection.execute(_LOOK if locked else _SELECT, {"rollout": rollout_id}).one_or_none()
    if found is None:
        raise tell_unknown(rollout_id)
    *values, epoch = found
    return to_row((*values, None), tell_time(connection, at)), int(epoch)


def take(  # noqa: PLR0913, PLR0917 - who, what, when, and what is known of the one before
    connection: Connection, rollout_id: str, owner: Owner, held: int | None, silent: Heard | None, at: float
) -> int:
    """Make `owner` the lease's owner and return its epoch; taking it again under `held` is no change.

    An owner that cannot be looked at counts as dead only when nothing was heard of it since `silent`.
    Raise WavegateError `rollout-locked` when a live process holds it, `rollout-unknown` without a rollout.
    """
    row, epoch = look(connection, rollout_id, at)
    if row.owner and epoch == held:
        return epoch
    lives = owner_alive(row) if can_be_seen(row) else Heard(epoch, row.heartbeat_at) != silent
    if row.owner and lives:
        raise _tell_locked(row)
    now = tell_time(connection, at)
    mine: dict[str, Any] = {
        "owner": owner.user,
        "owner_host": owner.host,
        "owner_pid": owner.pid,
        "owner_process": owner.process,
        "owner_since": now,
        "heartbeat_at": now,
        "epoch": epoch + 1,
    }
    connection.execute(_TAKE.values(**mine), {"rollout": rollout_id, "mine": epoch})
    return epoch + 1


def beat(connection: Connection, rollout_id: str, epoch: int, at: float) -> None:
    """Write that the owner lives; raise WavegateError `lease-lost` when the epoch has passed."""
    now = tell_time(connection, at)
    if not connection.execute(_BEAT, {"rollout": rollout_id, "mine": epoch, "now": now}).rowcount:
        raise tell_lost(connection, rollout_id)


def give_back(connection: Connection, rollout_id: str, epoch: int) -> None:
    """Leave the lease to nobody, unless somebody else has it by now."""
    connection.execute(_RELEASE, {"rollout": rollout_id, "mine": epoch})


def take_away(connection: Connection, rollout_id: str) -> RolloutRow:
    """Leave the lease to nobody, whoever has it, for good; return the row as it was.

    Raise WavegateError `lease-free` when nobody has it.
    """
    row, epoch = look(connection, rollout_id, 0.0)
    if not row.owner:
        raise WavegateError(
            "lease-free",
            f"nobody holds the lease of rollout {rollout_id}; there is nothing to break",
            hint=f"go on with it: wavegate resume {rollout_id}",
        )
    connection.execute(_BREAK, {"rollout": rollout_id, "mine": epoch})
    return row


def tell_lost(connection: Connection, rollout_id: str) -> WavegateError:
    """Return the error for a writer that may not write any more, with who wrote or took over."""
    try:
        row, _ = look(connection, rollout_id, 0.0, locked=False)
    except WavegateError as unknown:
        return unknown
    who = f"{name_owner(row)} holds it now" if row.owner else "nobody holds it now"
    return WavegateError(
        "lease-lost",
        f"this process may no longer write rollout {rollout_id}; it starts nothing more",
        why=f"its lease was given back, broken or taken over, or somebody else wrote in between; {who}",
        hint=f"see where it stands with `wavegate status {rollout_id}`",
        exit_code=ExitCode.LOCKED,
    )


def _tell_locked(row: RolloutRow) -> WavegateError:
    since, beat_at = _tell_time(row.owner_since), _tell_time(row.heartbeat_at)
    return WavegateError(
        "rollout-locked",
        f"rollout {row.id} is being worked on by {name_owner(row)} since {since}",
        why=f"one process at a time may write a rollout; that one was last heard of at {beat_at}",
        hint=f"follow it with `wavegate status {row.id}`, or stop it where it runs (Ctrl-C); if its machine "
        f"is gone, the rollout can be taken over {HEARTBEAT_LIMIT:.0f} seconds after it was last heard of, "
        f"or at once with `wavegate lock break {row.id} --reason WHY`",
        exit_code=ExitCode.LOCKED,
    )


def name_owner(row: RolloutRow) -> str:
    """Return who holds the lease, for people."""
    return f"{row.owner}@{row.owner_host} (process {row.owner_pid})"


def _tell_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
