"""Rates: k of n runs, with exact intervals and an exact test of two, and seeds that split.

Whether a seed collapses is a yes or no. A mean over seeds of which some collapsed describes none of
them, and its t interval covers far less than it claims (docs/estimators.md); the number that
collapsed and the mean of the rest do better.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._beta import exact_limits
from srtbench.stats._validate import finite_array, integer_array, probability
from srtbench.stats.intervals import Interval, mean_interval
from srtbench.stats.ranges import SHARE, Bounds


def rate_interval(
    successes: int, trials: int, level: float = 0.95, unit: str = "trials"
) -> Interval:
    """Rate ``successes / trials`` with the exact interval of Clopper and Pearson 1934.

    Each limit is the rate at which a count this far out has probability (1 - level) / 2
    (Biometrika 26, 404-413, by the incomplete beta function). It covers at least ``level`` for
    every rate and any number of independent trials; at few trials more.

    Args:
        successes, trials: whole numbers, 0 <= successes <= trials, trials at least 1.
        level: nominal coverage, between 0 and 1.
        unit: what a trial is, for ``resampled``: "seeds", "runs", ...

    Returns:
        An interval inside [0, 1]; ``standard_error`` is the binomial one, ``p_value`` tests
        against a rate of 0 and is 0 as soon as there is one success.

    Raises:
        ValueError: counts that are not whole, negative, or more successes than trials.
    """
    num_successes, num_trials = _counts(successes, trials)
    low, high = exact_limits(num_successes, num_trials, probability(level, "level"))
    rate = num_successes / num_trials
    return Interval(
        estimate=rate,
        low=low,
        high=high,
        standard_error=math.sqrt(rate * (1.0 - rate) / num_trials),
        degrees_of_freedom=math.inf,
        level=level,
        resampled=(unit,),
        num_units=(num_trials,),
        num_resamples=0,
        p_value=0.0 if num_successes else 1.0,
    )


def fisher_exact(
    first_successes: int, first_trials: int, second_successes: int, second_trials: int
) -> float:
    """Two-sided p-value of Fisher's exact test that two rates are equal.

    Given all successes, the first side's number is hypergeometric; the p-value sums the
    probabilities of every number that is no likelier than the one seen (Fisher 1935, Journal of
    the Royal Statistical Society 98, 39-82; the two-sided rule of R's ``fisher.test``). It is
    computed in whole numbers, so ties are exact.

    Args:
        first_successes, first_trials, second_successes, second_trials: as :func:`rate_interval`.

    Raises:
        ValueError: as :func:`rate_interval`.
    """
    k, m = _counts(first_successes, first_trials)
    other, n = _counts(second_successes, second_trials)
    total = k + other
    ways = [
        math.comb(m, x) * math.comb(n, total - x)
        for x in range(max(0, total - n), min(m, total) + 1)
    ]
    seen = math.comb(m, k) * math.comb(n, other)
    return sum(w for w in ways if w <= seen) / sum(ways)


@dataclass(frozen=True)
class SeedSplit:
    """What became of the seeds of one cell, where some may have collapsed."""

    collapsed: int
    seeds: int
    rate: Interval
    """Share of seeds that collapse, exact, over seeds."""
    survivors: Interval | None
    """Mean of the seeds that did not; over prompts alone where one did. None where no interval
    can be made: no survivor, or one with a single score."""

    def __str__(self) -> str:
        text = (
            f"{self.collapsed} of {self.seeds} collapsed, {100 * self.rate.estimate:.0f}% "
            f"[{100 * self.rate.low:.0f}%, {100 * self.rate.high:.0f}%]"
        )
        return text if self.survivors is None else f"{text}; survivors {self.survivors}"


def seed_split(
    scores: ArrayLike,
    collapsed: ArrayLike,
    over: Iterable[str] | None = None,
    level: float = 0.95,
    bounds: Bounds | None = SHARE,
) -> SeedSplit:
    """k of n seeds collapsed, with its exact interval, and the mean of the survivors apart.

    Args:
        scores: (seeds,), (seeds, prompts) or (seeds, prompts, samples), as
            :func:`srtbench.stats.mean_interval`.
        collapsed: (seeds,) true where the seed collapsed.
        over: levels of the survivors' interval, as ``mean_interval``. Two survivors are too few for
            both levels (docs/estimators.md): over "seeds" alone they cover what they say.
        level: nominal coverage of both intervals.
        bounds: range of ``scores``.

    Raises:
        ValueError: not one flag per seed, or as ``mean_interval``.
    """
    array = finite_array(scores, "scores")
    flags = np.asarray(collapsed, dtype=bool)
    if array.ndim == 0 or flags.shape != array.shape[:1]:
        raise ValueError(f"collapsed {flags.shape} must have one flag per seed of {array.shape}")
    alive = array[~flags]
    survivors = None
    if len(alive) > 1:
        survivors = mean_interval(alive, over, level, bounds)
    elif len(alive) == 1 and array.ndim > 1 and alive.shape[1] > 1:
        survivors = mean_interval(alive, "prompts", level, bounds)
    dead = int(flags.sum())
    return SeedSplit(dead, len(flags), rate_interval(dead, len(flags), level, "seeds"), survivors)


def _counts(successes: int, trials: int) -> tuple[int, int]:
    k, n = (int(value) for value in integer_array([successes, trials], "successes and trials"))
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"need 0 <= successes <= trials and a trial, got {k} of {n}")
    return k, n
