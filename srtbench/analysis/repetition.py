"""How much completions repeat themselves: the one signal of a collapse that needs their texts."""

import duckdb
import polars as pl

from srtbench.analysis.frames import frame, query
from srtbench.stats.repetition import repeated_share

_TABLE = "eval_repetition"


def repetition(connection: duckdb.DuckDBPyConnection, eval_set: str | None = None) -> pl.DataFrame:
    """Mean :func:`repeated_share` per run and evaluation on a set, over the frame ``text_sample``.

    One row per sweep, run_id and step; computed once per connection and kept there.
    """
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {_TABLE}"
        "(sweep TEXT, run_id TEXT, step INTEGER, repetition DOUBLE, eval_set TEXT)"
    )
    of_set = f"FROM {_TABLE} WHERE eval_set IS NOT DISTINCT FROM $eval_set"
    if not query(connection, f"SELECT 1 {of_set} LIMIT 1", eval_set=eval_set).height:
        texts = frame(connection, "text_sample", eval_set=eval_set)
        shares = [None if text is None else repeated_share(text) for text in texts["ending"]]
        found = (
            texts.with_columns(repetition=pl.Series(shares, dtype=pl.Float64))
            .group_by("sweep", "run_id", "step", maintain_order=True)
            .agg(pl.col("repetition").mean())
        )
        connection.register(
            "repetition_arrow", found.with_columns(eval_set=pl.lit(eval_set, pl.String)).to_arrow()
        )
        connection.execute(f"INSERT INTO {_TABLE} SELECT * FROM repetition_arrow")
        connection.unregister("repetition_arrow")
    columns = "sweep, run_id, step, repetition"
    return query(connection, f"SELECT {columns} {of_set}", eval_set=eval_set)
