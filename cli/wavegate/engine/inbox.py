"""Where the world's answers arrive: outcomes of batches, measurements, requests to stop."""

from __future__ import annotations

import queue

from wavegate.core.events import Event


class Inbox:
    """A queue that any thread may fill and the engine empties."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def put(self, event: Event) -> None:
        """Hand in an event; never blocks, never raises."""
        self._queue.put(event)

    def wait(self, seconds: float) -> list[Event]:
        """Return everything that has arrived, waiting at most `seconds` for the first of it."""
        events: list[Event] = []
        try:
            events.append(self._queue.get(timeout=max(0.0, seconds)))
            while True:
                events.append(self._queue.get_nowait())
        except queue.Empty:
            return events
