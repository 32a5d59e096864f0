"""When runs fall: interval-censored Weibull regression, and its jackknife over seeds."""

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from srtbench.analysis.effects import Effect, effect

FEWEST = 2
"""Runs that must have fallen for each number of the fit; with one covariate, at each of two values
of it."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Fit:
    """log T = a + slopes . x + s W, W of the least extreme value."""

    a: float
    slopes: tuple[float, ...]
    s: float

    def median(self, x: Floats) -> Floats:
        """Steps by which half of the runs at (..., covariates) have fallen."""
        centre = self.a + np.asarray(x) @ np.array(self.slopes)
        return np.exp(centre + self.s * math.log(math.log(2)))


def weibull(low: Floats, high: Floats, x: Floats) -> Fit | None:
    """Interval-censored Weibull regression.

    The likelihood of a run is S(low) - S(high) with S(t) = exp(-exp((log t - a - b x) / s)), the
    accelerated failure time form (Kalbfleisch and Prentice 2002, sections 3.2 and 3.5).

    Args:
        low: (runs,) steps at which a run still stood, 0 or more.
        high: (runs,) steps at which it had fallen; infinite: it did not.
        x: (runs,) the covariate, or (runs, covariates).

    Returns:
        None where the likelihood has no maximum, or too few runs fell (`FEWEST`).
    """
    table = x[:, None] if x.ndim == 1 else x
    fell = np.isfinite(high)
    if not _enough(table[fell]):
        return None

    def cost(parameters: Floats) -> float:
        centre = parameters[0] + table @ parameters[1:-1]
        with np.errstate(all="ignore"):
            scale = np.exp(parameters[-1])
            stands = np.where(low > 0, np.exp(-np.exp((_log(low) - centre) / scale)), 1.0)
            gone = np.where(fell, np.exp(-np.exp((_log(high) - centre) / scale)), 0.0)
            total = -np.log(np.maximum(stands - gone, 1e-300)).sum()
        return float(total) if np.isfinite(total) else 1e9

    middle = _log(0.5 * (low + np.where(fell, high, low)) + 1.0)
    begin = np.array([float(middle.mean()), *([0.0] * table.shape[1]), 0.0])
    options = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 20_000, "maxfev": 20_000}
    result = minimize(cost, begin, method="Nelder-Mead", options=options)
    result = minimize(cost, result.x, method="Nelder-Mead", options=options)
    a, *slopes, log_s = (float(value) for value in result.x)
    if not result.success or max(map(abs, slopes)) > 10 or not -8 < log_s < 4:
        return None
    return Fit(a, tuple(slopes), math.exp(log_s))


def jackknife(
    estimate: Callable[[Collection[int]], float | None], seeds: Collection[int]
) -> Effect | None:
    """An estimate of all seeds, with the interval of its pseudo-values over seeds.

    Those are n e - (n - 1) e_i, e_i the estimate without seed i (Tukey 1958, Annals of Mathematical
    Statistics 29, 614; Efron and Tibshirani 1993, chapter 11). Without an interval where an
    estimate without one of the seeds does not exist, or there are fewer than three.
    """
    ordered, n = sorted(seeds), len(seeds)
    whole = estimate(ordered)
    parts = [estimate([seed for seed in ordered if seed != one]) for one in ordered]
    if whole is None or n < 3 or any(part is None for part in parts):
        return None if whole is None else Effect(_rounded(whole))
    pseudo = [_rounded(n * whole - (n - 1) * part) for part in parts if part is not None]
    return effect(pseudo, None)


def _enough(fallen: Floats) -> bool:
    """Whether runs that fell, (runs, covariates), tell the covariates apart."""
    runs, covariates = fallen.shape
    if covariates == 1:
        counts = np.unique(fallen, return_counts=True)[1]
        return bool((counts >= FEWEST).sum() >= 2)
    design = np.column_stack([np.ones(runs), fallen])
    return runs >= FEWEST * (covariates + 1) and np.linalg.matrix_rank(design) == covariates + 1


def _log(values: Floats) -> Floats:
    return np.log(np.maximum(values, 1e-9))


def _rounded(value: float) -> float:
    """To what is printed: the last digits of a search are not the same on every machine."""
    return round(value, 4)
