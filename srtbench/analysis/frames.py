"""Tidy frames for figures, tables and notebooks: each is one documented SQL file.

Frames are Polars by default; ``.to_pandas()`` and ``.to_arrow()`` give the others.
"""

from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.warehouse.views import relation

FRAMES = (
    "eval_curve",
    "train_curve",
    "change",
    "vote_flow",
    "portrait",
    "end_votes",
    "held_out_scores",
    "text_sample",
    "eval_set_change",
)

Cell = tuple[str, str, str, str]
"""Sweep, model, dataset, variant."""


def frame(connection: duckdb.DuckDBPyConnection, name: str, **parameters: Any) -> pl.DataFrame:
    """The frame that ``sql/frames/<name>.sql`` describes."""
    return query(connection, relation(name, "sql/frames").query, **parameters)


def query(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> pl.DataFrame:
    """Any SELECT as a Polars frame."""
    table = connection.sql(sql, params=parameters or None).to_arrow_table()
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def view(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """A whole view, e.g. ``variant_summary``."""
    return query(connection, f'SELECT * FROM "{name}"')


def cell_caveats(connection: duckdb.DuckDBPyConnection) -> dict[Cell, str]:
    """What must be said with the numbers of a cell, in the order of the plan; most have nothing."""
    runs = view(connection, "runs").drop_nulls("caveat")
    rows = runs.select("sweep", "model", "dataset", "variant", "caveat").unique(maintain_order=True)
    return {(row[0], row[1], row[2], row[3]): row[4] for row in rows.iter_rows()}
