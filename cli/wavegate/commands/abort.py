"""`wavegate abort`: end an open rollout for good."""

from __future__ import annotations

import click

from wavegate.commands._common import rollout_argument, steer, talk_console
from wavegate.errors import ExitCode


@click.command(name="abort")
@rollout_argument
@click.option("--reason", required=True, help="Why, for the journal and the report.")
def command(rollout: str | None, reason: str) -> ExitCode:
    """End rollout ID (default: the only open one) for good; hosts stay as they are.

    What the rollout took out is put back first; where that fails, it ends all the same, with exit code 32.
    Refused while another process walks the rollout: stop that one first with `wavegate halt`.

    \b
    Example:
      wavegate abort 7f3a --reason "the change was withdrawn"
    """
    from wavegate.bootstrap.steer import abort

    code = steer(rollout, lambda opened, progress: abort(opened, progress, reason))
    talk_console().print(f"aborted: {reason}", markup=False)
    return ExitCode.DONE if code is ExitCode.HALTED else code
