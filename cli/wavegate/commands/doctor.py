"""`wavegate doctor`: what this machine lacks, and how to get it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from wavegate.commands._common import json_option, print_json, result_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.adapters.doctor import Finding


@click.command(name="doctor")
@json_option
def command(as_json: bool) -> ExitCode:
    """Say what this machine has and lacks, and how to get it; changes nothing.

    \b
    Example:
      wavegate doctor
      wavegate doctor --json | jq '.findings[] | select(.ok|not)'
    \b
    Exit codes: 0 rollouts can be walked from here · 40 something that they need is missing
    """
    from wavegate.adapters.doctor import examine
    from wavegate.bootstrap.reading import current_project

    findings = examine(current_project())
    if as_json:
        print_json({"format": 1, "findings": [asdict(finding) for finding in findings]})
    else:
        _print(findings)
    missing = any(finding.required and not finding.ok for finding in findings)
    return ExitCode.INPUT if missing else ExitCode.DONE


def _print(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "what", "found", "needed for", "how to get it"):
        table.add_column(column, header_style="bold")
    for finding in findings:
        word, style = (
            ("ok", "green") if finding.ok else ("MISSING", "red") if finding.required else ("no", "yellow")
        )
        hint = "" if finding.ok else finding.hint
        table.add_row(Text(word, style), finding.name, Text(finding.found), finding.needed_for, Text(hint))
    result_console().print(table)
