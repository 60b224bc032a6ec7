"""`wavegate simulate`: expected duration and blast radius, before anything is changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wavegate.commands._common import json_option, print_json, result_console, talk_console

if TYPE_CHECKING:
    from wavegate.simulation.study import Told

SECONDS_BETWEEN_LINES = 5.0


@click.command(name="simulate")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--hosts", type=click.IntRange(1, 1_000_000), help="Scale the fleet to so many hosts.")
@click.option(
    "--bad-change",
    default="breaks 100% at once",
    show_default=True,
    help="What is wrong with the bad change: 'breaks 30% after 20m, fails 5%'.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same answer.")
@click.option(
    "--runs",
    type=click.IntRange(1, 100_000),
    help="Simulate so many rollouts of each kind.  [default: 200, fewer from 5,000 hosts on]",
)
@click.option(
    "--host-seconds",
    type=click.FloatRange(1, 86_400),
    default=60.0,
    show_default=True,
    help="How long one host takes, in the median.",
)
@json_option
def command(  # noqa: PLR0913, PLR0917
    file: Path,
    hosts: int | None,
    bad_change: str,
    seed: int,
    runs: int | None,
    host_seconds: float,
    as_json: bool,
) -> None:
    """Tell how long the rollout of FILE takes, and how many hosts a bad change reaches before it is stopped.

    What decides in real rollouts decides here, in a fake world, again and again; no host is contacted.
    What a bad change does: breaks (a probe finds the host bad), fails, hangs, unreachable, each on a
    percentage of hosts; flaky and errors, on a percentage of measurements.

    \b
    Example:
      wavegate simulate rollouts/patch-intranet.yml
      wavegate simulate rollouts/patch-intranet.yml --hosts 10000 --bad-change 'breaks 30% after 20m'
      wavegate simulate rollouts/patch-intranet.yml --bad-change 'fails 2%, flaky 0.1%' --json | jq .bad
    """
    from wavegate.bootstrap.simulate import Wish, simulate
    from wavegate.simulation.telling import print_study, summarise

    wish = Wish(bad_change=bad_change, hosts=hosts, seed=seed, runs=runs, host_seconds=host_seconds)
    with _progress() as tell:
        study, real_hosts = simulate(file, wish, tell)
    if as_json:
        print_json(summarise(study, real_hosts))
    else:
        print_study(study, real_hosts, result_console())


@contextmanager
def _progress() -> Iterator[Told]:
    """Tell on stderr how far it is: on a terminal in a line that changes, elsewhere in one now and then."""
    console = talk_console()
    if console.is_terminal:
        with console.status("planning") as status:
            yield lambda kind, done, of: status.update(_tell(kind, done, of))
        return
    told_at = time.monotonic()

    def tell(kind: str, done: int, of: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= SECONDS_BETWEEN_LINES:
            told_at = time.monotonic()
            console.print(_tell(kind, done, of), soft_wrap=True)

    yield tell


def _tell(kind: str, done: int, of: int) -> str:
    return f"a {kind} change: {done} of {of} rollouts simulated"
