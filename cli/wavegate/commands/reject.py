"""`wavegate reject`: vote against going on, at a gate that asks people."""

from __future__ import annotations

from typing import Any

import click

from wavegate.commands._voting import vote, vote_options
from wavegate.errors import ExitCode


@click.command(name="reject")
@vote_options
@click.option("--comment", required=True, help="Why; it is what everybody will read.")
def command(rollout: str | None, **options: Any) -> ExitCode:
    """Reject at the gate of rollout ID that asks people: one rejection shuts it at once.

    Before a wave, the rollout is held. After a wave, the gate fails, and `on_breach` says what follows.

    \b
    Example:
      wavegate reject --comment "orders cannot be printed" --case "print an order=failed"
    """
    return vote("reject", rollout, **options)
