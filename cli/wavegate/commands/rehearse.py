"""`wavegate rehearse`: try a rollout and its rollback on hosts like the real ones."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, result_console, talk_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.bootstrap.rehearse import Rehearsal
    from wavegate.core.plan import Plan
    from wavegate.reports.live import Progress


@click.command(name="rehearse")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--hosts", default="", help="An Ansible pattern: the hosts to rehearse on.")
@click.option("--inventory", multiple=True, help="Their inventory; without it, what the file says.")
@json_option
def command(file: Path, hosts: str, inventory: tuple[str, ...], as_json: bool) -> ExitCode:
    """Play FILE's change there, back and there again on other hosts, and keep the result as evidence.

    Without a word about hosts, here or in FILE, it is rehearsed on the project's lab. Each way is verified
    (by `verify:` and gates; the way back by `rollback.gate`), and is a rollout in the journal. The evidence
    is bound to the hash of FILE's plan: a gate with `rehearsed: {within: 14d}` opens for that plan only.

    \b
    Example:
      wavegate lab up && wavegate rehearse rollouts/rehearsed-patch.yml
      wavegate rehearse rollouts/patch.yml --inventory inventories/staging --hosts web
    \b
    Exit codes: 0 it went well · 30 it did not · 40 it cannot be rehearsed; nothing was started
    """
    from wavegate.bootstrap.rehearse import rehearse
    from wavegate.core.spec import RehearsalSpec
    from wavegate.reports.live import Progress

    talk = talk_console()
    with ExitStack() as shown:

        def watch(way: str, plan: Plan) -> Progress:
            shown.close()
            talk.print(f"rehearsal: {way}", style="bold")
            progress = Progress(plan, talk)
            shown.enter_context(progress.shown())
            return progress

        rehearsal = rehearse(file, RehearsalSpec(inventory=inventory, hosts=hosts), watch)
    if as_json:
        print_json(_to_json(rehearsal))
    else:
        _print(rehearsal)
    return ExitCode.DONE if rehearsal.event.succeeded else ExitCode.HALTED


def _to_json(rehearsal: Rehearsal) -> dict[str, object]:
    from msgspec import to_builtins

    return {"format": 1, "rollout": rehearsal.rollout, **to_builtins(rehearsal.event)}


def _print(rehearsal: Rehearsal) -> None:
    from rich.text import Text

    from wavegate.reports.sentences import describe

    line = describe(rehearsal.event, rehearsal.plan)
    if line:
        result_console().print(Text(line.text, line.style))
    talk_console().print(f"read the report: wavegate report {rehearsal.rollout}", markup=False)
