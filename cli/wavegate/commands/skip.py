"""`wavegate skip`: take a host out of a rollout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import talk_console

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="skip")
@click.argument("rollout", metavar="ID")
@click.argument("host")
@click.option("--reason", required=True, help="Why, for the journal and the report.")
def command(rollout: str, host: str, reason: str) -> ExitCode:
    """Take HOST out of rollout ID, which stands still; it counts neither as done nor as bad.

    \b
    Example:
      wavegate skip 7f3a finance-2 --reason "it is replaced next week" && wavegate resume 7f3a
    """
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.bootstrap.steer import skip
    from wavegate.errors import ExitCode

    opened = open_rollout(rollout)
    skip(opened, host, reason)
    talk_console().print(f"{host} is out of rollout {opened.row.id}; go on: wavegate resume", markup=False)
    return ExitCode.DONE
