"""`wavegate promote`: let the rollout pass one gate, once, whatever it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import finish, rollout_argument, talk_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.reports.live import Progress


@click.command(name="promote")
@rollout_argument
@click.option("--gate", required=True, help="The gate that is overridden, and no other.")
@click.option("--reason", required=True, help="Why, for the journal and the report.")
def command(rollout: str | None, gate: str, reason: str) -> ExitCode:
    """Override one gate of rollout ID, once, and go on; it stands in the report in red, with your name.

    Hosts that the gate found bad stay as they are, and count against no failure budget any more.

    \b
    Example:
      wavegate promote 7f3a --gate healthy --reason "the probe asks the old address; checked by hand"
    """
    from wavegate.bootstrap.people import override
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.reports.live import Progress

    opened = open_rollout(rollout)
    progress: Progress = Progress(opened.plan, talk_console())
    with progress.shown():
        state = override(opened, progress, gate, reason)
    if state is None:
        talk_console().print(f"the process that walks rollout {opened.row.id} was told", markup=False)
        return ExitCode.DONE
    return finish(opened.row.id, opened.plan, state)
