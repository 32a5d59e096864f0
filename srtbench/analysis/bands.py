"""The one band of an evaluation curve, in the report, in tables and in the study.

What is random in a point of such a curve are the seed, which decides how a run went, and the
prompts, which are a sample of a task. So the band is a 95% interval over seeds and prompts as
crossed random effects (:func:`srtbench.stats.mean_interval`); with one seed it is over prompts
alone, and says so. A measure that is one number per evaluation, such as the share of the most
common answer across prompts, and every train curve, has the range of the seeds instead. An interval
lies inside the range that its measure can have (:mod:`srtbench.analysis.effects`).
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from srtbench.analysis.effects import POSITIVE, SHARE, Table, effect, table_of

RANGE = "range of seeds"
OVER_PROMPTS = "95% interval over prompts"
OVER_BOTH = "95% interval over seeds and prompts"
_PANEL = ("sweep", "model", "dataset", "measure")
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
_OPEN_ENDED = {"answer_entropy_nats", "completion_tokens"}


def banded(curve: pl.DataFrame, scores: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``eval_curve`` with their bands.

    Args:
        curve: rows of ``sql/frames/eval_curve.sql``; low and high are the range of the seeds.
        scores: ``held_out_scores`` of the same set and runs.
    """
    rows: list[dict[str, Any]] = []
    for part in scores.partition_by(*_CELL, maintain_order=True):
        cell = part.select(_CELL).row(0, named=True)
        tables = tables_of(part, list(_PER_PROMPT.values()))
        for measure, column in _PER_PROMPT.items():
            found = effect(tables[column], POSITIVE if measure in _OPEN_ENDED else SHARE)
            if found is not None:
                ends = {"low_": found.low, "high_": found.high, "band_": found.band}
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


def tables_of(rows: pl.DataFrame, columns: Sequence[str]) -> dict[str, Table]:
    """:func:`table_of` of several columns, sorted once where seeds have the same prompts."""
    seeds = rows["seed"].n_unique()
    if rows.height != seeds * rows["prompt_id"].n_unique():
        return {column: table_of(rows, column) for column in columns}
    truths = [
        pl.col(name).fill_null(value=False) for name in columns if rows.schema[name] == pl.Boolean
    ]
    one = rows.with_columns(truths).sort("seed", "prompt_id")
    return {
        column: table_of(rows, column)
        if one[column].null_count()
        else one[column].cast(pl.Float64).to_numpy().reshape(seeds, -1)
        for column in columns
    }


def one_kind(curve: pl.DataFrame) -> pl.DataFrame:
    """The rows of a curve with one kind of band in each panel.

    Where some points have an interval over seeds and prompts, one over prompts alone beside it
    would look surer than it is: points of one seed have no band there.
    """
    both = (pl.col("band") == OVER_BOTH).any().over(_PANEL)
    alone = both & (pl.col("band") == OVER_PROMPTS)
    return curve.with_columns(
        pl.when(alone).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("low", "high", "band")
    )
