"""Comparing variants: unpaired difference, interquartile mean, probability of improvement, Holm.

The middle two are recommended for few-run comparisons by Agarwal et al. 2021 (arXiv 2108.13264).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, finite_array, probability
from srtbench.stats.intervals import (
    LEVELS,
    Interval,
    analytic_variance,
    build_interval,
    random_levels,
    score_cube,
)
from srtbench.stats.ranges import Bounds, check_bounds


def unpaired_difference(
    first: ArrayLike,
    second: ArrayLike,
    over: Iterable[str] | None = None,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Interval:
    """Mean of ``first`` minus mean of ``second``, of runs that share neither seeds nor prompts.

    The variances of the two means add and so do their degrees of freedom, after Welch 1947
    (Biometrika 34, 28-35); ``p_value`` is that test against 0. Prompts that both sides share make
    it conservative: it cannot use them, :func:`srtbench.stats.paired_difference` can.

    Args:
        first, second: each as :func:`srtbench.stats.mean_interval`; shapes may differ.
        over, level: as there; by default the levels that both sides have two or more units of.
        bounds: range of the difference: ``SHARE_DIFFERENCE`` for accuracies.

    Returns:
        An interval whose ``num_units`` are the smaller side's.

    Raises:
        ValueError: as ``mean_interval``, or no level that both sides have two units of.
    """
    cubes = score_cube(first), score_cube(second)
    smaller = tuple(min(sizes) for sizes in zip(*(cube.shape for cube in cubes), strict=True))
    if over is None:
        over = [name for name, n in zip(LEVELS[:2], smaller, strict=False) if n > 1]
        if not over:
            raise ValueError("both sides need two seeds or two prompts")
    chosen = random_levels(cubes[0], over)
    random_levels(cubes[1], over)
    parts = [analytic_variance(cube, chosen) for cube in cubes]
    total = sum(variance for variance, _ in parts)
    spread = sum(variance**2 / df for variance, df in parts)
    df = total**2 / spread if spread > 0.0 else min(df for _, df in parts)
    extremes = [(float(cube.min()), float(cube.max())) for cube in cubes]
    check_bounds(bounds, extremes[0][0] - extremes[1][1], extremes[0][1] - extremes[1][0])
    return build_interval(
        float(cubes[0].mean() - cubes[1].mean()),
        total,
        df,
        level,
        chosen,
        tuple(smaller[LEVELS.index(name)] for name in chosen),
        bounds=bounds,
        trials=min(cube.size if chosen == ("samples",) else max(cube.shape[:2]) for cube in cubes),
    )


def interquartile_mean(scores: ArrayLike) -> float:
    """Mean of the middle half of all scores, of any shape.

    floor(n / 4) scores are dropped at each end, so below 4 scores it is the mean (Agarwal et al.
    2021, arXiv 2108.13264, section 4.3). Raises ValueError if empty or not finite.
    """
    ordered = np.sort(finite_array(scores, "scores"), axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def probability_of_improvement(
    first: ArrayLike, second: ArrayLike, level: float = 0.95
) -> Interval:
    """P(a run of ``first`` beats a run of ``second``) on a task drawn at random; ties count half.

    The estimate is the Mann-Whitney statistic U / (m n) averaged over tasks (Agarwal et al. 2021,
    arXiv 2108.13264, section 4.3). The interval is over seeds, with the tasks held fixed: Newcombe
    2006 (Statistics in Medicine 25, 559-573, method 5), a score interval that stays honest when
    every run of one side wins. Over several tasks it is conservative: it assumes that tasks of one
    seed rise and fall together.

    Args:
        first: (seeds, tasks) or (seeds,) scores, finite. second: the same tasks, any seeds.
        level: nominal coverage, between 0 and 1.

    Returns:
        An interval whose ``p_value`` tests against 1/2; ``num_units`` is the smaller seed count.

    Raises:
        ValueError: tasks differ, scores are not finite, or either side has fewer than two seeds.
    """
    a, b = _run_scores(first, "first"), _run_scores(second, "second")
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"first has {a.shape[1]} tasks and second {b.shape[1]}")
    m, n = len(a), len(b)
    if min(m, n) < 2:
        raise ValueError(f"an interval over seeds needs two on each side, got {m} and {n}")
    wins = (a[:, None, :] > b[None, :, :]) + 0.5 * (a[:, None, :] == b[None, :, :])
    estimate = float(wins.mean())
    z = NormalDist().inv_cdf(0.5 + probability(level, "level") / 2.0)

    def variance(theta: float) -> float:
        middle = 0.5 * (m + n) - 1.0
        spread = 1.0 + middle * ((1.0 - theta) / (2.0 - theta) + theta / (1.0 + theta))
        return theta * (1.0 - theta) * spread / (m * n)

    def bound(inside: float, outside: float) -> float:
        """Where |theta - estimate| grows to z standard errors, by bisection."""
        for _ in range(100):
            middle = 0.5 * (inside + outside)
            if (middle - estimate) ** 2 <= z * z * variance(middle):
                inside = middle
            else:
                outside = middle
        return 0.5 * (inside + outside)

    z_half = abs(estimate - 0.5) / math.sqrt(variance(0.5))
    return Interval(
        estimate=estimate,
        low=bound(estimate, 0.0),
        high=bound(estimate, 1.0),
        standard_error=math.sqrt(variance(estimate)),
        degrees_of_freedom=math.inf,
        level=level,
        resampled=("seeds",),
        num_units=(min(m, n),),
        num_resamples=0,
        p_value=2.0 * NormalDist().cdf(-z_half),
    )


def holm(p_values: ArrayLike) -> FloatArray:
    """P-values adjusted for testing all of them: reject where the result is below the error rate.

    Sorted p_(1) <= ... <= p_(m) become max over j <= i of (m - j + 1) p_(j), at most 1 (Holm 1979,
    Scandinavian Journal of Statistics 6, 65-70). It bounds the chance of any false claim under any
    dependence; use it whenever more than one pair of variants is compared.

    Args:
        p_values: (m,) numbers in 0..1.

    Raises:
        ValueError: not one-dimensional, empty, or outside 0..1.
    """
    values = finite_array(p_values, "p_values", ndim=1)
    if values.min() < 0.0 or values.max() > 1.0:
        raise ValueError("p_values must lie between 0 and 1")
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _run_scores(scores: ArrayLike, name: str) -> FloatArray:
    array = finite_array(scores, name)
    if array.ndim not in (1, 2):
        raise ValueError(f"{name} must be (seeds, tasks) or (seeds,), got shape {array.shape}")
    return array.reshape(len(array), -1)
