"""The Mann-Whitney U test against published examples, and against scipy's own results."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from wavegate.core.mann_whitney import least_p, p_greater

MEN, WOMEN = [19, 22, 16, 29, 24], [20, 11, 17, 12]
"""Ages at the diagnosis of diabetes, from scipy's documentation: U = 17, exact two-sided p = 0.111."""
TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLY = [1.15, 0.88, 0.90, 0.74, 1.21]
"""Permeability of the human chorioamnion (Hollander and Wolfe 1973, p. 69 f.), as in R's wilcox.test."""

numbers = st.floats(0, 1000, allow_nan=False)
few_values = st.integers(0, 9).map(float)


def scipy_p(first, second, method="auto"):
    return float(mannwhitneyu(first, second, alternative="greater", method=method).pvalue)


def test_published_examples():
    assert p_greater(TERM, EARLY) == pytest.approx(0.1272, abs=5e-5)
    assert 2 * p_greater(MEN, WOMEN) == pytest.approx(0.1111, abs=5e-5)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (MEN, WOMEN),
        (WOMEN, MEN),
        (TERM, EARLY),
        (EARLY, TERM),
        ([1.0], [2.0]),
        ([1.0] * 12, [1.0] * 12),
        ([1.0, 1.0, 2.0], [1.0, 2.0, 2.0]),
        (list(range(8)), list(range(100, 900))),
        (list(range(9)), list(range(4, 13))),
        ([5.0] * 40 + [6.0], [5.0] * 30 + [4.0]),
    ],
)
def test_it_says_what_scipy_says(first, second):
    assert p_greater(first, second) == pytest.approx(scipy_p(first, second), rel=1e-9, abs=1e-15)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.lists(numbers, min_size=1, max_size=30), st.lists(few_values, min_size=1, max_size=30)),
    st.one_of(st.lists(numbers, min_size=1, max_size=30), st.lists(few_values, min_size=1, max_size=30)),
)
def test_it_says_what_scipy_says_of_any_samples(first, second):
    assert p_greater(first, second) == pytest.approx(scipy_p(first, second), rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 3), (3, 17), (8, 50), (9, 9), (40, 60)])
def test_no_samples_without_ties_reach_less_than_the_least(n, m):
    larger = [1000.0 + place for place in range(n)]
    assert p_greater(larger, [float(place) for place in range(m)]) == pytest.approx(least_p(n, m))
    assert least_p(n, m) == pytest.approx(scipy_p(larger, range(m)))


def test_two_large_samples_take_no_time():
    first, second = [float(n % 97) for n in range(4000)], [float(n % 89) for n in range(4000)]
    assert 0 <= p_greater(first, second) <= 1
