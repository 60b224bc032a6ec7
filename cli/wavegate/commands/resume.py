"""`wavegate resume`: go on with a rollout that was interrupted, held, or whose process died."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import finish, rollout_argument, talk_console

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="resume")
@rollout_argument
def command(rollout: str | None) -> ExitCode:
    """Go on with rollout ID (default: the only open one) from where it stopped.

    Needs nothing but the journal and the frozen material: edits since the start do not leak in. Hosts that
    were in flight when the process died are done again, after its Ansible processes were seen gone. A gate
    that was inconclusive looks again.

    \b
    Example:
      wavegate resume
      wavegate resume 7f3a
    """
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.bootstrap.walk import resume
    from wavegate.reports.live import Progress

    opened = open_rollout(rollout)
    progress = Progress(opened.plan, talk_console())
    with progress.shown():
        state = resume(opened.row, opened.project, progress)
    return finish(opened.row.id, opened.plan, state)
