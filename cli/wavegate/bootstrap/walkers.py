"""Simulated rollouts on all cores: each depends on its number alone, so it is the same in any process."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

from wavegate.simulation.study import Trial, Walk, walk_here

WORTH_PROCESSES = 200_000
"""Hosts to be walked from which on processes save more time than their start takes (some 0.5 s)."""
MOST_AT_ONCE = 16
"""A process is given so many walks at once at most: Ctrl-C waits for them."""

_trial: Trial | None = None


def walk_on_all_cores(trial: Trial, wanted: Sequence[tuple[str, int]]) -> Iterator[Walk]:
    """Yield the walks in the order in which they are wanted; Ctrl-C ends the processes that walk."""
    cores = min(len(os.sched_getaffinity(0)), len(wanted))
    if cores == 1 or len(wanted) * sum(len(wave.hosts) for wave in trial.plan.waves) < WORTH_PROCESSES:
        with _no_collections():
            yield from walk_here(trial, wanted)
        return
    # Not forked: this process may have threads, which draw what is shown of the progress.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(cores, mp_context=context, initializer=_begin, initargs=(trial,))
    try:
        with _not_to_be_interrupted():
            walks = pool.map(_walk, wanted, chunksize=max(1, min(MOST_AT_ONCE, len(wanted) // 100)))
        yield from walks
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(trial: Trial) -> None:
    """Make this process one that walks."""
    global _trial  # noqa: PLW0603 - a process of a pool has no other place to remember something
    gc.disable()
    _trial = trial


def _walk(wanted: tuple[str, int]) -> Walk:
    assert _trial  # noqa: S101 - _begin was called in this process
    return _trial.walk(*wanted)


@contextmanager
def _not_to_be_interrupted() -> Iterator[None]:
    """Have the processes that are started in the block leave Ctrl-C to the one that waits for them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _no_collections() -> Iterator[None]:
    """Keep Python from looking for cycles, which walks have none of: that is half of the time otherwise."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
