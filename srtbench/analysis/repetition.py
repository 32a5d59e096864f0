"""How much completions repeat themselves: the one signal of a collapse that needs their texts."""

import duckdb
import polars as pl

from srtbench.analysis.frames import frame, query
from srtbench.analysis.warehouse.files import OWN

ORDER = 4
MIN_WORDS = 8
_TABLE = "eval_repetition"


def repeated_share(text: str) -> float | None:
    """Share of a text's 4-grams that stood in it before, 0..1; None below four units.

    The units are words, or characters where there are fewer than ``MIN_WORDS`` words. It is
    seq-rep-4 of Welleck et al. 2020 (arXiv 1908.04319) on words instead of tokens.
    """
    units: list[str] | str = text.split()
    if len(units) < MIN_WORDS:
        units = text.strip()
    total = len(units) - ORDER + 1
    if total < 1:
        return None
    return 1.0 - len({tuple(units[i : i + ORDER]) for i in range(total)}) / total


def repetition(connection: duckdb.DuckDBPyConnection, eval_set: str = OWN) -> pl.DataFrame:
    """Mean :func:`repeated_share` per run and evaluation on a set, over the frame ``text_sample``.

    One row per sweep, run_id and step; computed once per connection and kept there.
    """
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {_TABLE}"
        "(sweep TEXT, run_id TEXT, step INTEGER, repetition DOUBLE, eval_set TEXT)"
    )
    of_set = f"FROM {_TABLE} WHERE eval_set = $eval_set"
    if not query(connection, f"SELECT 1 {of_set} LIMIT 1", eval_set=eval_set).height:
        texts = frame(connection, "text_sample", eval_set=eval_set)
        shares = [None if text is None else repeated_share(text) for text in texts["ending"]]
        found = (
            texts.with_columns(repetition=pl.Series(shares, dtype=pl.Float64))
            .group_by("sweep", "run_id", "step", maintain_order=True)
            .agg(pl.col("repetition").mean())
        )
        connection.register(
            "repetition_arrow", found.with_columns(eval_set=pl.lit(eval_set)).to_arrow()
        )
        connection.execute(f"INSERT INTO {_TABLE} SELECT * FROM repetition_arrow")
        connection.unregister("repetition_arrow")
    columns = "sweep, run_id, step, repetition"
    return query(connection, f"SELECT {columns} {of_set}", eval_set=eval_set)
