"""Sweeps beside each other: the last evaluations of their cells, paired where prompts agree."""

import itertools
from collections.abc import Sequence
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.effects import SHARE_DIFFERENCE, over, table_of
from srtbench.analysis.frames import frame, query
from srtbench.stats import Interval, paired_difference, unpaired_difference

_CELL = ("model", "dataset", "variant")
_MATCHES: tuple[tuple[str, ...], ...] = (_CELL, ("dataset", "variant"), ("variant",), ("dataset",))
"""What two cells must share to be compared: as much as any two cells of two sweeps do."""

_SCHEMA = {
    **dict.fromkeys(("first_sweep", "second_sweep", "first", "second"), pl.String),
    **dict.fromkeys(("first_setting", "second_setting"), pl.String),
    **dict.fromkeys(("first_avg", "second_avg", "value", "low", "high", "p_value"), pl.Float64),
    "paired": pl.Boolean,
    "over": pl.String,
    "why_unpaired": pl.String,
}


def between_sweeps(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
    """Every pair of cells of two sweeps that belong together: the difference of their last avg@k.

    Cells belong together if model, dataset and variant are called alike; where two sweeps have none
    such, dataset and variant; else variant; else dataset. A difference is paired where all runs of
    both were evaluated on the same prompts (by id and text) and seeds are shared; those seeds alone
    are used. Else it is of two independent samples, and ``why_unpaired`` says why.

    One row per pair: ``value`` is first minus second in 0..1 with its 95% interval, what that is
    over, and its p-value; null where there are too few prompts or seeds for an interval.
    """
    scores = query(connection, _PROMPT_TEXTS)
    last = frame(connection, "held_out_scores", eval_set=eval_set).filter(
        (pl.col("step") > 0) & (pl.col("step") == pl.col("step").max().over("sweep", "run_id"))
    )
    last = last.join(scores, on=["sweep", "prompt_id", "eval_set"], how="left")
    rows = []
    for first, second in itertools.combinations(opened_sweeps(connection), 2):
        sides = [
            last.filter(pl.col("sweep") == name).partition_by(*_CELL, maintain_order=True)
            for name in (first, second)
        ]
        rows += [_row(*pair) for pair in _pairs(*sides)]
    return pl.DataFrame(rows, schema=_SCHEMA)


def opened_sweeps(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Names of the sweeps that a connection reads, in the order in which they were given."""
    rows = query(connection, "SELECT sweep FROM sweeps ORDER BY rowid")
    return rows["sweep"].to_list()


_PROMPT_TEXTS = """
SELECT sweep, prompt_id, eval_set, min(hash(prompt, gold_answer)) AS text
FROM prompts WHERE eval_set IS NOT NULL GROUP BY sweep, prompt_id, eval_set
"""


def _pairs(
    first: Sequence[pl.DataFrame], second: Sequence[pl.DataFrame]
) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    for keys in _MATCHES:
        found = [
            (one, other)
            for one, other in itertools.product(first, second)
            if one.select(keys).row(0) == other.select(keys).row(0)
        ]
        if found:
            return found
    return []


def _row(first: pl.DataFrame, second: pl.DataFrame) -> dict[str, Any]:
    found, why = _difference(first, second)
    if why is None:  # paired: their means are those of the shared seeds too
        seeds = sorted(set(first["seed"]) & set(second["seed"]))
        first, second = (side.filter(pl.col("seed").is_in(seeds)) for side in (first, second))
    row: dict[str, Any] = {"paired": why is None, "why_unpaired": why}
    for name, side in (("first", first), ("second", second)):
        row[f"{name}_sweep"], row[name] = side["sweep"][0], side["variant"][0]
        row[f"{name}_setting"] = f"{side['model'][0]} · {side['dataset'][0]}"
        row[f"{name}_avg"] = float(table_of(side, "avg_gold").mean())
    row["value"] = row["first_avg"] - row["second_avg"]
    if found is not None:
        row |= {"value": found.estimate, "low": found.low, "high": found.high}
        row |= {"p_value": found.p_value, "over": over(found)}
    return row


def _difference(first: pl.DataFrame, second: pl.DataFrame) -> tuple[Interval | None, str | None]:
    """The difference with its interval, and why it is not paired."""
    one, other = (set(side.select("prompt_id", "text").iter_rows()) for side in (first, second))
    seeds = sorted(set(first["seed"]) & set(second["seed"]))
    if one != other:
        why = f"their prompts differ ({len(one & other)} shared of {len(one)} and {len(other)})"
    elif not seeds:
        why = "they share no seed"
    else:
        common = pl.col("seed").is_in(seeds)
        tables = (
            table_of(first.filter(common), "avg_gold"),
            table_of(second.filter(common), "avg_gold"),
        )
        if tables[0].shape != tables[1].shape or tables[0].shape[1] < 2:
            return None, None
        return paired_difference(tables[0], tables[1], bounds=SHARE_DIFFERENCE), None
    tables = table_of(first, "avg_gold"), table_of(second, "avg_gold")
    try:
        return unpaired_difference(tables[0], tables[1], bounds=SHARE_DIFFERENCE), why
    except ValueError:  # one prompt and one seed: nothing varies
        return None, why
