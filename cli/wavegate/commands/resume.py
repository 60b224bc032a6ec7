"""`wavegate resume`: go on with a rollout that was interrupted, held, or whose process died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import rollout_argument, steer

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="resume")
@rollout_argument
def command(rollout: str | None) -> ExitCode:
    """Go on with rollout ID (default: the only open one) from where it stopped, and stay with it.

    Needs nothing but the journal and the frozen material: edits since the start do not leak in. What dead
    processes left running is waited for or ended, and read; hosts in doubt are looked at and done again. A
    gate that was inconclusive looks again. What was taken out and is not back is put back first. A halted
    rollout needs a decision then: `retry`, `skip`, `rollback` or `abort`.

    \b
    Example:
      wavegate resume
      wavegate resume 7f3a
    \b
    Exit codes:
      those of `run`; 32 when something that was taken out could not be put back
    """
    from wavegate.bootstrap.steer import go_on

    return steer(rollout, go_on)
