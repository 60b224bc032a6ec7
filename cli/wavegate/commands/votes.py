"""`wavegate votes`: what a gate asks people, and what they should see before they vote."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, result_console, rollout_argument
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.bootstrap.reading import OpenedRollout
    from wavegate.core.state import GateState
    from wavegate.reports.voting import Asked


@click.command(name="votes")
@rollout_argument
@click.option("--gate", help="Only this gate.")
@json_option
def command(rollout: str | None, gate: str | None, as_json: bool) -> ExitCode:
    """Show what the gates of rollout ID ask people: votes, what is new, what was measured, how it went.

    \b
    Example:
      wavegate votes
      wavegate votes 7f3a --gate go-on --json | jq '.gates[0].missing'
    """
    from wavegate.bootstrap.people import choose_gate
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.core.votes import find_asking
    from wavegate.reports.voting import asked_json, render_asked

    opened = open_rollout(rollout)
    gates = [choose_gate(opened, gate)] if gate else find_asking(opened.state)
    asked = [look_at(opened, one) for one in gates]
    if as_json:
        print_json({"format": 1, "id": opened.row.id, "gates": [asked_json(one) for one in asked]})
        return ExitCode.DONE
    console = result_console()
    console.print(f"rollout {opened.row.id}")
    for one in asked:
        console.print(render_asked(one))
    if not asked:
        console.print("no gate asks anybody now")
    return ExitCode.DONE


def look_at(opened: OpenedRollout, gate: GateState) -> Asked:
    """Return what somebody should see who is to vote at the gate."""
    from wavegate.bootstrap.people import find_before
    from wavegate.reports.measuring import gather_gates
    from wavegate.reports.voting import tell_asked

    looks = gather_gates(opened.plan, opened.records)
    facts = [one for one in looks if (one.wave, one.side) == (gate.wave, gate.side)][-1]
    before = find_before(opened)
    return tell_asked(
        opened.plan,
        opened.state,
        gate,
        facts,
        time.time(),
        before=f"{before.row.id} ({before.row.status})" if before else "",
        differences=before.differences if before else None,
    )
