"""`wavegate history`: the rollouts of this project, newest first."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from msgspec.structs import asdict

from wavegate.commands._common import json_option, print_json, result_console


@click.command(name="history")
@json_option
def command(as_json: bool) -> None:
    """List the rollouts of this project, newest first.

    \b
    Example:
      wavegate history
      wavegate history --json | jq -r '.rollouts[] | select(.status=="halted") | .id'
    """
    from wavegate.adapters.journal import is_died
    from wavegate.bootstrap.reading import current_project, look_into_project_journal

    with look_into_project_journal(current_project()) as journal:
        rows = journal.rollouts()
    if as_json:
        print_json({"format": 1, "rollouts": [{**asdict(row), "died": is_died(row)} for row in rows]})
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in ("id", "started", "name", "status", "plan"):
        table.add_column(column, header_style="bold", no_wrap=column == "id")
    for row in rows:
        started = datetime.fromtimestamp(row.created_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        status = "died (resume it)" if is_died(row) else row.status.replace("_", " ")
        table.add_row(row.id, started, row.name, status, row.plan_hash[:12])
    result_console().print(table)
