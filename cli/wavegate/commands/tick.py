"""`wavegate tick`: do what can be done now, and leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import exit_code_of, finish, rollout_argument, talk_console
from wavegate.errors import ExitCode, WavegateError

if TYPE_CHECKING:
    from wavegate.bootstrap.reading import OpenedRollout

_WORST_FIRST = (
    ExitCode.BUG,
    ExitCode.INPUT,
    ExitCode.ROLLBACK_FAILED,
    ExitCode.HALTED,
    ExitCode.ROLLED_BACK,
    ExitCode.NEEDS_PERSON,
    ExitCode.INTERRUPTED,
    ExitCode.LOCKED,
    ExitCode.WAITING,
    ExitCode.DONE,
)


@click.command(name="tick")
@rollout_argument
@click.option(
    "--all", "everything", is_flag=True, help="Every open rollout of the project, one after another."
)
def command(rollout: str | None, everything: bool) -> ExitCode:
    """Carry rollout ID (default: the only open one) on as far as it gets now, then leave.

    Batches that can start are started and waited for; where only time helps (a soak, the next measurement)
    it leaves with exit code 10, to be called again: the verb for CI and cron. A rollout that needs a person
    is left alone.

    \b
    Example:
      wavegate tick 7f3a
      */5 * * * *  cd /srv/rollouts && wavegate tick --all
    \b
    Exit codes: those of `run`; 10 means call again; with --all the worst of them; 0 when none is open
    """
    from wavegate.bootstrap.reading import open_rollout, open_rollouts

    if everything:
        codes = [_tick_or_tell(open_rollout(row)) for row in open_rollouts()]
        return next((code for code in _WORST_FIRST if code in codes), ExitCode.DONE)
    return _tick(open_rollout(rollout))


def _tick_or_tell(opened: OpenedRollout) -> ExitCode:
    """Carry one of several on; its trouble does not keep the others from their turn."""
    from wavegate.commands._output import print_error

    try:
        return _tick(opened)
    except WavegateError as error:
        print_error(error, as_json=False)
        return error.exit_code


def _tick(opened: OpenedRollout) -> ExitCode:
    from wavegate.bootstrap.steer import go_on
    from wavegate.core.obligations import tell_open
    from wavegate.core.outcomes import WALKING, Status
    from wavegate.reports.live import Progress

    status = Status(opened.row.status)
    if not opened.died and status not in {*WALKING, Status.WAITING, Status.PLANNED}:
        still_out = tell_open(opened.state)
        told = f"; still taken out: {still_out}" if still_out else ""
        talk_console().print(f"rollout {opened.row.id} is {status.replace('_', ' ')}{told}", markup=False)
        return exit_code_of(status, taken_out=bool(opened.state.obligations))
    progress = Progress(opened.plan, talk_console())
    with progress.shown():
        state = go_on(opened, progress, stays=False)
    return finish(opened.row.id, opened.plan, state)
