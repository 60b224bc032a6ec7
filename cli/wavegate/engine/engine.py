"""The loop that walks one rollout: fold, decide, write the intent, act, write the outcome.

It holds no decision of its own: `core.decide` says what happens next, the ports do it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.decide import decide, is_waiting, open_gate, wakes_at
from wavegate.core.folding import fold
from wavegate.core.outcomes import WALKING, Status
from wavegate.core.plan import Plan
from wavegate.core.requests import receive
from wavegate.core.state import BatchState, State
from wavegate.engine.inbox import Inbox
from wavegate.ports import Clock, Executor, Journal, Prober, Signatures

HEARTBEAT_SECONDS = 5.0
LOOK_SECONDS = 1.0
"""How often the engine looks for what other processes ask of it, while nothing else happens."""


class Watcher(Protocol):
    """Somebody who looks on; may not raise, and may not touch the state."""

    def show(self, record: ev.Record, state: State) -> None:
        """Show an event that has just become durable."""
        ...

    def settle(self, state: State, now: float) -> None:
        """Look at where things stand while the engine waits for the world."""
        ...


class Engine(Struct, kw_only=True):
    """One walk of one rollout by one process, which holds the rollout's lease."""

    rollout_id: str
    plan: Plan
    journal: Journal
    executor: Executor
    prober: Prober
    clock: Clock
    inbox: Inbox
    watcher: Watcher
    signatures: Signatures | None = None
    """Who tells whether a signed vote holds; without it, none does."""
    stays: bool = True
    """Whether it stays while only time can bring the rollout on; otherwise it leaves it waiting."""
    look_seconds: float = LOOK_SECONDS
    state: State = field(default_factory=State)
    _beat_at: float = 0.0
    _looked_at: float = 0.0

    def start(self, by: str) -> State:
        """Begin the rollout and stay until it is closed, held or interrupted; return where it stands."""
        self._write([ev.RolloutStarted(self.plan.name, self.plan.hash, by)])
        return self._walk()

    def resume(self, by: str, before: Sequence[ev.Event] = ()) -> State:
        """Account for what a dead process left in flight, then go on as `start` does.

        `before` is what a person wants first: hosts done again, skipped or put back, or the end. What the
        state has folded already is not read again.
        """
        fold(self.state, self.journal.read(self.rollout_id, self.state.seq))
        for pinned in self.state.pins.values():
            self.executor.acknowledge(pinned)
        for name, batch in list(self.state.in_flight.items()):
            order = ev.BatchSubmitted(name, batch.wave, batch.index, batch.hosts, batch.procedures)
            known = [found for found in self.executor.collect(order) if self._is_news(batch, found)]
            lost = ev.BatchEnded(name, "lost", "the process that ran this batch died before it ended")
            self._write([*known, lost])
        self._write([ev.RolloutResumed(by), *before])
        return self._walk()

    def _is_news(self, batch: BatchState, found: ev.HostFinished) -> bool:
        """Whether the journal does not hold this host's outcome already."""
        if batch.obligation:
            taken_out = self.state.obligations.get((found.host, batch.obligation))
            return taken_out is not None and not taken_out.failed
        return self.state.host(found.host).outcome is None

    def _walk(self) -> State:
        while True:
            self._advance()
            if self.state.status not in WALKING:
                return self.state
            self.watcher.settle(self.state, self.clock.now())
            arrived = self.inbox.wait(self._patience())
            if arrived:
                self._write(arrived)
            self._say_alive()
            self._take_requests()

    def _advance(self) -> None:
        """Write and act until only the world or time can change the decision."""
        while events := decide(self.plan, self.state, self._look()):
            self._write(events)
        if not self.stays and is_waiting(self.plan, self.state):
            self._write([ev.RolloutPaused(Status.WAITING, self._tell_wait())])

    def _look(self) -> float:
        self._looked_at = self.clock.now()
        return self._looked_at

    def _tell_wait(self) -> str:
        gate = open_gate(self.plan, self.state)
        return f"gate {gate.gate} goes on looking, and nobody stays with it" if gate else ""

    def _patience(self) -> float:
        """Return how many seconds may pass before the decision must be looked at again.

        A time that had come when it was last looked at changes nothing: what is in flight has to end first.
        """
        now = self.clock.now()
        wake = wakes_at(self.plan, self.state, now)
        if wake is None or wake <= self._looked_at:
            return self.look_seconds
        return min(self.look_seconds, wake - now)

    def _write(self, events: Sequence[ev.Event]) -> None:
        """Make the events durable, then fold, show and act on them: nothing is done that is not written."""
        records = self.journal.append(self.rollout_id, self.state.seq, events, self.clock.now())
        for record in records:
            fold(self.state, (record,))
            self.watcher.show(record, self.state)
        for record in records:
            self._act(record.event)
            self.executor.acknowledge(record.event)

    def _act(self, event: ev.Event) -> None:
        match event:
            case ev.BatchSubmitted():
                self.executor.submit(event, self.inbox.put)
            case ev.SweepStarted():
                self.prober.measure(event, self.plan.probes[event.probe], self.inbox.put)
            case ev.StopRequested(now=True):
                for batch in list(self.state.in_flight):
                    self.executor.cancel(batch)

    def _take_requests(self) -> None:
        """Make what other processes asked for events of the rollout."""
        requests = self.journal.requests(self.rollout_id)
        for request in requests:
            asked = receive(self.plan, self.state, request.event, self.clock.now(), self._find_fault)
            if asked:
                self._write([asked])
        if requests:
            self.journal.forget_requests(requests)

    def _find_fault(self, vote: ev.VoteCast) -> str:
        return self.signatures.find_fault(vote) if self.signatures else "nobody here can verify signatures"

    def _say_alive(self) -> None:
        now = self.clock.now()
        if abs(now - self._beat_at) >= HEARTBEAT_SECONDS:
            self.journal.heartbeat(self.rollout_id, now)
            self._beat_at = now
