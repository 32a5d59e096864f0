"""Times of falls by interval-censored Weibull regression, and the numbers of the reward."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.claims.weibull import Fit, jackknife, weibull

Floats = NDArray[np.float64]


def times(rng: np.random.Generator, x: Floats, a: float, b: float, s: float) -> Floats:
    """log T = a + b x + s W, with W of the least extreme value."""
    return np.exp(a + b * x + s * np.log(rng.exponential(size=len(x))))


def between(found: Floats, every: float, end: float) -> tuple[Floats, Floats]:
    """Known to the evaluations around each time; not at all after the end."""
    high = np.where(found <= end, np.ceil(found / every) * every, math.inf)
    return np.where(np.isfinite(high), high - every, end), high


def numbers(fit: Fit) -> tuple[float, ...]:
    return (fit.a, *fit.slopes, fit.s)


def test_the_truth_is_found_through_intervals_and_censoring() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(np.log([1.0, 5.0, 25.0, 100.0]), 400)
    low, high = between(times(rng, x, 3.0, 0.5, 0.4), 10, 150)
    assert 0.1 < np.isinf(high).mean() < 0.6
    fit = weibull(low, high, x)
    assert fit is not None
    assert numbers(fit) == pytest.approx((3.0, 0.5, 0.4), abs=0.05)


def test_without_censoring_it_is_the_known_fit() -> None:
    """Two groups that differ by a factor: the shape is that of scipy's fit to the whole."""
    rng = np.random.default_rng(1)
    found = times(rng, np.zeros(500), 4.0, 0.0, 0.5)
    shape, _, scale = stats.weibull_min.fit(found, floc=0)
    both = np.concatenate([found, 3 * found])
    x = np.repeat([0.0, 1.0], 500)
    fit = weibull(both * (1 - 1e-6), both * (1 + 1e-6), x)
    assert fit is not None
    assert numbers(fit) == pytest.approx((math.log(scale), math.log(3), 1 / shape), abs=1e-3)


def test_no_maximum_is_no_number() -> None:
    """Only one period ever fell: any steeper slope explains that as well."""
    low, high = np.array([0.0, 20.0, 400.0, 400.0]), np.array([20.0, 40.0, math.inf, math.inf])
    assert weibull(low, high, np.array([0.0, 0.0, 1.0, 1.0])) is None
    assert weibull(low[2:], high[2:], np.array([0.0, 1.0])) is None


def test_two_covariates_are_told_apart() -> None:
    rng = np.random.default_rng(2)
    x = np.column_stack([rng.choice(np.log([2, 4, 8, 16]), 2000), rng.normal(0.5, 0.8, 2000)])
    found = times(rng, x @ np.array([-1.0, 0.6]), 6.0, 1.0, 0.3)
    fit = weibull(*between(found, 10, 200), x)
    assert fit is not None
    assert numbers(fit) == pytest.approx((6.0, -1.0, 0.6, 0.3), abs=0.06)
    at = x[:1].repeat(4001, axis=0)
    drawn = times(rng, at @ np.array(fit.slopes), fit.a, 1.0, fit.s)
    assert np.median(drawn) == pytest.approx(fit.median(at)[0], rel=0.05)


def test_covariates_that_go_together_have_no_slopes() -> None:
    rng = np.random.default_rng(3)
    x = np.log(rng.choice([2.0, 4.0, 8.0], 60))
    found = times(rng, x, 4.0, -1.0, 0.3)
    assert weibull(*between(found, 10, 500), np.column_stack([x, 2 * x])) is None


def test_the_jackknife_of_a_mean_is_its_t_interval() -> None:
    values = dict(enumerate([1.0, 2.0, 4.0, 7.0]))
    found = jackknife(lambda seeds: float(np.mean([values[one] for one in seeds])), values)
    assert found is not None
    expected = stats.t.interval(0.95, 3, 3.5, stats.sem([*values.values()]))
    assert (found.low, found.high) == pytest.approx(expected)
