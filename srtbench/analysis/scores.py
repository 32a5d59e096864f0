"""Scores of runs as arrays paired by seed and prompt, from the frame ``held_out_scores``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from srtbench.analysis.frames import Run

Cube = NDArray[np.float64]
"""(seeds, steps, prompts)."""


@dataclass(frozen=True)
class Scores:
    """Scores of one cell on some seeds, at the steps and on the prompts that all of them have."""

    seeds: tuple[int, ...]
    steps: tuple[int, ...]
    prompts: tuple[str, ...]
    samples: int
    """Completions per prompt, at most."""
    avg: Cube
    maj: Cube

    @property
    def change(self) -> NDArray[np.float64]:
        """avg@k at the end minus at the start, (seeds, prompts)."""
        return np.asarray(self.avg[:, -1] - self.avg[:, 0])

    @property
    def final(self) -> NDArray[np.float64]:
        """avg@k at the end, (seeds, prompts)."""
        return np.asarray(self.avg[:, -1])


def aligned(scores: Mapping[Run, pl.DataFrame], cells: Sequence[Mapping[int, Run]]) -> list[Scores]:
    """One entry per cell, on the seeds and prompts that all cells have; none without one.

    Args:
        scores: rows of ``held_out_scores`` per run.
        cells: seed -> run of each cell.
    """
    seeds = tuple(seed for seed in (cells or [{}])[0] if all(seed in cell for cell in cells))
    if not seeds:
        return []
    tables = [_complete([scores[cell[seed]] for seed in seeds]) for cell in cells]
    prompts = tuple(sorted(set.intersection(*(set(table["prompt_id"]) for table in tables))))
    return [_scores(table, seeds, prompts) for table in tables] if prompts else []


def cross_fitted_rise(curves: Cube) -> NDArray[np.float64]:
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


def _complete(runs: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Rows of all runs together, at the steps and on the prompts that stand in all of them."""
    numbered = [run.with_columns(place=place) for place, run in enumerate(runs)]
    rows = pl.concat(numbered).filter(pl.col("place").n_unique().over("step") == len(runs))
    evaluations = len(runs) * rows["step"].n_unique()
    return rows.filter(pl.len().over("prompt_id") == evaluations)


def _scores(table: pl.DataFrame, seeds: tuple[int, ...], prompts: tuple[str, ...]) -> Scores:
    rows = table.filter(pl.col("prompt_id").is_in(prompts)).sort("place", "step", "prompt_id")
    steps = tuple(rows["step"].unique().sort())
    avg, maj = (
        rows[column].cast(pl.Float64).to_numpy().reshape(len(seeds), len(steps), len(prompts))
        for column in ("avg_gold", "majority_correct")
    )
    return Scores(seeds, steps, prompts, int(rows["samples"].to_numpy().max()), avg, maj)
