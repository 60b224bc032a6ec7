"""Ansible's `serial` grammar over one wave: an ordered list of hosts becomes batches."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence

from wavegate.core.plan import PlannedBatch
from wavegate.core.quantity import Amount


def make_batches(
    hosts: Sequence[str],
    sizes: Sequence[Amount],
    *,
    in_flight: int | None = None,
    apart: Mapping[str, str] | None = None,
    at_most: int = 1,
) -> tuple[PlannedBatch, ...]:
    """Return the hosts in batches of `sizes`; the last size repeats, a percentage is of the wave, at least 1.

    A batch never holds more than `in_flight` hosts, nor more than `at_most` hosts that share a value of
    `apart`: what does not fit moves to a later batch, keeping the order among the rest.
    """
    remaining = deque(hosts)
    batches = []
    for step, size in _steps(sizes, len(hosts)):
        if not remaining:
            break
        limit = min(size, in_flight) if in_flight else size
        batches.append(PlannedBatch(_take(remaining, limit, apart or {}, at_most), step))
    return tuple(batches)


def _steps(sizes: Sequence[Amount], wave_size: int) -> Iterator[tuple[int, int]]:
    """Yield (step, size) for ever; the last size repeats under its own step."""
    for step, size in enumerate(sizes[:-1]):
        yield step, max(1, size.of(wave_size))
    while True:
        yield len(sizes) - 1, max(1, sizes[-1].of(wave_size))


def _take(remaining: deque[str], limit: int, apart: Mapping[str, str], at_most: int) -> tuple[str, ...]:
    """Take the hosts of one batch out of those that remain."""
    taken: list[str] = []
    passed_over: list[str] = []
    together: Counter[str] = Counter()
    while remaining and len(taken) < limit:
        host = remaining.popleft()
        value = apart.get(host)
        if value is not None and together[value] == at_most:
            passed_over.append(host)
            continue
        if value is not None:
            together[value] += 1
        taken.append(host)
    remaining.extendleft(reversed(passed_over))
    return tuple(taken)
