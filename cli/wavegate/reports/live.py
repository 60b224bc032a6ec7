"""What `wavegate run` shows while it works: complete lines, and on a terminal a table below them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from wavegate.core.estimate import seconds_left
from wavegate.core.events import HostFinished, Record, SweepEnded, WaveCompleted
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.plan import Plan
from wavegate.core.quantity import format_duration
from wavegate.core.state import State
from wavegate.reports.sentences import describe
from wavegate.reports.standing import Standing, take_standing
from wavegate.reports.standing_text import render_standing

_SECONDS_BETWEEN_SWEEPS = 15.0
"""Without a terminal, good sweeps of a probe are told this often at most; `events` has all of them."""


class Progress:
    """Prints a line for each event that matters; holds the standing that the table shows.

    On a terminal, sweeps and hosts that went well are left to the table; without one, every line is complete.
    """

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._standing: Standing | None = None
        self._next_at = 0.0
        self._swept_at: dict[tuple[str, str, str], float] = {}

    def show(self, record: Record, state: State) -> None:
        """Print the event's line; on a terminal, routine is left to the table."""
        if _is_routine(record) and not self._is_wanted(record):
            return
        line = describe(record.event, self._plan)
        if line:
            text = line.text + self._estimate(record, state)
            stamp = datetime.fromtimestamp(record.at).astimezone().strftime("%H:%M:%S")
            self._console.print(Text.assemble((stamp, "dim"), " ", (text, line.style)), soft_wrap=True)

    def _estimate(self, record: Record, state: State) -> str:
        """Return when it will probably end, after each wave: the table says it all the time."""
        if self._console.is_terminal or not isinstance(record.event, WaveCompleted):
            return ""
        left = seconds_left(self._plan, state, record.at)
        return f"; about {format_duration(left)} left" if left else ""

    def _is_wanted(self, record: Record) -> bool:
        """Whether routine deserves a line: not beside a table; of good sweeps one now and then is enough."""
        event = record.event
        if self._console.is_terminal:
            return False
        if isinstance(event, SweepEnded):
            key = (event.wave, event.side, event.probe)
            if record.at - self._swept_at.get(key, 0.0) < _SECONDS_BETWEEN_SWEEPS:
                return False
            self._swept_at[key] = record.at
        return True

    def settle(self, state: State, now: float) -> None:
        """Take a new standing for the table, unless that would take more than a tenth of the time."""
        began = time.monotonic()
        if self._console.is_terminal and began >= self._next_at:
            self._standing = take_standing(self._plan, state, now)
            self._next_at = began + 10 * (time.monotonic() - began)

    def __rich__(self) -> RenderableType:
        """Return the table as of this instant."""
        return render_standing(self._standing, time.time()) if self._standing else Text("")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the table below the lines while the block runs; without a terminal, do nothing."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, refresh_per_second=4, transient=True):
            yield


def _is_routine(record: Record) -> bool:
    event = record.event
    if isinstance(event, SweepEnded):
        return all(measurement.reading is Reading.GOOD for measurement in event.measurements)
    return isinstance(event, HostFinished) and event.outcome is Outcome.DONE
