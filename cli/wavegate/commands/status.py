"""`wavegate status`: where a rollout stands and what it waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import (
    exit_code_of,
    json_option,
    print_json,
    result_console,
    rollout_argument,
)

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="status")
@rollout_argument
@json_option
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with the code `run` would end with (10 while it runs, 20 when its process died).",
)
def command(rollout: str | None, as_json: bool, exit_code: bool) -> ExitCode | int:
    """Say where rollout ID stands (default: the only open one, else the latest).

    \b
    Example:
      wavegate status
      wavegate status 7f3a --json | jq .waits_for
    """
    from wavegate.bootstrap.reading import glance_at_rollout
    from wavegate.core.votes import find_asking
    from wavegate.reports.standing import standing_json, take_standing

    opened = glance_at_rollout(rollout)
    now = time.time()
    standing = take_standing(opened.plan, opened.state, now, died=opened.died)
    if as_json:
        print_json({"id": opened.row.id, "died": opened.died, **standing_json(standing)})
    else:
        from wavegate.reports.standing_text import render_standing

        console = result_console()
        console.print(f"rollout {opened.row.id}")
        console.print(render_standing(standing, now, died=opened.died))
        if opened.died:
            where = f"pid {opened.row.owner_pid} on {opened.row.owner_host}"
            console.print(
                f"its process ({where}) died; go on with it: wavegate resume {opened.row.id}", markup=False
            )
    if not exit_code:
        return 0
    taken_out = bool(opened.state.obligations)
    asks = bool(find_asking(opened.state))
    return exit_code_of(opened.state.status, died=opened.died, taken_out=taken_out, asks=asks)
