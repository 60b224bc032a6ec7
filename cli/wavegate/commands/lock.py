"""`wavegate lock`: who works on a rollout, and taking it away from a process that cannot be reached."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, rollout_argument

if TYPE_CHECKING:
    from wavegate.bootstrap.leases import Lease


@click.group(name="lock")
def command() -> None:
    """Look at the lease of a rollout, or break it.

    One process at a time may write a rollout: the one that holds its lease. Whether it lives is seen on the
    machine it runs on; from elsewhere only its heartbeat tells, which it writes every five seconds.

    \b
    Example:
      wavegate lock show
      wavegate lock break 7f3a --reason "runner 12 was deleted"
    """


@command.command()
@rollout_argument
@json_option
def show(rollout: str | None, as_json: bool) -> None:
    """Say who holds the lease of rollout ID (default: of every open one), and whether that process lives.

    \b
    Example:
      wavegate lock show
      wavegate lock show 7f3a --json | jq '.leases[0].alive'
    """
    from wavegate.bootstrap.leases import find_leases

    leases = find_leases(rollout)
    if as_json:
        print_json({"format": 1, "leases": [lease.to_json() for lease in leases]})
        return
    if not leases:
        click.echo("no rollout is open, and nobody holds a lease")
    for lease in leases:
        click.echo(_describe(lease))


@command.command("break")
@rollout_argument
@click.option("--reason", required=True, help="Why, for the journal and the report.")
def break_(rollout: str | None, reason: str) -> None:
    """Take the lease of rollout ID (default: the only open one) away from the process that holds it.

    That process can never write again: if it still lives, it stops at its next step and starts nothing more.
    What it has in flight may go on on the hosts. Only needed for a process on another machine that cannot be
    reached, or one that hangs; a dead one loses its lease by itself.

    \b
    Example:
      wavegate lock break 7f3a --reason "runner 12 was deleted"
    """
    from wavegate.bootstrap.leases import break_lease

    lease = break_lease(rollout, reason)
    row = lease.row
    click.echo(f"rollout {row.id}: the lease was taken away from {_name(lease)}", err=True)
    if lease.alive and lease.known_by == "process":
        click.echo(f"that process still lives (pid {row.owner_pid}); it stops at its next step", err=True)
    elif lease.known_by == "heartbeat":
        click.echo(
            f"its Ansible processes may still be at work on {row.owner_host}: look there first", err=True
        )
    click.echo(
        f"then go on with it: wavegate resume {row.id} · or end it: wavegate abort {row.id} --reason WHY",
        err=True,
    )


def _describe(lease: Lease) -> str:
    row = lease.row
    title = f"rollout {row.id} ({row.name}, {row.status.replace('_', ' ')})"
    if not row.owner:
        return f"{title}: nobody holds its lease"
    since = datetime.fromtimestamp(row.owner_since, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return f"{title}: held by {_name(lease)} since {since}\n  {_tell_life(lease)}"


def _tell_life(lease: Lease) -> str:
    heard = _tell_silence(lease.row.silent_for)
    if lease.known_by == "process":
        return (
            f"last heard of {heard}; the process {'lives' if lease.alive else 'is gone: resume takes over'}"
        )
    fate = (
        "it seems to live" if lease.alive else "it seems to be dead: resume listens for it, then takes over"
    )
    return f"last heard of {heard}, on another machine or in another container; {fate}"


def _tell_silence(seconds: float) -> str:
    if seconds < 0:
        return "in the future (a clock was put back)"
    from wavegate.core.quantity import format_duration

    return f"{format_duration(seconds)} ago"


def _name(lease: Lease) -> str:
    return f"{lease.row.owner}@{lease.row.owner_host} (process {lease.row.owner_pid})"
