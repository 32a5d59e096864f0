"""The table of further evaluation sets: start, last and difference of each cell, with interval."""

from dataclasses import dataclass

import duckdb
import polars as pl

from srtbench.analysis.estimates import paired_change
from srtbench.analysis.frames import frame, view
from srtbench.stats import Interval

_CELL = ("sweep", "model", "dataset", "variant", "eval_set")


@dataclass(frozen=True)
class SetRow:
    """One cell on one set; means over the seeds that were evaluated after their start.

    Attributes:
        setting: sweep, model and dataset, as far as they differ within the report.
        runs: seeds that were evaluated after their start, of those planned.
        change: last minus first avg@k over the same prompts and seeds; None if there is no last.
    """

    variant: str
    setting: str
    eval_set: str
    prompts: int | None
    k: int | None
    runs: tuple[int, int]
    start_avg: float | None
    last_avg: float | None
    start_maj: float | None
    last_maj: float | None
    change: Interval | None

    @property
    def difference(self) -> str:
        """The change in points with its 95% interval, as text."""
        if self.change is None:
            return "\u2013"
        one = self.change
        text = f"{100 * one.estimate:+.1f} ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
        return text.replace("-", "\u2212")


def eval_set_rows(connection: duckdb.DuckDBPyConnection) -> list[SetRow]:
    """A row per planned cell and set, in the order of the plan; none if the sweep has no sets."""
    curves = view(connection, "eval_set_curves")
    if not curves.height:
        return []
    changes = frame(connection, "eval_set_change").partition_by(*_CELL, as_dict=True)
    varying = [name for name in ("sweep", "model", "dataset") if curves[name].n_unique() > 1]
    rows = []
    for cell, part in curves.partition_by(
        *_CELL, as_dict=True, maintain_order=True, include_key=True
    ).items():
        own = changes.get(cell)
        setting = " · ".join(str(part[name][0]) for name in varying)
        rows.append(_row(part, setting, None if own is None else paired_change(own)))
    return rows


def _row(part: pl.DataFrame, setting: str, change: Interval | None) -> SetRow:
    steps = part.drop_nulls("step")
    ended = steps.filter(pl.col("step").max().over("run_id") > 0)
    first = (ended if ended.height else steps).sort("step").group_by("run_id").first()
    last = ended.sort("step").group_by("run_id").last()

    def mean(table: pl.DataFrame, name: str) -> float | None:
        found = table[name].mean()
        return float(found) if isinstance(found, int | float) else None

    return SetRow(
        variant=part["variant"][0],
        setting=setting,
        eval_set=part["eval_set"][0],
        prompts=_largest(steps, "prompts"),
        k=_largest(steps, "k"),
        runs=(last.height, part["run_id"].n_unique()),
        start_avg=mean(first, "avg_at_k"),
        last_avg=mean(last, "avg_at_k"),
        start_maj=mean(first, "maj_at_k"),
        last_maj=mean(last, "maj_at_k"),
        change=change,
    )


def _largest(table: pl.DataFrame, name: str) -> int | None:
    found = table[name].max()
    return found if isinstance(found, int) else None
