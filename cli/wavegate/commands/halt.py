"""`wavegate halt`: stop the process that walks a rollout, from any terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import rollout_argument, talk_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.bootstrap.reading import OpenedRollout

_LOOK_EVERY = 0.5


@click.command(name="halt")
@rollout_argument
@click.option("--now", "at_once", is_flag=True, help="Stop what is in flight too: gently, then hard.")
@click.option("--no-wait", is_flag=True, help="Ask, and leave before it stands still.")
def command(rollout: str | None, at_once: bool, no_wait: bool) -> ExitCode:
    """Let rollout ID start nothing new; what is in flight ends, then its process leaves. It can be resumed.

    Does what Ctrl-C in its own terminal does, and with --now what a second Ctrl-C does. Works from every
    machine that shares the journal.

    \b
    Example:
      wavegate halt
      wavegate halt 7f3a --now
    \b
    Exit codes: 0 it stands still, or was asked to · 20 its process died
    """
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.bootstrap.steer import request_stop

    opened = open_rollout(rollout)
    request_stop(opened, now=at_once)
    talk = talk_console()
    talk.print(f"asked rollout {opened.row.id} to stop", markup=False)
    if no_wait:
        return ExitCode.DONE
    opened = _wait(opened)
    talk.print(f"rollout {opened.row.id} is {opened.row.status.replace('_', ' ')}", markup=False)
    return ExitCode.NEEDS_PERSON if opened.died else ExitCode.DONE


def _wait(opened: OpenedRollout) -> OpenedRollout:
    """Return the rollout when nobody walks it any more."""
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.core.outcomes import WALKING

    while opened.row.status in WALKING and not opened.died:
        time.sleep(_LOOK_EVERY)
        opened = open_rollout(opened.row.id)
    return opened
