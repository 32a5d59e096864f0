"""How much completions repeat themselves: the one signal of a collapse that needs their texts."""

import duckdb
import polars as pl

from srtbench.analysis.frames import frame, query

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


def repetition(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Mean :func:`repeated_share` per run and evaluation, over the frame ``text_sample``.

    One row per sweep, run_id and step; computed once per connection and kept there.
    """
    known = query(connection, f"SELECT 1 FROM duckdb_tables() WHERE table_name = '{_TABLE}'")
    if not known.height:
        texts = frame(connection, "text_sample")
        shares = [None if text is None else repeated_share(text) for text in texts["ending"]]
        found = (
            texts.with_columns(repetition=pl.Series(shares, dtype=pl.Float64))
            .group_by("sweep", "run_id", "step", maintain_order=True)
            .agg(pl.col("repetition").mean())
        )
        connection.register("repetition_arrow", found.to_arrow())
        connection.execute(f"CREATE TEMP TABLE {_TABLE} AS SELECT * FROM repetition_arrow")
        connection.unregister("repetition_arrow")
    return query(connection, f"SELECT * FROM {_TABLE}")
