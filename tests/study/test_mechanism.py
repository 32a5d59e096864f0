"""Times of falls by interval-censored Weibull regression, and the numbers of the reward."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.claims.mechanism import weibull

Floats = NDArray[np.float64]


def times(rng: np.random.Generator, x: Floats, a: float, b: float, s: float) -> Floats:
    """log T = a + b x + s W, with W of the least extreme value."""
    return np.exp(a + b * x + s * np.log(rng.exponential(size=len(x))))


def between(found: Floats, every: float, end: float) -> tuple[Floats, Floats]:
    """Known to the evaluations around each time; not at all after the end."""
    high = np.where(found <= end, np.ceil(found / every) * every, math.inf)
    return np.where(np.isfinite(high), high - every, end), high


def test_the_truth_is_found_through_intervals_and_censoring() -> None:
    rng = np.random.default_rng(0)
    x = np.repeat(np.log([1.0, 5.0, 25.0, 100.0]), 400)
    low, high = between(times(rng, x, 3.0, 0.5, 0.4), 10, 150)
    assert 0.1 < np.isinf(high).mean() < 0.6
    fit = weibull(low, high, x)
    assert fit is not None
    assert fit == pytest.approx((3.0, 0.5, 0.4), abs=0.05)


def test_without_censoring_it_is_the_known_fit() -> None:
    """Two groups that differ by a factor: the shape is that of scipy's fit to the whole."""
    rng = np.random.default_rng(1)
    found = times(rng, np.zeros(500), 4.0, 0.0, 0.5)
    shape, _, scale = stats.weibull_min.fit(found, floc=0)
    both = np.concatenate([found, 3 * found])
    x = np.repeat([0.0, 1.0], 500)
    fit = weibull(both * (1 - 1e-6), both * (1 + 1e-6), x)
    assert fit == pytest.approx((math.log(scale), math.log(3), 1 / shape), abs=1e-3)


def test_no_maximum_is_no_number() -> None:
    """Only one period ever fell: any steeper slope explains that as well."""
    low, high = np.array([0.0, 20.0, 400.0, 400.0]), np.array([20.0, 40.0, math.inf, math.inf])
    assert weibull(low, high, np.array([0.0, 0.0, 1.0, 1.0])) is None
    assert weibull(low[2:], high[2:], np.array([0.0, 1.0])) is None
