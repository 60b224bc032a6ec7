"""What several commands share: consoles, JSON, exit codes, the ROLLOUT argument."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from wavegate.core.outcomes import WALKING, Status
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from wavegate.bootstrap.reading import OpenedRollout
    from wavegate.core.plan import Plan
    from wavegate.core.state import State
    from wavegate.reports.live import Progress

_EXIT = {
    Status.COMPLETED: ExitCode.DONE,
    Status.WAITING: ExitCode.WAITING,
    Status.HELD: ExitCode.NEEDS_PERSON,
    Status.HALTED: ExitCode.HALTED,
    Status.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Status.ROLLBACK_FAILED: ExitCode.ROLLBACK_FAILED,
    Status.ABORTED: ExitCode.HALTED,
    Status.INTERRUPTED: ExitCode.INTERRUPTED,
}

rollout_argument = click.argument("rollout", required=False, metavar="[ID]")


def _note_json(context: click.Context, _parameter: click.Parameter, value: bool) -> bool:
    """Let `main` know that errors are wanted as JSON, too."""
    if value:
        context.ensure_object(dict)["json"] = True
    return value


json_option = click.option(
    "--json", "as_json", is_flag=True, callback=_note_json, help="Print JSON with stable keys."
)


def exit_code_of(
    status: Status, *, died: bool = False, taken_out: bool = False, asks: bool = False
) -> ExitCode:
    """Return what a pipeline can act on; waiting for a rollout whose process died is of no use.

    `taken_out`: something is, and must be put back. Where nobody walks the rollout, that counts most.
    `asks`: a gate asks people, so that waiting alone brings nothing.
    """
    if died or (asks and status is Status.WAITING):
        return ExitCode.NEEDS_PERSON
    if taken_out and status not in WALKING:
        return ExitCode.ROLLBACK_FAILED
    return _EXIT.get(status, ExitCode.WAITING)


def steer(rollout: str | None, act: Callable[[OpenedRollout, Progress], State]) -> ExitCode:
    """Open the rollout, let `act` carry it on in front of the person, and finish."""
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.reports.live import Progress

    opened = open_rollout(rollout)
    progress = Progress(opened.plan, talk_console())
    with progress.shown():
        state = act(opened, progress)
    return finish(opened.row.id, opened.plan, state)


def finish(rollout_id: str, plan: Plan, state: State) -> ExitCode:
    """Print where the rollout stands and what to call next; return the exit code for it."""
    from wavegate.core.votes import find_asking
    from wavegate.reports.standing import take_standing
    from wavegate.reports.standing_text import render_standing

    result_console().print(render_standing(take_standing(plan, state, state.at), state.at))
    talk = talk_console()
    if not state.is_closed and state.status is not Status.HALTED:
        talk.print(f"go on with it: wavegate resume {rollout_id}")
    if state.obligations and not state.is_closed:
        talk.print(f"put back what is taken out: wavegate resume {rollout_id}")
    if state.status is Status.HALTED:
        talk.print(f"decide: wavegate retry, skip, rollback or abort {rollout_id}")
    talk.print(f"read the report: wavegate report {rollout_id}")
    asks = bool(find_asking(state))
    if asks:
        talk.print(f"see what is asked: wavegate votes {rollout_id}")
    return exit_code_of(state.status, taken_out=bool(state.obligations), asks=asks)


def result_console() -> Console:
    """Return the console for results (stdout); plain where there is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(highlight=False, markup=True, width=None if _has_width() else 160)


def talk_console() -> Console:
    """Return the console for talk (stderr)."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def print_json(data: Any) -> None:
    """Print the data as JSON on stdout."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def _has_width() -> bool:
    import os
    import sys

    return sys.stdout.isatty() or "COLUMNS" in os.environ
