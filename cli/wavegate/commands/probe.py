"""`wavegate probe`: measure now with the probes of a rollout file; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, result_console
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.bootstrap.measure import Choice
    from wavegate.core.events import SweepEnded
    from wavegate.core.outcomes import Reading


@click.command(name="probe")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--gate", help="Only the probes of this gate.")
@click.option("--wave", help="Only the hosts of this wave.")
@click.option("--hosts", help="Only these hosts of the plan: an Ansible pattern.")
@click.option("--watch", is_flag=True, help="Go on at the gate's intervals until Ctrl-C; show a live table.")
@json_option
def command(  # noqa: PLR0913, PLR0917 - its options
    file: Path, gate: str | None, wave: str | None, hosts: str | None, watch: bool, as_json: bool
) -> ExitCode:
    """Measure once, now, every host of FILE's plan; nothing is changed and nothing is recorded.

    With --watch it goes on as the gate would, and says what the gate would say: the way to write one.

    \b
    Example:
      wavegate probe rollouts/patch-intranet.yml
      wavegate probe rollouts/patch-intranet.yml --gate healthy --hosts 'pilot:!broken' --watch
    \b
    Exit codes: 0 all good · 30 something is bad · 20 something could not be measured;
      with --watch, as it was when it was ended
    """
    from wavegate.bootstrap.measure import Choice, measure_once

    choice = Choice(gate=gate, wave=wave, hosts=hosts)
    if watch and as_json:
        raise click.UsageError("--watch has no --json; call it without --watch again and again")
    if watch:
        return _watch(file, choice)
    sweeps = measure_once(file, choice)
    if as_json:
        print_json({"format": 1, "probes": [_sweep_json(sweep) for sweep in sweeps]})
    else:
        _print_sweeps(sweeps)
    return _judge(measurement.reading for sweep in sweeps for measurement in sweep.measurements)


def _watch(file: Path, choice: Choice) -> ExitCode:
    from contextlib import nullcontext, suppress

    from rich.live import Live

    from wavegate.bootstrap.measure import measure_on
    from wavegate.reports.watching import Watch

    console = result_console()
    shown = Watch(console)
    live = Live(shown, console=console, refresh_per_second=4) if console.is_terminal else nullcontext()
    with live, suppress(KeyboardInterrupt):
        measure_on(file, choice, shown.show)
    return _judge(shown.readings())


def _judge(readings: Iterable[Reading]) -> ExitCode:
    from wavegate.core.outcomes import Reading

    found = set(readings)
    if Reading.BAD in found:
        return ExitCode.HALTED
    return ExitCode.DONE if found == {Reading.GOOD} else ExitCode.NEEDS_PERSON


def _sweep_json(sweep: SweepEnded) -> dict[str, object]:
    from msgspec import to_builtins

    return {
        "probe": sweep.probe,
        "measurements": [to_builtins(measurement) for measurement in sweep.measurements],
    }


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
