"""The local executor: one ansible-runner call for each batch, in a thread of its own."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

from wavegate.adapters.executor.batch import RunningBatch
from wavegate.adapters.executor.environment import marker_of
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.leftovers import read_leftovers
from wavegate.adapters.executor.messages import Pins
from wavegate.adapters.executor.private import (
    make_private_folder,
    open_runtime_folder,
    remove_runtime_folder,
)
from wavegate.adapters.executor.processes import GRACE, end_processes, wait_for_processes
from wavegate.adapters.executor.sockets import close_connections
from wavegate.adapters.executor.warm import WarmAnsible
from wavegate.core.events import (
    BatchEnded,
    BatchSubmitted,
    Event,
    HostFinished,
    ObligationClosed,
    ObligationOpened,
    VersionPinned,
)
from wavegate.ports import Report


class LocalExecutor:
    """Implements the port `Executor` on this machine, for one rollout. Safe to use from several threads."""

    def __init__(self, launch: Launch, *, survivor_limit: float = 30.0) -> None:
        """Prepare the rollout's folders; `survivor_limit` is how long `collect` waits, in seconds."""
        self._launch = launch
        self._survivor_limit = survivor_limit
        self._running: dict[str, RunningBatch] = {}
        self._lock = threading.Lock()
        self._pins = Pins()
        make_private_folder(launch.work)
        self._runtime: Path = open_runtime_folder(launch.work)
        self._warm = WarmAnsible(self._runtime)

    def submit(self, order: BatchSubmitted, report: Report) -> None:
        """Start the batch and return at once; raise ValueError when it names no host."""
        if not order.hosts:
            raise ValueError(f"batch {order.batch} names no host")
        batch = RunningBatch(self._launch, order, self._runtime, report, self._forget, self._pins, self._warm)
        with self._lock:
            self._running[order.batch] = batch
        batch.start()

    def cancel(self, batch: str) -> None:
        """Ask for the end of the batch's processes; its BatchEnded follows when they were seen gone."""
        with self._lock:
            running = self._running.get(batch)
        if running is not None:
            running.cancel()

    def collect(self, order: BatchSubmitted) -> tuple[HostFinished, ...]:
        """Return the certain outcomes that a batch of a dead process left on disk."""
        marker = marker_of(self._launch.rollout_id, order.batch)
        folder = BatchFolder.of(self._launch, order.batch)
        wait_for_processes(marker, self._survivor_limit)
        make_private_folder(folder.root)
        folder.fence.touch(mode=0o600)
        wait_for_processes(marker, GRACE)  # it stops by itself before its next task
        outcomes = read_leftovers(self._launch, order, folder)  # before signals make tasks fail
        end_processes(marker)
        return outcomes

    def acknowledge(self, event: Event) -> None:
        """Remove what a batch left on disk as soon as its end is in the journal, and no sooner.

        Tasks that announced something go on when that is in the journal.
        """
        match event:
            case BatchEnded():
                shutil.rmtree(BatchFolder.of(self._launch, event.batch).private, ignore_errors=True)
            case VersionPinned():
                self._pins.confirm(event)
            case ObligationOpened() | ObligationClosed():
                with self._lock:
                    running = self._running.get(event.batch)
                if running is not None:
                    running.acknowledge(event)

    def drain(self) -> None:
        """Wait until no batch runs any more; what they leave on disk stays for the next process."""
        while True:
            with self._lock:
                running = list(self._running.values())
            if not running:
                return
            for batch in running:
                batch.wait()

    def abandon(self) -> None:
        """End what runs; the shared connections are left to the process that has taken over."""
        with self._lock:
            running = list(self._running.values())
        for batch in running:
            batch.cancel()
            batch.wait()
        self._warm.close()

    def close(self) -> None:
        """Close the shared ssh connections and remove their folder; no batch may be running."""
        self._warm.close()
        close_connections(self._runtime)
        remove_runtime_folder(self._launch.work, self._runtime)

    def _forget(self, batch: str) -> None:
        with self._lock:
            self._running.pop(batch, None)
