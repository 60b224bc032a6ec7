"""`wavegate approve`: vote for going on, at a gate that asks people."""

from __future__ import annotations

from typing import Any

import click

from wavegate.commands._voting import vote, vote_options
from wavegate.errors import ExitCode


@click.command(name="approve")
@vote_options
@click.option("--comment", default="", help="What you want to be read with it.")
def command(rollout: str | None, **options: Any) -> ExitCode:
    """Approve at the gate of rollout ID that asks people; in a terminal, it shows first what you vote on.

    The vote is bound to the plan's hash, and it stands. The process that walks the rollout goes on by itself;
    where nobody does, `wavegate resume` or `tick` goes on.

    \b
    Example:
      wavegate approve --comment "looked at it with finance"
      wavegate approve 7f3a --gate go-on --case "login works=passed" --evidence "login works=login.png"
      wavegate approve 7f3a --sign ~/.ssh/id_ed25519 --as alice
    """
    return vote("approve", rollout, **options)
