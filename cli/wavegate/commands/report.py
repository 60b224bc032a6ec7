"""`wavegate report`: what happened in one rollout."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, rollout_argument

if TYPE_CHECKING:
    from wavegate.reports.facts import ReportFacts

_FORMATS = ("text", "json", "junit", "html")
_NARROWEST, _WIDEST = 80, 120


@click.command(name="report")
@rollout_argument
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="What to write.",
)
@json_option
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file instead of to the terminal.",
)
def command(rollout: str | None, format_name: str, as_json: bool, output: Path | None) -> None:
    """Tell what happened in a rollout: waves, hosts, gates, what went wrong and what was done about it.

    ID may be shortened as long as it is unique; without it, the only open rollout or else the latest one.

    \b
    Examples:
      wavegate report
      wavegate report 7f3a --format html --output report.html
      wavegate report --format junit --output report.xml
      wavegate report --json | jq '.hosts[] | select(.bad)'
    """
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.reports.gathering import gather_facts

    opened = open_rollout(rollout)
    facts = gather_facts(opened.plan, opened.records, opened.row, died=opened.died)
    text = _renderer("json" if as_json else format_name, to_terminal=output is None)(facts)
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)


def _renderer(format_name: str, *, to_terminal: bool) -> Callable[[ReportFacts], str]:
    """Return what turns facts into text; each format's libraries are loaded only when it is asked for."""
    if format_name == "json":
        from wavegate.reports.json_report import render_json

        return render_json
    if format_name == "junit":
        from wavegate.reports.junit import render_junit

        return render_junit
    if format_name == "html":
        from wavegate.reports.html import render_html

        return render_html
    from wavegate.reports.text import render_text

    if not (to_terminal and sys.stdout.isatty()):
        return render_text
    color = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    return lambda facts: render_text(facts, color=color, width=width)


def _write(output: Path, text: str) -> None:
    from wavegate.errors import WavegateError

    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WavegateError(
            "report-not-written",
            f"the report cannot be written to {output}",
            why=error.strerror or str(error),
            hint="name a file in a folder that exists and that you may write to",
        ) from error
    click.echo(f"wrote {output}", err=True)
