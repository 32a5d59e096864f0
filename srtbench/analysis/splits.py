"""Cells of which some seeds collapsed: how many of how many, and the seeds that did not, apart.

A mean over seeds of which some collapsed describes none of them, and its t interval covers far less
than it claims (docs/estimators.md). So a table has k of n with its exact interval, and a row for
each of the two kinds of seeds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.bands import one_kind
from srtbench.analysis.effects import over, table_of
from srtbench.analysis.frames import CELL, Cell, by_cell, cell_of, frame, view
from srtbench.stats import Interval, SeedSplit, seed_split
from srtbench.stats.change_point import MIN_EVALUATIONS

MEANS = (
    "start_avg", "best_avg", "last_avg", "start_maj", "best_maj", "last_maj",
    "start_train_reward", "last_train_reward",
)  # fmt: skip


@dataclass(frozen=True)
class CellSplit:
    """The seeds of a cell that can be judged: those with evaluations enough.

    Attributes:
        found: k of n, and the survivors' last avg@k.
        collapsed, survivors: means of ``run_summary`` over those seeds, with ``seeds``, how many
            they are; None without any.
    """

    found: SeedSplit
    collapsed: dict[str, Any] | None
    survivors: dict[str, Any] | None

    @property
    def splits(self) -> bool:
        """Whether some collapsed and some did not, so that means over all describe none."""
        return self.collapsed is not None and self.survivors is not None

    @property
    def count(self) -> str:
        """``2 of 3 [9%, 99%]``: with the exact interval over seeds, if they are several."""
        return f"{self.found.collapsed} of {self.found.seeds}{self._limits}"

    @property
    def words(self) -> str:
        """``2 of 3 seeds [9%, 99%]``."""
        return f"{self.found.collapsed} of {self.found.seeds} seeds{self._limits}"

    @property
    def _limits(self) -> str:
        rate = self.found.rate
        several = self.found.seeds > 1
        return f" [{100 * rate.low:.0f}%, {100 * rate.high:.0f}%]" if several else ""


def cell_splits(
    connection: duckdb.DuckDBPyConnection, level: float = 0.95
) -> dict[Cell, CellSplit]:
    """Every cell with a seed that has gold answers and evaluations enough to be judged."""
    curves = view(connection, "eval_curves").drop_nulls("avg_at_k")
    known = ["sweep", "run_id", "eval_set"]
    judged = curves.filter(pl.len().over(known) >= MIN_EVALUATIONS)
    runs = view(connection, "run_summary").join(judged, on=known, how="semi")
    if not runs.height:
        return {}
    scores = last_scores(connection).join(runs.select("sweep", "run_id"), on=["sweep", "run_id"])
    of_cell = by_cell(scores)
    found = {}
    for cell, part in by_cell(runs.sort("seed", maintain_order=True)).items():
        flags = part["collapse_step"].is_not_null()
        table = table_of(of_cell[cell], "avg_gold")
        values = table if table.shape[1] else part["last_avg"].to_numpy()
        alive = int((~flags).sum())
        split = seed_split(
            values, flags.to_numpy(), over="seeds" if alive == 2 else None, level=level
        )
        sides = (_means(part.filter(flags)), _means(part.filter(~flags)))
        found[cell] = CellSplit(split, *sides)
    return found


def last_scores(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """``held_out_scores`` of each run's last evaluation after its start."""
    scores = frame(connection, "held_out_scores")
    last = pl.col("step") == pl.col("step").max().over("sweep", "run_id")
    return scores.filter(last & (pl.col("step") > 0))


def apart(
    connection: duckdb.DuckDBPyConnection, name: str, splits: Mapping[Cell, CellSplit]
) -> pl.DataFrame:
    """``eval_curve`` or ``train_curve`` with the seeds of cells that split in lines of their own.

    Their variants are called ``srt, 2 collapsed`` and ``srt, 1 did not``; they keep their order and
    their rank.
    """
    curve = frame(connection, name)
    cells = [cell for cell, split in splits.items() if split.splits]
    if not cells:
        return curve
    wanted = pl.DataFrame(cells, schema=CELL, orient="row")
    runs = view(connection, "run_summary").filter(pl.col("last_step") > 0)
    runs = runs.join(wanted, on=CELL, how="semi")
    parts = [curve.join(wanted, on=CELL, how="anti")]
    for fallen in (True, False):
        chosen = runs.filter(pl.col("collapse_step").is_not_null() == fallen)
        ids = chosen.select("sweep", "run_id").rows()
        names = {cell: _side_name(cell, splits[cell], collapsed=fallen) for cell in cells}
        rows = frame(connection, name, runs=[(row[0], row[1]) for row in ids])
        calls = [names[cell_of(row)] for row in rows.select(CELL).iter_rows(named=True)]
        parts.append(rows.with_columns(variant=pl.Series(calls, dtype=pl.String)))
    together = pl.concat(parts, how="vertical_relaxed")
    together = together.sort(
        "sweep", "model", "dataset", "variant_order", "variant", "measure", "step"
    )
    return one_kind(together)


def side_cell(cell: Cell, split: CellSplit | None) -> Cell:
    """The name under which :func:`apart` has the seeds of a cell that collapsed."""
    if split is None or not split.splits:
        return cell
    return (*cell[:3], _side_name(cell, split, collapsed=True))


def _side_name(cell: Cell, split: CellSplit, *, collapsed: bool) -> str:
    side = split.collapsed if collapsed else split.survivors
    number = 0 if side is None else side["seeds"]
    return f"{cell[3]}, {number} {'collapsed' if collapsed else 'did not'}"


def interval_text(found: Interval) -> str:
    """``88.1% [84.0%, 91.2%] over 2 seeds``."""
    low, high = (f"{100 * end:.1f}%" for end in (found.low, found.high))
    return f"{100 * found.estimate:.1f}% [{low}, {high}] over {over(found)}"


def _means(part: pl.DataFrame) -> dict[str, Any] | None:
    if not part.height:
        return None
    means = part.select(pl.col(MEANS).mean()).row(0, named=True)
    return means | {"seeds": part.height}
