"""Cells of which some seeds collapsed: how many of how many, and the seeds that did not, apart.

A mean over seeds of which some collapsed describes none of them, and its t interval covers far less
than it claims (docs/estimators.md). So a table has k of n with its exact interval, and a row for
each of the two kinds of seeds.
"""

from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.effects import over, table_of
from srtbench.analysis.frames import Cell, by_cell, frame, view
from srtbench.config.eval_sets import OWN
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
    curves = view(connection, "eval_curves").filter(
        (pl.col("eval_set") == OWN) & pl.col("avg_at_k").is_not_null()
    )
    judged = curves.filter(pl.len().over("sweep", "run_id") >= MIN_EVALUATIONS)
    runs = view(connection, "run_summary").join(judged, on=["sweep", "run_id"], how="semi")
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
    scores = frame(connection, "held_out_scores", eval_set=OWN)
    last = pl.col("step") == pl.col("step").max().over("sweep", "run_id")
    return scores.filter(last & (pl.col("step") > 0))


def interval_text(found: Interval) -> str:
    """``88.1% [84.0%, 91.2%] over 2 seeds``."""
    low, high = (f"{100 * end:.1f}%" for end in (found.low, found.high))
    return f"{100 * found.estimate:.1f}% [{low}, {high}] over {over(found)}"


def _means(part: pl.DataFrame) -> dict[str, Any] | None:
    if not part.height:
        return None
    means = part.select(pl.col(MEANS).mean()).row(0, named=True)
    return means | {"seeds": part.height}
