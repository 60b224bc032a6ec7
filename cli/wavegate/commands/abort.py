"""`wavegate abort`: end an open rollout for good, as it stands."""

from __future__ import annotations

import click

from wavegate.commands._common import rollout_argument, talk_console


@click.command(name="abort")
@rollout_argument
@click.option("--reason", required=True, help="Why, for the journal and the report.")
def command(rollout: str | None, reason: str) -> None:
    """End rollout ID (default: the only open one) for good; hosts stay as they are.

    Refused while another process walks the rollout: stop that one first (Ctrl-C or SIGTERM).

    \b
    Example:
      wavegate abort 7f3a --reason "the change was withdrawn"
    """
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.bootstrap.walk import abort

    opened = open_rollout(rollout)
    abort(opened.row, opened.project, reason)
    talk_console().print(f"rollout {opened.row.id} aborted: {reason}", markup=False)
