"""Frames that need an estimator of :mod:`srtbench.stats` on top of SQL."""

import warnings
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import polars as pl

from srtbench.analysis.frames import frame
from srtbench.stats import Interval, maj_at_k, paired_difference

_LABELS = [
    "sweep", "model", "dataset", "variant", "variant_type", "variant_rank", "variant_order",
]  # fmt: skip
_SETTING = ["sweep", "model", "dataset"]


def majority_by_k(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Exact maj@k for every k that the logged samples allow, at the first and the last evaluation.

    One row per cell, moment and k: ``value`` is the mean over prompts and seeds, ``low`` and
    ``high`` the range of the seeds (null with one). Prompts with fewer samples than most are left
    out.
    """
    rows: list[dict[str, Any]] = []
    votes = frame(connection, "end_votes")
    for run in votes.partition_by("sweep", "run_id", "moment", maintain_order=True):
        labels = run.select(*_LABELS, "moment").row(0, named=True)
        keys, gold = _vote_matrix(run)
        draws = list(range(1, keys.shape[1] + 1))
        means = maj_at_k(keys, gold, draws).mean(axis=0)
        rows += [labels | {"k": k, "value": float(m)} for k, m in zip(draws, means, strict=True)]
    schema = dict(votes.select(*_LABELS, "moment").schema) | {"k": pl.Int64, "value": pl.Float64}
    single = pl.col("value").len() == 1
    return (
        pl.DataFrame(rows, schema=schema)
        .group_by(*_LABELS, "moment", "k", maintain_order=True)
        .agg(
            pl.col("value").mean(),
            low=pl.when(single).then(None).otherwise(pl.col("value").min()),
            high=pl.when(single).then(None).otherwise(pl.col("value").max()),
            seeds=pl.len(),
        )
    )


def _vote_matrix(run: pl.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Votes of one run -> keys (prompts, samples), -1 unparsable, and gold (prompts,)."""
    rows, gold = [], []
    for prompt in run.partition_by("prompt_id", maintain_order=True):
        row: list[int] = []
        right = -1
        for number, (key, votes, is_gold) in enumerate(
            prompt.select("answer_key", "votes", "is_gold").iter_rows()
        ):
            row += [-1 if key is None else number] * votes
            if is_gold and key is not None and right < 0:
                right = number
        rows.append(row)
        gold.append(right)
    sizes = [len(row) for row in rows]
    size = max(set(sizes), key=sizes.count)
    kept = [place for place, row in enumerate(rows) if len(row) >= size]
    return np.array([rows[place][:size] for place in kept]), np.array(
        [gold[place] for place in kept]
    )


def paired_curve(
    connection: duckdb.DuckDBPyConnection,
    first: str,
    second: str,
    score: str = "avg_gold",
) -> pl.DataFrame:
    """Difference of two variants over steps, on the prompts and seeds that both have.

    One row per setting and step: ``value`` is first minus second, ``low`` and ``high`` its 95%
    interval, ``over`` what that is over. ``score``: avg_gold or majority_correct.
    """
    scores = frame(connection, "held_out_scores")
    rows = []
    for setting in scores.partition_by(_SETTING, maintain_order=True):
        labels = setting.select(_SETTING).row(0, named=True)
        rows += [labels | found for found in _paired_steps(setting, first, second, score)]
    schema = dict(scores.select(_SETTING).schema) | {
        "step": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
        "over": pl.String, "first": pl.String, "second": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _paired_steps(
    setting: pl.DataFrame, first: str, second: str, score: str
) -> Iterator[dict[str, Any]]:
    sides = [setting.filter(pl.col("variant") == name) for name in (first, second)]
    both = sides[0].join(sides[1], on=["seed", "step", "prompt_id"], suffix="_second")
    for step in both.partition_by("step", maintain_order=True):
        tables = [
            step.pivot("seed", index="prompt_id", values=column).drop_nulls().sort("prompt_id")
            for column in (score, f"{score}_second")
        ]
        one, other = (table.drop("prompt_id").to_numpy().T for table in tables)
        if one.shape[0] == 0 or one.shape[1] < 2:
            continue
        found = paired_difference(one, other)
        units = zip(found.num_units, found.resampled, strict=True)
        yield {
            "step": step["step"][0],
            "value": found.estimate,
            "low": found.low,
            "high": found.high,
            "over": " and ".join(f"{number} {name}" for number, name in units),
            "first": first,
            "second": second,
        }


def paired_change(part: pl.DataFrame) -> Interval | None:
    """Last minus first avg@k of one cell; None with fewer than two prompts that all runs have."""
    wide = [
        part.pivot("seed", index="prompt_id", values=name).drop_nulls().sort("prompt_id")
        for name in ("last_avg", "start_avg")
    ]
    last, start = (table.drop("prompt_id").to_numpy().T for table in wide)
    if last.shape[1] < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no variance at all
        return paired_difference(last, start)
