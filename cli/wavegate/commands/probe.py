"""`wavegate probe`: measure now with the probes of a rollout file; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, result_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.core.events import SweepEnded


@click.command(name="probe")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--gate", help="Only the probes of this gate.")
@click.option("--wave", help="Only the hosts of this wave.")
@json_option
def command(file: Path, gate: str | None, wave: str | None, as_json: bool) -> ExitCode:
    """Measure once, now, every host of FILE's plan; nothing is changed and nothing is recorded.

    \b
    Example:
      wavegate probe rollouts/patch-intranet.yml
      wavegate probe rollouts/patch-intranet.yml --gate healthy --wave pilot
    \b
    Exit codes: 0 all good · 30 something is bad · 20 something could not be measured
    """
    from wavegate.bootstrap.measure import measure_once

    sweeps = measure_once(file, gate, wave)
    if as_json:
        print_json({"format": 1, "probes": [_sweep_json(sweep) for sweep in sweeps]})
    else:
        _print_sweeps(sweeps)
    return _judge(sweeps)


def _judge(sweeps: list[SweepEnded]) -> ExitCode:
    from wavegate.core.outcomes import Reading

    readings = {measurement.reading for sweep in sweeps for measurement in sweep.measurements}
    if Reading.BAD in readings:
        return ExitCode.HALTED
    return ExitCode.DONE if readings == {Reading.GOOD} else ExitCode.NEEDS_PERSON


def _sweep_json(sweep: SweepEnded) -> dict[str, object]:
    from dataclasses import asdict

    return {"probe": sweep.probe, "measurements": [asdict(measurement) for measurement in sweep.measurements]}


def _print_sweeps(sweeps: list[SweepEnded]) -> None:
    from rich.table import Table
    from rich.text import Text

    styles = {"good": "green", "bad": "red"}
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in ("probe", "host", "reading", "detail"):
        table.add_column(column, header_style="bold")
    for sweep in sweeps:
        for measurement in sweep.measurements:
            reading = Text(measurement.reading, styles.get(measurement.reading, "yellow"))
            table.add_row(sweep.probe, Text(measurement.target or "-"), reading, Text(measurement.detail))
    result_console().print(table)
