"""The Mann-Whitney U test, one-sided: whether one sample is larger than another.

Exact where one of the samples is small and no values are tied, otherwise by the normal approximation with the
corrections for ties and for continuity: the same choice, and the same numbers, as scipy's `mannwhitneyu`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

SMALL = 8
"""Up to so many values in the smaller sample, the exact distribution is used (if there are no ties)."""


def p_greater(first: Sequence[float], second: Sequence[float]) -> float:
    """Return how probable it is that `first` looks larger than `second` by chance alone; both have values."""
    u, ties = _statistic(first, second)
    n, m = len(first), len(second)
    if min(n, m) <= SMALL and not ties:
        return _exact(u, n, m)
    return _approximate(u, n, m, ties)


def least_p(n: int, m: int) -> float:
    """Return the smallest value that `p_greater` can have for samples of these sizes, without ties."""
    if min(n, m) <= SMALL:
        return 1 / math.comb(n + m, n)
    return _approximate(float(n * m), n, m, 0)


def _statistic(first: Sequence[float], second: Sequence[float]) -> tuple[float, int]:
    """Return U of the first sample, and the sum of t³ - t over groups of t tied values."""
    pooled = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks, place, ties = 0.0, 0, 0
    for _, group in groupby(pooled, key=lambda entry: entry[0]):
        members = [which for _, which in group]
        size = len(members)
        ranks += members.count(0) * (place + (size + 1) / 2)
        place += size
        ties += size**3 - size
    return ranks - len(first) * (len(first) + 1) / 2, ties


def _exact(u: float, n: int, m: int) -> float:
    """Return P(U >= u): the share of arrangements, counted by the Gaussian binomial coefficient."""
    most = n * m - round(u)  # by symmetry, P(U >= u) = P(U <= nm - u)
    counts = [1] + [0] * most
    for step in range(1, min(n, m) + 1):
        factor = max(n, m) + step
        for power in range(most, factor - 1, -1):
            counts[power] -= counts[power - factor]
        for power in range(step, most + 1):
            counts[power] += counts[power - step]
    return sum(counts) / math.comb(n + m, n)


def _approximate(u: float, n: int, m: int, ties: int) -> float:
    total = n + m
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:  # every value is the same
        return 1.0
    z = (u - n * m / 2 - 0.5) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) / 2
