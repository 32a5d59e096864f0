"""Tidy frames for figures, tables and notebooks: each is one documented SQL file.

Frames are Polars by default; ``.to_pandas()`` and ``.to_arrow()`` give the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.bands import banded, one_kind
from srtbench.analysis.warehouse.views import relation
from srtbench.config.eval_sets import OWN

FRAMES = (
    "eval_curve",
    "train_curve",
    "change",
    "vote_flow",
    "portrait",
    "end_votes",
    "held_out_scores",
    "text_sample",
    "set_summary",
)

Cell = tuple[str, str, str, str]
"""Sweep, model, dataset, variant."""
Run = tuple[str, str]
"""Sweep and run id."""
CELL = ["sweep", "model", "dataset", "variant"]
SETTING = CELL[:3]


def frame(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    *,
    eval_set: str | None = None,
    runs: Iterable[Run] | None = None,
) -> pl.DataFrame:
    """The frame that ``sql/frames/<name>.sql`` describes; ``eval_curve`` with its bands.

    Args:
        eval_set: the evaluation set that a frame of evaluations is about; None: the one on which
            each run is judged, its own held-out prompts if it has any, see ``run_summary``.
        runs: only these, in ``eval_curve``, ``train_curve`` and ``held_out_scores``; None: all.
    """
    sql = relation(name, "sql/frames").query
    chosen = None if runs is None else ["/".join(run) for run in runs]
    found = of_set(connection, sql, eval_set, **({"runs": chosen} if "$runs" in sql else {}))
    if name == "eval_curve":
        scores = frame(connection, "held_out_scores", eval_set=eval_set, runs=runs)
        return one_kind(banded(found, scores))
    return found


def of_set(
    connection: duckdb.DuckDBPyConnection, sql: str, eval_set: str | None, **parameters: Any
) -> pl.DataFrame:
    """A SELECT on the rows ``held`` whose ``eval_set`` is ``$eval_set``; None: see `frame`."""
    if "$eval_set" not in sql:
        return query(connection, sql, **parameters)
    if eval_set is None and query(connection, _JUDGED_ELSEWHERE).height:
        return query(connection, sql.replace("$eval_set", _JUDGED), **parameters)
    return query(connection, sql, eval_set=eval_set or OWN, **parameters)


_JUDGED = """(
    SELECT judged.eval_set FROM run_summary AS judged
    WHERE judged.sweep = held.sweep AND judged.run_id = held.run_id
)"""

# Asked first, since it is cheap and most sweeps have no such run.
_JUDGED_ELSEWHERE = """
SELECT 1 FROM planned_eval_sets AS further
WHERE eval_set <> 'own' AND NOT EXISTS (
    FROM rollouts AS held WHERE held.sweep = further.sweep AND held.run_id = further.run_id
        AND held.eval_set = 'own' AND gold_reward IS NOT NULL
)
LIMIT 1
"""


def query(connection: duckdb.DuckDBPyConnection, sql: str, **parameters: Any) -> pl.DataFrame:
    """Any SELECT as a Polars frame."""
    table = connection.sql(sql, params=parameters or None).to_arrow_table()
    found = pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def view(connection: duckdb.DuckDBPyConnection, name: str) -> pl.DataFrame:
    """A whole view, e.g. ``variant_summary``."""
    return query(connection, f'SELECT * FROM "{name}"')


def cell_of(row: Mapping[str, Any]) -> Cell:
    """The cell that a row is of."""
    return (row["sweep"], row["model"], row["dataset"], row["variant"])


def by_cell(table: pl.DataFrame) -> dict[Cell, pl.DataFrame]:
    """Rows per cell, in their order."""
    parts = table.partition_by(CELL, maintain_order=True) if table.height else []
    return {cell_of(part.row(0, named=True)): part for part in parts}


def varying(table: pl.DataFrame) -> list[str]:
    """Which of sweep, model and dataset a table must name: those of which it has several."""
    return [name for name in SETTING if table[name].n_unique() > 1]


def by_run(table: pl.DataFrame) -> dict[Run, pl.DataFrame]:
    """Rows per run, in their order."""
    parts = table.partition_by("sweep", "run_id", maintain_order=True) if table.height else []
    return {(part["sweep"][0], part["run_id"][0]): part for part in parts}


def of_cells(rows: pl.DataFrame, cells: Sequence[Cell]) -> pl.DataFrame:
    """Rows of these cells alone, in this order; rank and order of a variant are those among them.

    Figures give colours and lines by rank and order, so a figure of few variants has plain ones.
    """
    wanted = pl.DataFrame(cells, schema=CELL, orient="row").with_row_index("place")
    found = (
        rows.drop("variant_rank", "variant_order", strict=False).join(wanted, on=CELL).sort("place")
    )
    names = found.select("variant_type", "variant").unique(maintain_order=True)
    names = names.with_row_index("variant_order").with_columns(
        variant_rank=pl.int_range(pl.len()).over("variant_type")
    )
    by = [name for name in ("place", "seed", "measure", "step") if name in found.columns]
    return found.join(names, on=["variant_type", "variant"]).sort(by).drop("place")


def cell_caveats(connection: duckdb.DuckDBPyConnection) -> dict[Cell, str]:
    """What must be said with the numbers of a cell, in the order of the plan; most have nothing."""
    runs = view(connection, "runs").drop_nulls("caveat")
    rows = runs.select(*CELL, "caveat").unique(maintain_order=True)
    return {cell_of(row): row["caveat"] for row in rows.iter_rows(named=True)}


def eval_sets(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The sets on which runs are evaluated: ``own``, then the others in the order of the plan."""
    rows = query(
        connection,
        "SELECT eval_set FROM planned_eval_sets GROUP BY eval_set "
        "ORDER BY min(set_order), eval_set",
    )
    return rows["eval_set"].to_list()
