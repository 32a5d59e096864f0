"""Intervals that say what was resampled: seeds, prompts and samples are separate levels.

With a handful of seeds a percentile bootstrap covers far less than it claims (Hesterberg 2015,
arXiv 1411.5279), so every interval here is ``estimate -/+ t * standard error`` with degrees of
freedom that follow from the number of units. Given the range of the quantity, it is that on the
logit scale and never leaves the range. Simulated coverage is in docs/estimators.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, finite_array, probability
from srtbench.stats.ranges import Bounds, check_bounds, t_limits

LEVELS = ("seeds", "prompts", "samples")


@dataclass(frozen=True)
class Interval:
    """An estimate with its interval, and what that interval is over.

    ``resampled`` names the levels treated as random draws from a larger population: the interval
    says what other such seeds or prompts would give. Levels not named are held fixed.
    """

    estimate: float
    low: float
    high: float
    standard_error: float
    degrees_of_freedom: float
    level: float
    resampled: tuple[str, ...]
    num_units: tuple[int, ...]
    """How many units each level in ``resampled`` had."""
    num_resamples: int
    """Bootstrap resamples behind the standard error; 0 where it is a formula."""
    p_value: float
    """Two-sided, against an estimate of 0. Meaningful for differences, where it is below
    1 - ``level`` if the interval excludes 0, and only then."""

    def __str__(self) -> str:
        over = ", ".join(
            f"{n} {name}" for n, name in zip(self.num_units, self.resampled, strict=True)
        )
        return (
            f"{self.estimate:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.level:.0%} over {over})"
        )


def mean_interval(
    scores: ArrayLike,
    over: Iterable[str] | None = None,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Interval:
    """Mean score with an interval over seeds, prompts or both; the default choice.

    Seeds and prompts are crossed random effects. With mean squares between seeds A, between prompts
    B and residual E of a (S seeds, P prompts) table, Var(mean) = (A + B - E) / (S P), kept at least
    max(A, B) / (S P); degrees of freedom after Satterthwaite 1946 (Brennan 2001, Generalizability
    Theory). Over one level alone it is the t interval of that level's means. Sampling
    noise is part of every score, so it is always included in intervals over seeds or prompts.

    It is made for seeds that differ by degrees. Where some collapse and others do not, the mean
    describes neither: use :func:`srtbench.stats.seed_split`.

    Args:
        scores: (seeds,), (seeds, prompts) or (seeds, prompts, samples), any unit, finite; every
            seed has the same prompts in the same order. One seed: shape (1, prompts).
        over: levels that are random, of "seeds", "prompts", "samples". By default seeds and prompts
            as far as there are two or more. ``("samples",)`` alone holds seeds and prompts fixed.
        level: nominal coverage, between 0 and 1.
        bounds: range of the quantity, such as ``SHARE`` for an accuracy or ``SHARE_DIFFERENCE``:
            the interval is then made on the logit scale and stays inside (:mod:`.ranges`). Where
            every score is at one bound it is the exact interval of as many trials as there are
            seeds or prompts, whichever are more (all samples if over samples).

    Raises:
        ValueError: bad shape, NaN, an unknown level, a level with a single unit, or scores out of
            bounds.
    """
    cube = score_cube(scores)
    check_bounds(bounds, float(cube.min()), float(cube.max()))
    chosen = random_levels(cube, over)
    variance, df = analytic_variance(cube, chosen)
    return level_interval(float(cube.mean()), variance, df, level, cube, chosen, 0, bounds)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    over: Iterable[str] | None = None,
    level: float = 0.95,
    bounds: Bounds | None = None,
) -> Interval:
    """Mean of ``first - second``, paired by seed and prompt (and sample axis averaged out).

    Pairing removes what the two variants share: prompt difficulty and the seed's warm start. The
    interval is :func:`mean_interval` of the differences, ``p_value`` its two-sided test against 0.

    Args:
        first, second: (seeds, prompts) or as :func:`mean_interval`; entry [s, p] of both must be
            the same seed and prompt. Trailing sample axes may differ in length.
        over, level: as :func:`mean_interval`; over samples alone is not defined for a pair.
        bounds: range of the difference: ``SHARE_DIFFERENCE`` for accuracies.

    Raises:
        ValueError: seeds or prompts differ in number, or as :func:`mean_interval`.
    """
    a, b = score_cube(first), score_cube(second)
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"cannot pair (seeds, prompts) {a.shape[:2]} with {b.shape[:2]}")
    return mean_interval(a.mean(axis=2) - b.mean(axis=2), over, level, bounds)


def clustered_standard_error(values: ArrayLike, clusters: ArrayLike) -> float:
    """Standard error of the mean of values that come in clusters, e.g. completions by prompt.

    sqrt(C / (C - 1) * sum over clusters of (sum of deviations)^2) / n: Miller 2024, "Adding error
    bars to evals" (arXiv 2411.00640), with the usual factor for C clusters.

    Args:
        values: (n,) floats. clusters: (n,) labels of any sortable type.

    Raises:
        ValueError: unequal lengths, NaN, or fewer than two clusters.
    """
    return math.sqrt(_clustered_variance(values, clusters)[0])


def clustered_interval(
    values: ArrayLike, clusters: ArrayLike, level: float = 0.95, bounds: Bounds | None = None
) -> Interval:
    """Mean of unbalanced, nested data with a t interval over clusters (clusters - 1 df).

    Use it where prompts have unequal numbers of completions; arguments and errors as
    :func:`clustered_standard_error`. ``resampled`` reads ("clusters",). ``bounds`` as
    :func:`mean_interval`, a cluster being a trial where every value is at one bound.
    """
    variance, num_clusters = _clustered_variance(values, clusters)
    array = np.asarray(values, dtype=np.float64)
    check_bounds(bounds, float(array.min()), float(array.max()))
    return build_interval(
        float(array.mean()),
        variance,
        num_clusters - 1,
        level,
        ("clusters",),
        (num_clusters,),
        bounds=bounds,
        trials=num_clusters,
    )


def _clustered_variance(values: ArrayLike, clusters: ArrayLike) -> tuple[float, int]:
    array = finite_array(values, "values", ndim=1)
    labels = np.asarray(clusters)
    if labels.shape != array.shape:
        raise ValueError(f"clusters {labels.shape} and values {array.shape} differ in shape")
    _, index = np.unique(labels, return_inverse=True)
    sums = np.bincount(index, weights=array - array.mean())
    if len(sums) < 2:
        raise ValueError("a standard error over clusters needs at least two clusters")
    scale = len(sums) / (len(sums) - 1) / array.size**2
    return float(np.sum(sums**2) * scale), len(sums)


def score_cube(scores: ArrayLike) -> FloatArray:
    array = finite_array(scores, "scores")
    if array.ndim not in (1, 2, 3):
        raise ValueError(
            f"scores must be (seeds,), (seeds, prompts) or (seeds, prompts, samples); "
            f"got shape {array.shape}"
        )
    return array.reshape(array.shape + (1,) * (3 - array.ndim))


def random_levels(cube: FloatArray, over: Iterable[str] | None) -> tuple[str, ...]:
    """The levels to treat as random, in the order of LEVELS."""
    if isinstance(over, str):
        over = (over,)
    if over is None:
        chosen = {name for name, n in zip(LEVELS[:2], cube.shape, strict=False) if n > 1}
        if not chosen:
            raise ValueError("one seed and one prompt have no spread; pass over=('samples',)")
    else:
        chosen = set(over)
    if not chosen or not chosen <= set(LEVELS):
        raise ValueError(f"over must name some of {LEVELS}, got {sorted(chosen)}")
    for name, n in zip(LEVELS, cube.shape, strict=True):
        if name in chosen and n < 2:
            raise ValueError(f"an interval over {name} needs at least two {name}, got {n}")
    if len(chosen) > 1:
        chosen -= {"samples"}  # already inside every seed's and prompt's score
    return tuple(name for name in LEVELS if name in chosen)


def analytic_variance(cube: FloatArray, chosen: tuple[str, ...]) -> tuple[float, float]:
    """Variance of the mean of (seeds, prompts, samples) and its degrees of freedom."""
    table = cube.mean(axis=2)
    num_seeds, num_prompts = table.shape
    if chosen == ("samples",):
        num_samples = cube.shape[2]
        within = float(cube.var(axis=2, ddof=1).mean())
        return within / cube.size, float(table.size * (num_samples - 1))
    by_seed, by_prompt = table.mean(axis=1), table.mean(axis=0)
    if chosen == ("seeds",):
        return float(by_seed.var(ddof=1)) / num_seeds, float(num_seeds - 1)
    if chosen == ("prompts",):
        return float(by_prompt.var(ddof=1)) / num_prompts, float(num_prompts - 1)
    seeds = float(by_seed.var(ddof=1)) / num_seeds
    prompts = float(by_prompt.var(ddof=1)) / num_prompts
    deviations = table - by_seed[:, None] - by_prompt[None, :] + table.mean()
    freedom = (num_seeds - 1) * (num_prompts - 1)
    residual = float(np.sum(deviations**2)) / freedom / table.size
    total = max(seeds + prompts - residual, seeds, prompts)
    parts = [(seeds, num_seeds - 1), (prompts, num_prompts - 1)]
    return total, satterthwaite(total, parts, residual)


def satterthwaite(total: float, parts: list[tuple[float, int]], residual: float) -> float:
    """Degrees of freedom of a sum of two mean squares less the residual's."""
    freedoms = [freedom for _, freedom in parts]
    spread = sum(value**2 / freedom for value, freedom in parts)
    spread += residual**2 / math.prod(freedoms)
    return max(total**2 / spread, float(min(freedoms))) if spread > 0 else float(min(freedoms))


