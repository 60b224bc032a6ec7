"""The fake world: one clock, hosts at work, and what Ansible wrote to disk, whoever may read it.

It outlives the processes that act in it. It holds no decision; `oracle` judges what was asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Procedure
from wavegate.simulation.fates import Fate, Nature, is_rollback

START = 1_000_000.0
CANCEL_SECONDS = 2.0
"""How long it takes to end a batch gently."""
COLLECT_LIMIT = 30.0
"""How long `collect` waits for what outlived its parent, before it ends that."""


class Work(Struct):
    """One Ansible process: `finished` is what it writes to disk, at which time; `gone_at` when it is gone.

    `asks` are its announcements: a host goes on only when its own are durable (`heard`).
    """

    order: ev.BatchSubmitted
    started_at: float
    finished: list[tuple[float, ev.HostFinished]]
    gone_at: float
    status: str
    survives: bool
    hanging: frozenset[str] = frozenset()
    asks: list[tuple[float, Announcement]] = field(default_factory=list)
    heard: set[Announcement] = field(default_factory=set)
    applied: int = 0
    """How many of `finished` have changed their host already."""

    def on_disk(self, now: float) -> Iterator[ev.HostFinished]:
        """Yield the outcomes that were written by `now`."""
        until = min(now, self.gone_at)
        return (event for at, event in self.finished if at <= until and self.went_on(event.host))

    def went_on(self, host: str) -> bool:
        """Whether everything that the host announced was heard; otherwise its task failed, an orphan."""
        return all(ask in self.heard for _, ask in self.asks if ask.host == host)

    def reports(self) -> list[tuple[float, ev.Event]]:
        """Return all that it reports before its own end, in order."""
        return sorted([*self.asks, *self.finished], key=lambda report: report[0])


Announcement = ev.ObligationOpened | ev.ObligationClosed
POOL, UNDO = "pool", "undo.yml"


class Onlooker(Protocol):
    """Somebody who sees each start of an Ansible process, and may remember what was wrong about it."""

    def see_start(self, world: World, order: ev.BatchSubmitted) -> None:
        """Look at an order just before it starts."""
        ...


class World(Struct):
    """Everything that is true whether or not a wavegate process lives."""

    nature: Nature
    batch_timeout: float = 3600.0
    time: float = START
    skew: float = 0.0
    """How far the clock that processes read is off; the world's own time never jumps."""
    onlooker: Onlooker | None = None
    works: dict[str, Work] = field(default_factory=dict)
    going: dict[str, Work] = field(default_factory=dict)
    """The works that were not seen to be gone."""
    fenced: set[str] = field(default_factory=set)
    changed_at: dict[str, float] = field(default_factory=dict)
    """When the change was complete on each host that has it."""
    reached: dict[str, float] = field(default_factory=dict)
    """When the change first began on each host."""
    stuck: set[str] = field(default_factory=set)
    """Hosts on which a task of a batch that timed out is still at work."""
    out: set[str] = field(default_factory=set)
    """Hosts that are taken out of their pool."""
    refused: list[str] = field(default_factory=list)
    """Batches that would have started after somebody else had collected them."""

    def now(self) -> float:
        """Return what a clock on the wall says."""
        return self.time + self.skew

    def pass_until(self, at: float) -> None:
        """Let time pass; it never goes back."""
        self.time = max(self.time, at)

    def flying(self) -> list[Work]:
        """Return the works whose Ansible process lives now."""
        self.settle()
        return list(self.going.values())

    def settle(self) -> None:
        """Have everything happen to the hosts that is due by now."""
        for name, work in list(self.going.items()):
            until = min(self.time, work.gone_at)
            back = (ask for at, ask in work.asks if at <= until and isinstance(ask, ev.ObligationClosed))
            self.out.difference_update(ask.host for ask in back if _is_open(work, ask))
            while work.applied < len(work.finished) and work.finished[work.applied][0] <= until:
                if work.went_on(work.finished[work.applied][1].host):
                    self._change(work.order, *work.finished[work.applied])
                work.applied += 1
            if work.gone_at <= self.time:
                del self.going[name]
                if work.status == "timed_out":
                    self.stuck.update(work.hanging)

    def _change(self, order: ev.BatchSubmitted, at: float, event: ev.HostFinished) -> None:
        if order.obligation:
            if event.outcome is Outcome.DONE:
                self.out.discard(event.host)
        elif event.outcome is Outcome.ROLLED_BACK:
            self.changed_at.pop(event.host, None)
        elif event.outcome is Outcome.DONE:
            self.changed_at[event.host] = at

    def begin(self, order: ev.BatchSubmitted) -> Work | None:
        """Start an Ansible process; None when the batch is fenced: it starts nothing."""
        if order.batch in self.fenced:
            self.refused.append(order.batch)
            return None
        if self.onlooker:
            self.onlooker.see_start(self, order)
        fates = {host: self.nature.fate(host, order.procedures, self.time) for host in order.hosts}
        if order.obligation:  # what hung was the change
            fates = {host: replace(fate, hangs=False) for host, fate in fates.items()}
        finished = [(self.time + fate.seconds, host) for host, fate in fates.items() if not fate.hangs]
        hanging = frozenset(host for host, fate in fates.items() if fate.hangs)
        last = max((at for at, _ in finished), default=self.time)
        limit = self.time + self.batch_timeout
        late = bool(hanging) or last > limit
        ends = [(at, finish(order, host, fates[host])) for at, host in sorted(finished) if at <= limit]
        work = Work(
            order,
            self.time,
            ends,
            limit if late else last,
            "timed_out" if late else "ended",
            any(fate.survives for fate in fates.values()),
            hanging,
            [ask for host, fate in fates.items() for ask in _asks(order, host, fate, self.time, limit)],
        )
        self.works[order.batch] = self.going[order.batch] = work
        if Procedure.SETTLE.value in order.procedures:
            self.stuck.difference_update(order.hosts)
        if not is_rollback(order.procedures) and not order.obligation:
            for host in order.hosts:
                self.reached.setdefault(host, self.time)
        return work

    def hear(self, event: Announcement) -> None:
        """Let the host's playbook go on: what it announced is durable. A fenced one goes on with nothing."""
        if event.batch in self.fenced:
            return
        work = self.works[event.batch]
        work.heard.add(event)
        if isinstance(event, ev.ObligationOpened) and event.batch in self.going:
            self.out.add(event.host)

    def end(self, batch: str, at: float) -> None:
        """Have the batch's Ansible process gone at `at`, if it is not gone before."""
        work = self.works[batch]
        if work.gone_at > at:
            work.gone_at, work.status = at, "canceled"

    def collect(self, batch: str) -> tuple[ev.HostFinished, ...]:
        """Fence the batch, see it gone, and return what it left on disk."""
        self.fenced.add(batch)
        work = self.works.get(batch)
        if work is None:
            return ()
        if work.gone_at > self.time:
            self.pass_until(min(work.gone_at, self.time + COLLECT_LIMIT))
            self.end(batch, self.time)
        self.settle()
        return tuple(work.on_disk(self.time))

    def busy_hosts(self) -> dict[str, str]:
        """Return host -> batch for hosts on which something is at work now, also what hangs for ever."""
        busy = dict.fromkeys(self.stuck, "a task that never ends")
        for work in self.flying():
            over = {event.host for event in work.on_disk(self.time)}
            busy |= {host: work.order.batch for host in work.order.hosts if host not in over}
        return busy


