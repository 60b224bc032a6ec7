"""`wavegate run`: start a rollout and stay with it until it ends, or a person must act."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import finish, talk_console

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="run")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--no-wait", is_flag=True, help="Leave as soon as only time can bring it on (exit code 10).")
def command(file: Path, no_wait: bool) -> ExitCode:
    """Start the rollout that FILE describes and stay until it is over.

    Shows waves, hosts in flight, failures, the soak and the gate's measurements as they come. Ctrl-C once
    starts nothing new and lets what is in flight end; twice stops that too. The rollout can then be resumed.

    \b
    Example:
      wavegate run rollouts/patch-intranet.yml
      wavegate run rollouts/patch-intranet.yml --no-wait; wavegate tick
    \b
    Exit codes:
      0 completed · 10 waiting, call `wavegate tick` later · 20 held, a person must act · 30 halted
      31 rolled back · 32 rollback failed, or what was taken out is not back
      40 bad input, nothing was started · 130 interrupted
    """
    from wavegate.bootstrap.prepare import prepare
    from wavegate.bootstrap.walk import start
    from wavegate.reports.live import Progress

    prepared = prepare(file)
    progress = Progress(prepared.plan, talk_console())
    with progress.shown():
        rollout_id, state = start(prepared, progress, stays=not no_wait)
    return finish(rollout_id, prepared.plan, state)