def level_interval(
    estimate: float,
    variance: float,
    df: float,
    level: float,
    cube: FloatArray,
    chosen: tuple[str, ...],
    num_resamples: int,
    bounds: Bounds | None = None,
) -> Interval:
    """An interval over the levels ``chosen`` of a (seeds, prompts, samples) cube."""
    units = tuple(cube.shape[LEVELS.index(name)] for name in chosen)
    return build_interval(
        estimate,
        variance,
        df,
        level,
        chosen,
        units,
        num_resamples=num_resamples,
        bounds=bounds,
        trials=cube.size if chosen == ("samples",) else max(cube.shape[:2]),
    )


def build_interval(
    estimate: float,
    variance: float,
    df: float,
    level: float,
    resampled: tuple[str, ...],
    num_units: tuple[int, ...],
    *,
    num_resamples: int = 0,
    bounds: Bounds | None = None,
    trials: int = 1,
) -> Interval:
    """A t interval, inside ``bounds`` where they are given; see :func:`.ranges.t_limits`."""
    error = math.sqrt(variance)
    low, high, p_value = t_limits(estimate, error, df, probability(level, "level"), bounds, trials)
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        standard_error=error,
        degrees_of_freedom=df,
        level=level,
        resampled=resampled,
        num_units=num_units,
        num_resamples=num_resamples,
        p_value=p_value,
    )
