"""Effects with 95% intervals from tables of scores; every interval says what it is over.

It lies inside the range of its quantity: on the logit scale for shares and their differences
(:mod:`srtbench.stats.ranges`), cut at 0 for what has no upper end.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from srtbench.stats import SHARE, SHARE_DIFFERENCE, Bounds, Interval, mean_interval

__all__ = ["POSITIVE", "SHARE", "SHARE_DIFFERENCE", "Effect", "effect", "over", "table_of"]

Table = NDArray[np.float64]
"""(seeds, prompts)."""
POSITIVE: Bounds = (0.0, math.inf)
"""Range of lengths, entropies and times."""


@dataclass(frozen=True)
class Effect:
    """A measured number with its 95% interval; low and high are None where nothing varies."""

    value: float
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    prompts: int | None = None
    """Prompts that the interval is over; None: it is over seeds alone."""

    @property
    def over(self) -> str:
        """What the interval is over, in words."""
        if self.low is None:
            return "no interval"
        parts = [(self.seeds, "seed"), (self.prompts or 0, "prompt")]
        return " and ".join(f"{number} {name}s" for number, name in parts if number > 1)

    @property
    def band(self) -> str | None:
        """Name of the interval, without numbers."""
        several = [self.seeds > 1, (self.prompts or 0) > 1]
        names = [name for name, many in zip(("seeds", "prompts"), several, strict=True) if many]
        return None if self.low is None else f"95% interval over {' and '.join(names)}"


def effect(scores: Any, bounds: Bounds | None) -> Effect | None:
    """Mean of (seeds,) or (seeds, prompts), over seeds and prompts as far as there are several.

    A number per seed is itself a mean over many completions, not one trial: where all seeds gave
    the same, the interval has no width, also at an end of the range.

    Args:
        scores: numbers; no number gives None.
        bounds: range of the quantity; None: it has none.
    """
    array = np.asarray(scores, dtype=np.float64)
    if array.size == 0:
        return None
    seeds = len(array)
    prompts = array.shape[1] if array.ndim > 1 else None
    if array.size == 1:
        return Effect(float(array.ravel()[0]), None, None, 1, None)
    if array.ndim == 1 and np.ptp(array) == 0:
        return Effect(float(array[0]), float(array[0]), float(array[0]), seeds)
    open_ended = bounds is not None and math.isinf(bounds[1])
    found = mean_interval(array, bounds=None if open_ended else bounds)
    low = max(found.low, bounds[0]) if bounds is not None else found.low
    return Effect(found.estimate, low, found.high, seeds, prompts)


def table_of(rows: pl.DataFrame, column: str) -> Table:
    """Rows of one evaluation -> (seeds, prompts): on the prompts that all of its seeds have.

    Args:
        rows: one row per seed and prompt. A prompt with a null is left out; a null truth is false.
    """
    one = rows.select("seed", "prompt_id", pl.col(column))
    if one.schema[column] == pl.Boolean:
        one = one.with_columns(pl.col(column).fill_null(value=False).cast(pl.Float64))
    one = one.with_columns(pl.col(column).cast(pl.Float64)).drop_nulls()
    seeds = rows["seed"].n_unique()
    if one.height != rows.height or one.height != seeds * one["prompt_id"].n_unique():
        one = one.filter(pl.len().over("prompt_id") == seeds)
    table = one.sort("seed", "prompt_id")[column].to_numpy()
    return np.asarray(table.reshape(seeds, -1) if one.height else np.empty((seeds, 0)))


def over(found: Interval) -> str:
    """What an interval is over, e.g. "3 seeds and 128 prompts"."""
    units = zip(found.num_units, found.resampled, strict=True)
    return " and ".join(f"{number} {name}" for number, name in units)
