"""Hierarchical bootstrap: intervals of statistics that have no formula, such as the IQM."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray
from srtbench.stats.intervals import (
    LEVELS,
    Interval,
    level_interval,
    random_levels,
    satterthwaite,
    score_cube,
)
from srtbench.stats.ranges import Bounds, check_bounds


def bootstrap_interval(
    scores: ArrayLike,
    statistic: Callable[[FloatArray], float],
    rng: np.random.Generator,
    over: Iterable[str] | None = None,
    level: float = 0.95,
    num_resamples: int = 1000,
    bounds: Bounds | None = None,
) -> Interval:
    """Interval of any statistic of a (seeds, prompts, samples) array by hierarchical bootstrap.

    Whole seeds, whole prompts and then both are drawn with replacement. Drawing both at once counts
    the residual three times where it belongs once (Owen 2007, "The pigeonhole bootstrap",
    doi 10.1214/07-AOAS122), so with E = V_both - V_seeds - V_prompts the variance is
    V_seeds + V_prompts - E, kept at least the larger of the two. Each V is scaled by n / (n - 1)
    for its n units (Hesterberg 2015, arXiv 1411.5279) and they enter a t interval with
    Satterthwaite's degrees of freedom: for the mean this reproduces ``mean_interval``.

    Args:
        scores: as ``mean_interval``.
        statistic: called with a resampled array of the shape given; returns a float.
        rng: source of randomness; the same state gives the same interval.
        over, level: as ``mean_interval``; ``("samples",)`` redraws samples within each prompt.
        num_resamples: draws per set of levels, at least 2; the standard error has a relative
            Monte Carlo error of about 1 / sqrt(2 num_resamples).
        bounds: range of the statistic; the interval stays inside, as ``mean_interval``.

    Raises:
        ValueError: as ``mean_interval``, fewer than 2 resamples, or an estimate out of bounds.
    """
    if num_resamples < 2:
        raise ValueError(f"num_resamples must be at least 2, got {num_resamples}")
    cube = score_cube(scores)
    chosen = random_levels(cube, over)
    given = np.asarray(scores, dtype=np.float64)

    def variance(axes: tuple[int, ...]) -> float:
        draws = [statistic(_resample(given, axes, rng)) for _ in range(num_resamples)]
        return float(np.var(np.asarray(draws, dtype=np.float64), ddof=1))

    axes = [LEVELS.index(name) for name in chosen]
    n = {axis: cube.shape[axis] for axis in axes}
    raw = {axis: variance((axis,)) for axis in axes}
    single = {axis: raw[axis] * n[axis] / (n[axis] - 1) for axis in axes}
    if len(axes) == 1:
        total = single[axes[0]]
        df = float(n[axes[0]] - 1) if axes != [2] else float(cube[:, :, 0].size * (n[2] - 1))
    else:
        shrink = math.prod((n[axis] - 1) / n[axis] for axis in axes)
        residual = max(0.0, variance(tuple(axes)) - sum(raw.values())) / shrink
        total = max(sum(single.values()) - residual, *single.values())
        df = satterthwaite(total, [(single[axis], n[axis] - 1) for axis in axes], residual)
    estimate = float(statistic(given))
    check_bounds(bounds, estimate, estimate)
    return level_interval(estimate, total, df, level, cube, chosen, num_resamples, bounds)


def _resample(scores: FloatArray, axes: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    for axis in axes:
        n = scores.shape[axis]
        if axis == 2:
            picks = rng.integers(n, size=scores.shape)
            scores = np.take_along_axis(scores, picks, axis=2)
        else:
            scores = np.take(scores, rng.integers(n, size=n), axis=axis)
    return scores