def _is_open(work: Work, closed: ev.ObligationClosed) -> bool:
    return ev.ObligationOpened(work.order.batch, closed.host, closed.key, UNDO) in work.heard


def _asks(
    order: ev.BatchSubmitted, host: str, fate: Fate, now: float, limit: float
) -> Iterator[tuple[float, Announcement]]:
    """Yield what the host's playbook announces: right at its begin, and shortly before its good end."""
    if not fate.takes_out or Procedure.APPLY.value not in order.procedures or fate.outcome in _UNTOUCHED:
        return
    yield now, ev.ObligationOpened(order.batch, host, POOL, UNDO)
    at = now + fate.seconds * _BACK_AFTER
    if fate.outcome is Outcome.DONE and not fate.hangs and at <= limit:
        yield at, ev.ObligationClosed(order.batch, host, POOL)


_UNTOUCHED = frozenset({Outcome.NOT_STARTED, Outcome.SKIPPED})
_BACK_AFTER = 0.75


def finish(order: ev.BatchSubmitted, host: str, fate: Fate) -> ev.HostFinished:
    """Return how the host's way through the batch ends."""
    back = is_rollback(order.procedures)
    outcome = fate.undo if order.obligation else fate.rollback if back else fate.outcome
    if outcome in {Outcome.DONE, Outcome.ROLLED_BACK}:
        completed = order.procedures
    else:
        cut = order.procedures.index(fate.fails_at) if fate.fails_at in order.procedures else 0
        completed = order.procedures[:cut]
    return ev.HostFinished(order.batch, host, outcome, completed=completed)
