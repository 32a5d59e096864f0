"""Effects with 95% intervals from tables of scores; every interval says what it is over."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from srtbench.stats import mean_interval

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """A measured number with its 95% interval; low and high are None where nothing varies."""

    value: float
    low: float | None
    high: float | None
    seeds: int
    prompts: int | None
    """Prompts that the interval is over; None: it is over seeds alone."""

    @property
    def over(self) -> str:
        """What the interval is over, in words."""
        if self.low is None:
            return "no interval"
        parts = [_count(self.seeds, "seed")] if self.seeds > 1 else []
        parts += [_count(self.prompts, "prompt")] if (self.prompts or 0) > 1 else []
        return " and ".join(parts)


def over_both(table: Any) -> Effect | None:
    """Mean of (seeds, prompts) over seeds and prompts; over prompts alone with one seed."""
    scores = np.asarray(table, dtype=np.float64)
    if scores.size == 0:
        return None
    seeds, prompts = scores.shape
    if seeds == 1 and prompts == 1:
        return Effect(float(scores[0, 0]), None, None, 1, None)
    found = mean_interval(scores)
    return Effect(found.estimate, found.low, found.high, seeds, prompts)


def over_seeds(values: Any) -> Effect | None:
    """Mean of one number per seed, over seeds."""
    scores = np.asarray(values, dtype=np.float64)
    if scores.size == 0:
        return None
    if scores.size == 1:
        return Effect(float(scores[0]), None, None, 1, None)
    found = mean_interval(scores, over="seeds")
    return Effect(found.estimate, found.low, found.high, int(scores.size), None)


def cross_fitted_rise(curves: Scores) -> Scores:
    """Best evaluation minus start, (seeds, steps, prompts) -> (seeds, prompts).

    The best step of a seed is chosen on one half of the prompts (every other one) and measured on
    the other, both ways round: choosing and measuring on the same prompts would count luck.
    """
    rise = np.empty((curves.shape[0], curves.shape[2]))
    for half in (0, 1):
        chosen = curves[:, :, 1 - half :: 2].mean(axis=2).argmax(axis=1)
        best = curves[np.arange(len(curves)), chosen][:, half::2]
        rise[:, half::2] = best - curves[:, 0, half::2]
    return rise


def _count(number: int | None, name: str) -> str:
    return f"{number} {name}{'' if number == 1 else 's'}"
