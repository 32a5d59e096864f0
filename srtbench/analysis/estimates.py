"""Tables that need an estimator of :mod:`srtbench.stats` on top of SQL."""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import numpy as np
import polars as pl

from srtbench.analysis.effects import SHARE_DIFFERENCE, over, table_of
from srtbench.analysis.frames import Run, frame
from srtbench.stats import Interval, holm, maj_at_k, paired_difference

_LABELS = [
    "sweep", "model", "dataset", "variant", "variant_type", "variant_rank", "variant_order",
]  # fmt: skip
_SETTING = ["sweep", "model", "dataset"]


def majority_by_k(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
    """Exact maj@k for every k that the logged samples allow, at the first and the last evaluation.

    One row per cell, moment and k: ``value`` is the mean over prompts and seeds, ``low`` and
    ``high`` the range of the seeds (null with one). Prompts with fewer samples than most are left
    out.
    """
    rows: list[dict[str, Any]] = []
    votes = frame(connection, "end_votes", eval_set=eval_set)
    for run in votes.partition_by("sweep", "run_id", "moment", maintain_order=True):
        labels = run.select(*_LABELS, "moment").row(0, named=True)
        keys, gold, _ = vote_matrix(run)
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


def vote_matrix(
    run: pl.DataFrame,
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[str]]:
    """Votes of one run -> keys (prompts, samples), -1 unparsable; gold (prompts,); the prompts.

    Prompts with fewer samples than most are left out.
    """
    rows, gold, names = [], [], []
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
        names.append(prompt["prompt_id"][0])
    sizes = [len(row) for row in rows]
    size = max(set(sizes), key=sizes.count)
    kept = [place for place, row in enumerate(rows) if len(row) >= size]
    keys = np.array([rows[place][:size] for place in kept])
    return keys, np.array([gold[place] for place in kept]), [names[place] for place in kept]


def paired_curve(
    connection: duckdb.DuckDBPyConnection,
    first: str,
    second: str,
    score: str = "avg_gold",
    eval_set: str | None = None,
    runs: Iterable[Run] | None = None,
) -> pl.DataFrame:
    """Difference of two variants over steps, on the prompts and seeds that both have.

    One row per setting and step: ``value`` is first minus second, ``low`` and ``high`` its 95%
    interval, ``band`` its name and ``over`` what that is over, ``seeds`` and ``prompts``.
    ``score``: avg_gold or majority_correct. ``runs``: only these; None: all.
    """
    scores = frame(connection, "held_out_scores", eval_set=eval_set, runs=runs)
    rows = []
    for setting in scores.partition_by(_SETTING, maintain_order=True):
        labels = setting.select(_SETTING).row(0, named=True)
        rows += [labels | found for found in _paired_steps(setting, first, second, score)]
    schema = dict(scores.select(_SETTING).schema) | {
        "step": pl.Int64, "value": pl.Float64, "low": pl.Float64, "high": pl.Float64,
        "band": pl.String, "over": pl.String, "seeds": pl.Int64, "prompts": pl.Int64,
        "first": pl.String, "second": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _paired_steps(
    setting: pl.DataFrame, first: str, second: str, score: str
) -> Iterator[dict[str, Any]]:
    both = _both(setting, first, second)
    for step in both.partition_by("step", maintain_order=True):
        found = paired(step, score, f"{score}_second")
        if found is not None:
            size = {"seeds": 1} | dict(zip(found.resampled, found.num_units, strict=True))
            name = {"band": f"95% interval over {' and '.join(found.resampled)}"}
            yield (
                {"step": step["step"][0], "first": first, "second": second}
                | _numbers(found)
                | (size | name)
            )


def _numbers(found: Interval) -> dict[str, Any]:
    """Columns of a difference."""
    ends = {"value": found.estimate, "low": found.low, "high": found.high}
    return ends | {"over": over(found)}


def paired_change(part: pl.DataFrame) -> Interval | None:
    """Last minus first avg@k of one cell; None with fewer than two prompts that all runs have."""
    return paired(part, "last_avg", "start_avg")


def set_table(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """The frame ``set_summary`` with the change of avg@k on every cell and set.

    ``change`` is last minus start over the same prompts and seeds, ``low`` and ``high`` its 95%
    interval and ``over`` what that is over; all null where there is no last evaluation.
    """
    summary = frame(connection, "set_summary")
    rows = []
    for name in summary["eval_set"].unique(maintain_order=True):
        parts = frame(connection, "change", eval_set=name)
        for part in parts.partition_by(*_SETTING, "variant", "eval_set", maintain_order=True):
            found = paired_change(part)
            if found is not None:
                labels = part.select(*_SETTING, "variant", "eval_set").row(0, named=True)
                rows.append(labels | _numbers(found))
    keys = [*_SETTING, "variant", "eval_set"]
    schema = dict.fromkeys(keys, pl.String) | dict.fromkeys(("value", "low", "high"), pl.Float64)
    changes = pl.DataFrame(rows, schema=schema | {"over": pl.String}).rename({"value": "change"})
    return summary.join(changes, on=keys, how="left", maintain_order="left")


def differences(
    connection: duckdb.DuckDBPyConnection, level: float = 0.95, eval_set: str | None = None
) -> pl.DataFrame:
    """Every pair of variants of a setting, at the last evaluation that both have.

    One row per pair: ``value`` is the avg@k of ``first`` minus that of ``second`` on the same
    prompts and seeds, with its interval, what that is over, its p-value, and ``p_holm``: the
    p-value corrected for all pairs of the setting.
    """
    rows: list[dict[str, Any]] = []
    scores = frame(connection, "held_out_scores", eval_set=eval_set).filter(pl.col("step") > 0)
    for setting in scores.partition_by(_SETTING, maintain_order=True):
        labels = setting.select(_SETTING).row(0, named=True)
        names = setting["variant"].unique(maintain_order=True).to_list()
        pairs = itertools.combinations(names, 2)
        found = [row for pair in pairs if (row := _difference(setting, *pair, level)) is not None]
        adjusted = holm([row["p_value"] for row in found]) if found else ()
        rows += [
            labels | row | {"p_holm": float(p)} for row, p in zip(found, adjusted, strict=True)
        ]
    schema = dict.fromkeys((*_SETTING, "first", "second"), pl.String)
    numbers = dict.fromkeys(("value", "low", "high", "p_value", "p_holm"), pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"step": pl.Int64} | numbers | {"over": pl.String})


def _difference(
    setting: pl.DataFrame, first: str, second: str, level: float
) -> dict[str, Any] | None:
    both = _both(setting, first, second)
    rows = both.filter(pl.col("step") == pl.col("step").max())
    found = paired(rows, "avg_gold", "avg_gold_second", level)
    if found is None:
        return None
    names = {"first": first, "second": second, "step": rows["step"][0]}
    return names | _numbers(found) | {"p_value": found.p_value}


def _both(setting: pl.DataFrame, first: str, second: str) -> pl.DataFrame:
    """Scores of two variants beside each other, on the seeds, steps and prompts that both have."""
    sides = [setting.filter(pl.col("variant") == name) for name in (first, second)]
    return sides[0].join(
        sides[1], on=["seed", "step", "prompt_id"], suffix="_second", maintain_order="left"
    )


def paired(rows: pl.DataFrame, one: str, other: str, level: float = 0.95) -> Interval | None:
    """Mean of one column minus another; None with fewer than two prompts that all seeds have."""
    if not rows.height:
        return None
    tables = table_of(rows, one), table_of(rows, other)
    if tables[0].shape[1] < 2:
        return None
    return paired_difference(*tables, level=level, bounds=SHARE_DIFFERENCE)
