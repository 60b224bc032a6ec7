"""The live table of `probe --watch`: one row a probe and target, with what the gate would say now."""

from __future__ import annotations

import time
from collections import Counter

from msgspec import Struct, field
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavegate.core.events import Measurement, SweepEnded
from wavegate.core.gate import Judgement
from wavegate.core.outcomes import Reading, Verdict

_STYLES = {"good": "green", "bad": "red"}
_VERDICTS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INCONCLUSIVE: "yellow", None: "dim"}
_MOST_ROWS = 40


class Watch(Struct):
    """What was measured so far; without a terminal it prints a line for each sweep instead of a table."""

    console: Console
    last: dict[tuple[str, str], Measurement] = field(default_factory=dict)
    counts: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    says: Judgement = field(default_factory=lambda: Judgement(None, "nothing was measured yet"))

    def show(self, sweep: SweepEnded, says: Judgement) -> None:
        """Take note of a sweep and of what the gate would say now."""
        for one in sweep.measurements:
            key = (sweep.probe, one.target)
            self.last[key] = one
            self.counts.setdefault(key, Counter())[one.reading.value] += 1
        if not self.console.is_terminal:
            self._print(sweep, says)
        self.says = says

    def _print(self, sweep: SweepEnded, says: Judgement) -> None:
        stamp = time.strftime("%H:%M:%S")
        for one in sweep.measurements:
            target = f" on {one.target}" if one.target else ""
            line = f"{stamp} {sweep.probe}{target}: {one.reading}: {one.detail}"
            self.console.print(Text(line), soft_wrap=True)
        if (says.verdict, says.reason) != (self.says.verdict, self.says.reason):
            self.console.print(Text(f"{stamp} {_tell(says)}"), soft_wrap=True)

    def readings(self) -> set[Reading]:
        """Return what the newest measurements say."""
        return {one.reading for one in self.last.values()}

    def __rich__(self) -> RenderableType:
        """Return the table, what is not good first, and the gate's verdict below it."""
        table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
        for column in ("probe", "host", "reading", "good", "bad", "errors", "detail"):
            table.add_column(column, header_style="bold")
        rows = sorted(self.last.items(), key=lambda item: item[1].reading is Reading.GOOD)
        for (probe, target), one in rows[:_MOST_ROWS]:
            counts = self.counts[probe, target]
            errors = counts["error"] + counts["inconclusive"]
            table.add_row(
                Text(probe),
                Text(target or "-"),
                Text(one.reading, _STYLES.get(one.reading, "yellow")),
                *(str(number) for number in (counts["good"], counts["bad"], errors)),
                Text(one.detail),
            )
        hidden = len(rows) - _MOST_ROWS
        more = [Text(f"and {hidden} more, all of them good or as above", "dim")] if hidden > 0 else []
        return Group(table, *more, Text(_tell(self.says), _VERDICTS[self.says.verdict]))


def _tell(says: Judgement) -> str:
    verdict = says.verdict.upper() if says.verdict else "not yet"
    return f"the gate would say: {verdict}: {says.reason}"
