"""The one band of an evaluation curve, in the report, in tables and in the study.

What is random in a point of such a curve are the seed, which decides how a run went, and the
prompts, which are a sample of a task. So the band is a 95% interval over seeds and prompts as
crossed random effects (:func:`srtbench.stats.mean_interval`); with one seed it is over prompts
alone, and says so. A measure that is one number per evaluation, such as the share of the most
common answer across prompts, and every train curve, has the range of the seeds instead. An interval
is cut to the range that its measure can have.
"""

import warnings
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from srtbench.stats import mean_interval

RANGE = "range of seeds"
OVER_PROMPTS = "95% interval over prompts"
OVER_BOTH = "95% interval over seeds and prompts"
OVER_SEEDS = "95% interval over seeds"
_CELL = ("sweep", "model", "dataset", "variant", "step")
_PER_PROMPT = {
    "avg_at_k": "avg_gold",
    "maj_at_k": "majority_correct",
    "pass_at_k": "any_correct",
    "label_accuracy": "label_correct",
    "majority_ratio": "majority_share",
    "unparsable_share": "unparsable_share",
    "truncated_share": "truncated_share",
    "answer_entropy_nats": "answer_entropy_nats",
    "completion_tokens": "completion_tokens",
}
"""Measure of ``eval_curve`` -> its column of ``held_out_scores``."""
_UNBOUNDED = {"answer_entropy_nats", "completion_tokens"}


def banded(curve: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``eval_curve`` with their bands.

    Args:
        curve: rows of ``sql/frames/eval_curve.sql``; low and high are the range of the seeds.
        scores: ``held_out_scores`` of the same set and runs.
    """
    rows: list[dict[str, Any]] = []
    for part in scores.partition_by(*_CELL, maintain_order=True):
        cell = part.select(_CELL).row(0, named=True)
        for measure, column in _PER_PROMPT.items():
            found = band(table_of(part, column), bounded=measure not in _UNBOUNDED)
            if found is not None:
                ends = dict(zip(("low_", "high_", "band_"), found, strict=True))
                rows.append(cell | {"measure": measure} | ends)
    if not rows:
        return curve
    schema = {name: curve.schema[name] for name in (*_CELL, "measure")}
    known = pl.DataFrame(
        rows, schema=schema | {"low_": pl.Float64, "high_": pl.Float64, "band_": pl.String}
    )
    joined = curve.join(known, on=[*_CELL, "measure"], how="left", maintain_order="left")
    per_prompt = pl.col("measure").is_in(list(_PER_PROMPT))
    return joined.with_columns(
        pl.when(per_prompt).then(pl.col(f"{name}_")).otherwise(pl.col(name)).alias(name)
        for name in ("low", "high", "band")
    ).drop("low_", "high_", "band_")


def band(scores: NDArray[np.float64], bounded: bool = True) -> tuple[float, float, str] | None:
    """Low, high and name of the 95% interval of a mean; None where nothing is there twice.

    Args:
        scores: (seeds, prompts). bounded: whether the quantity lies in 0..1; else it is 0 or more.
    """
    if scores.size < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no variance at all
        found = mean_interval(scores)
    seeds, prompts = scores.shape
    name = OVER_PROMPTS if seeds == 1 else OVER_SEEDS if prompts == 1 else OVER_BOTH
    top = 1.0 if bounded else float("inf")
    return max(found.low, 0.0), min(found.high, top), name


def table_of(rows: pl.DataFrame, column: str) -> NDArray[np.float64]:
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
