"""Runs a command several times, in turns with others, and tells its wall and CPU seconds."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Timing:
    """One command and what its runs took; CPU is user and system time of it and all of its children."""

    name: str
    command: Sequence[str | Path]
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    @property
    def median_wall(self) -> float:
        """Return the median wall seconds."""
        return statistics.median(self.wall)

    @property
    def median_cpu(self) -> float:
        """Return the median CPU seconds."""
        return statistics.median(self.cpu)


def run_in_turns(  # noqa: PLR0913 - one call says all
    timings: Sequence[Timing],
    repeat: int,
    folder: Path,
    env: Mapping[str, str],
    after: Callable[[], None] = lambda: None,
    *,
    warm_up: bool = True,
) -> None:
    """Run every command `repeat` times, in turns: a noisy machine is noisy for all of them.

    With `warm_up`, one run of each that is not counted comes first (compiled files, caches). Raise
    RuntimeError, with what it printed, when a command fails.
    """
    for turn in range(0 if warm_up else 1, repeat + 1):
        for timing in timings:
            wall, cpu = run_once(timing.command, folder, env)
            after()
            if turn:
                timing.wall.append(wall)
                timing.cpu.append(cpu)


def run_once(command: Sequence[str | Path], folder: Path, env: Mapping[str, str]) -> tuple[float, float]:
    """Return the wall and CPU seconds of one run."""
    before, start = os.times(), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - start, os.times()
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu


def describe_machine() -> str:
    """Return one line about how busy this machine is: ratios are worth more than seconds."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {load:.1f} over the last minute"
