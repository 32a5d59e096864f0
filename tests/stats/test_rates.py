"""Exact intervals and tests of rates against sums of binomials and enumeration of every table."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import fisher_exact, mean_interval, rate_interval, seed_split


def at_least(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p), term by term."""
    return math.fsum(math.comb(n, x) * p**x * (1 - p) ** (n - x) for x in range(k, n + 1))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 37])
def test_each_limit_leaves_half_the_error_in_its_tail(n: int, level: float) -> None:
    """The definition of Clopper and Pearson, checked with binomial tails for every count."""
    tail = (1 - level) / 2
    for k in range(n + 1):
        found = rate_interval(k, n, level)
        assert found.estimate == k / n
        if k > 0:
            assert at_least(k, n, found.low) == pytest.approx(tail, rel=1e-9)
        if k < n:
            assert 1 - at_least(k + 1, n, found.high) == pytest.approx(tail, rel=1e-9)
        assert (found.low == 0.0) == (k == 0)
        assert (found.high == 1.0) == (k == n)


def test_published_values() -> None:
    """Rule of three and the tables of Clopper and Pearson."""
    table = {
        (0, 10): (0.0, 0.30850),
        (1, 10): (0.00253, 0.44502),
        (5, 10): (0.18709, 0.81291),
        (3, 3): (0.29240, 1.0),
        (5, 5): (0.47818, 1.0),
    }
    for (k, n), limits in table.items():
        found = rate_interval(k, n)
        assert (found.low, found.high) == pytest.approx(limits, abs=1e-5)
    assert rate_interval(0, 3_000_000).high == pytest.approx(-math.log(0.025) / 3e6, rel=1e-5)
    assert str(rate_interval(2, 10, unit="seeds")) == "0.200 [0.025, 0.556] (95% over 10 seeds)"


@given(st.data(), st.integers(1, 60))
def test_intervals_are_mirrored_and_move_with_the_count(data: st.DataObject, n: int) -> None:
    k = data.draw(st.integers(0, n))
    found, mirrored = rate_interval(k, n), rate_interval(n - k, n)
    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
    assert (found.low, found.high) == pytest.approx((1 - mirrored.high, 1 - mirrored.low))
    if k < n:
        above = rate_interval(k + 1, n)
        assert above.low > found.low
        assert above.high > found.high


@pytest.mark.parametrize("n", [3, 5, 10])
def test_rate_interval_covers_at_least_its_level_for_every_rate(n: int) -> None:
    """Coverage is a finite sum, so no simulation: at least 95% wherever one looks."""
    intervals = [rate_interval(k, n) for k in range(n + 1)]
    for p in np.linspace(0.0, 1.0, 201):
        covered = math.fsum(
            math.comb(n, k) * p**k * (1 - p) ** (n - k)
            for k, found in enumerate(intervals)
            if found.low <= p <= found.high
        )
        assert covered >= 0.95


@pytest.mark.parametrize(("m", "n"), [(1, 1), (2, 3), (3, 3), (4, 2), (5, 4)])
def test_fisher_is_the_permutation_test(m: int, n: int) -> None:
    """Deal the successes to the runs in every way; count deals no likelier than the one seen."""
    for k in range(m + 1):
        for other in range(n + 1):
            deals = [
                sum(run < m for run in successes)
                for successes in combinations(range(m + n), k + other)
            ]
            how_often = {count: deals.count(count) for count in set(deals)}
            expected = sum(times for times in how_often.values() if times <= how_often[k])
            assert fisher_exact(k, m, other, n) == pytest.approx(expected / len(deals), rel=1e-12)


def test_fisher_by_hand() -> None:
    assert fisher_exact(3, 4, 1, 4) == pytest.approx(34 / 70)  # the lady tasting tea, two-sided
    assert fisher_exact(0, 5, 0, 5) == 1.0
    assert fisher_exact(10, 10, 0, 10) == pytest.approx(2 / math.comb(20, 10))
    assert fisher_exact(2, 9, 7, 8) == fisher_exact(7, 8, 2, 9)


def power(first: float, second: float, seeds: int) -> float:
    """Chance that Fisher's test tells two collapse rates apart at 5%, over all pairs of counts."""

    def chance(k: int, rate: float) -> float:
        return math.comb(seeds, k) * rate**k * (1 - rate) ** (seeds - k)

    return math.fsum(
        chance(i, first) * chance(j, second)
        for i in range(seeds + 1)
        for j in range(seeds + 1)
        if fisher_exact(i, seeds, j, seeds) < 0.05
    )


@pytest.mark.parametrize(("first", "second", "seeds"), [(0.85, 0.05, 7), (0.67, 0.05, 11)])
def test_seeds_that_a_comparison_of_collapse_rates_needs(
    first: float, second: float, seeds: int
) -> None:
    assert power(first, second, seeds) >= 0.8 > power(first, second, seeds - 1)


def test_seeds_that_split_are_counted_and_the_survivors_averaged() -> None:
    scores = np.array([0.9, 0.01, 0.92, 0.91, 0.0])
    split = seed_split(scores, scores < 0.5)
    assert (split.collapsed, split.seeds) == (2, 5)
    assert split.rate == rate_interval(2, 5, unit="seeds")
    assert split.survivors == mean_interval(scores[[0, 2, 3]], bounds=(0, 1))
    assert str(split) == (
        "2 of 5 collapsed, 40% [5%, 85%]; survivors 0.910 [0.882, 0.932] (95% over 3 seeds)"
    )


def test_survivors_need_something_to_vary() -> None:
    table = np.random.default_rng(0).random((3, 20))
    assert seed_split([0.0, 0.0], [True, True]).survivors is None
    assert seed_split([0.0, 0.9], [True, False]).survivors is None
    alone = seed_split(table, [True, False, True]).survivors
    assert alone is not None
    assert alone.resampled == ("prompts",)
    both = seed_split(table, [True, False, False]).survivors
    assert both is not None
    assert both.num_units == (2, 20)
    seeds = seed_split(table, [True, False, False], over="seeds").survivors
    assert seeds == mean_interval(table[1:], over="seeds", bounds=(0, 1))
    assert str(seed_split([0.0, 0.9], [1, 0])) == "1 of 2 collapsed, 50% [1%, 99%]"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rate_interval(3, 2), "3 of 2"),
        (lambda: rate_interval(0, 0), "0 of 0"),
        (lambda: rate_interval(-1, 2), "-1 of 2"),
        (lambda: rate_interval(1.5, 2), "integers"),  # type: ignore[arg-type]
        (lambda: rate_interval(1, 2, 95), "level"),
        (lambda: fisher_exact(1, 2, 3, 2), "3 of 2"),
        (lambda: seed_split([0.5, 0.6], [True]), "one flag per seed"),
        (lambda: seed_split([0.5, 1.6, 0.2], [False] * 3), "leave the bounds"),
    ],
)
def test_errors_name_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
