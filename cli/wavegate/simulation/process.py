"""One wavegate process in a fake world: executor, prober, inbox, clock and journal for its engine.

What is on its way to a process that died never arrives; what it started in the world goes on.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from wavegate.core import events as ev
from wavegate.core.spec import ProbeSpec
from wavegate.engine.inbox import Inbox
from wavegate.ports import Report
from wavegate.simulation.journal import Ledger, MemoryJournal
from wavegate.simulation.oracle import EndlessError
from wavegate.simulation.world import CANCEL_SECONDS, Work, World

PROBE_SECONDS = 0.1

Interruption = Callable[[str, int], None]


@dataclass(slots=True)
class _Feed:
    """What one batch still has to report."""

    work: Work
    ticket: int
    index: int = 0
    over: bool = False
    reports: list[tuple[float, ev.Event]] = field(init=False)

    def __post_init__(self) -> None:
        self.reports = self.work.reports()

    def due_at(self) -> float:
        """Return when it reports next."""
        reports, gone_at = self.reports, self.work.gone_at
        return min(reports[self.index][0], gone_at) if self.index < len(reports) else gone_at

    def take(self) -> list[ev.Event]:
        """Return what it reports next: all that is alike and at the same instant, or at last its own end.

        A host that waits for an answer reports nothing more.
        """
        first, reports = self.index, self.reports
        while self.index < len(reports) and reports[self.index][0] <= self.work.gone_at:
            if _kind(reports[self.index]) != _kind(reports[first]):
                break
            self.index += 1
        if self.index > first:
            reported = [event for _, event in reports[first : self.index]]
            return [event for event in reported if self._can_be(event)]
        self.over = True
        status = self.work.status
        return [ev.BatchEnded(self.work.order.batch, status, _DETAIL.get(status, ""))]

    def _can_be(self, event: ev.Event) -> bool:
        work = self.work
        if not isinstance(event, ev.HostFinished | ev.ObligationClosed):
            return True
        waits = (ask for _, ask in work.asks if ask.host == event.host and ask not in work.heard)
        return next(waits, event) == event


def _kind(report: tuple[float, ev.Event]) -> tuple[float, type]:
    return report[0], type(report[1])


class Process(Inbox):
    """The ports of one engine; `interrupt("before" or "after", n)` is called around its n-th write."""

    def __init__(
        self, world: World, ledger: Ledger, name: str, interrupt: Interruption | None = None
    ) -> None:
        super().__init__()
        self.world = world
        self.name = name
        self.turns, self.most_turns = 0, math.inf
        self.journal = _Interrupted(ledger, name, interrupt) if interrupt else MemoryJournal(ledger, name)
        self.started: dict[str, _Feed] = {}
        self._future: list[tuple[float, int, int, list[ev.Event], _Feed | None]] = []
        self._tickets = itertools.count()

    # the clock
    def now(self) -> float:
        """Return what this process believes the time to be."""
        return self.world.now()

    # the executor
    def submit(self, order: ev.BatchSubmitted, report: Report) -> None:  # noqa: ARG002
        """Start the batch; its outcomes arrive in the inbox."""
        work = self.world.begin(order)
        if work is None:
            self.later(self.world.time, [ev.BatchEnded(order.batch, "lost", "another process took it over")])
            return
        self.started[order.batch] = feed = _Feed(work, next(self._tickets))
        self._expect(feed)

    def cancel(self, batch: str) -> None:
        """End what this process started; it cannot reach what another one did."""
        if batch in self.started:
            self.world.end(batch, self.world.time + CANCEL_SECONDS)
            self._expect(self.started[batch])

    def acknowledge(self, event: ev.Event) -> None:
        """Let a playbook of this process go on; keep everything: the disk of a fake world has room."""
        if isinstance(event, ev.ObligationOpened | ev.ObligationClosed) and event.batch in self.started:
            self.world.hear(event)

    def collect(self, order: ev.BatchSubmitted) -> tuple[ev.HostFinished, ...]:
        """Return what a dead process's batch left on disk."""
        return self.world.collect(order.batch)

    # the prober
    def measure(self, sweep: ev.SweepStarted, probe: ProbeSpec, report: Report) -> None:  # noqa: ARG002
        """Measure every target now; the answer arrives a moment later."""
        self.world.settle()
        world = self.world
        answers, own = world.nature.measure(sweep, world.changed_at, world.time), len(sweep.targets)
        ended = ev.SweepEnded(sweep.wave, sweep.side, sweep.probe, sweep.number, answers[:own], answers[own:])
        self.later(world.time + PROBE_SECONDS, [ended])

    # the inbox
    def put(self, event: ev.Event) -> None:
        """Hand in an event."""
        self.later(self.world.time, [event])

    def later(self, at: float, events: list[ev.Event]) -> None:
        """Have the events arrive at `at` of the world's time."""
        ticket = next(self._tickets)
        heapq.heappush(self._future, (at, ticket, ticket, events, None))

    def wait(self, seconds: float) -> list[ev.Event]:
        """Move the world's time to what happens next, at most `seconds` on, and return what arrived."""
        self.turns += 1
        if self.turns > self.most_turns:
            raise EndlessError(f"it waits without end, {seconds:g} s each time")
        until = self.world.time + max(0.0, seconds)
        while self._future and self._future[0][0] <= until:
            at, _, _, events, feed = heapq.heappop(self._future)
            if feed is None:
                self.world.pass_until(at)
                return events
            if not feed.over and feed.due_at() == at:
                self.world.pass_until(at)
                taken = feed.take()
                self._expect(feed)
                return taken
        self.world.pass_until(until)
        return []

    def _expect(self, feed: _Feed) -> None:
        if not feed.over:
            # Of what happens at the same instant, what was started first comes first. The number is no part
            # of that: two entries of one feed are told apart by it.
            heapq.heappush(self._future, (feed.due_at(), feed.ticket, next(self._tickets), [], feed))


_DETAIL = {"timed_out": "took longer than the batch may", "canceled": "stopped"}


class _Interrupted(MemoryJournal):
    """A journal around whose writes something may happen to its process."""

    def __init__(self, ledger: Ledger, owner: str, interrupt: Interruption) -> None:
        super().__init__(ledger, owner)
        self._interrupt = interrupt
        self.writes = 0

    def append(
        self, rollout_id: str, expected_seq: int, events: Sequence[ev.Event], at: float
    ) -> Sequence[ev.Record]:
        """Append between two chances for a catastrophe."""
        self.writes += 1
        number = self.writes
        self._interrupt("before", number)
        records = super().append(rollout_id, expected_seq, events, at)
        self._interrupt("after", number)
        return records
