"""Frames that the figures of the claims show: those of the library, of finished runs only."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from analysis.claims.data import Cell, Run, Study
from analysis.claims.effects import Effect
from srtbench.analysis.bands import OVER_BOTH, OVER_PROMPTS, OVER_SEEDS
from srtbench.analysis.frames import frame, query

_CELL = ["sweep", "model", "dataset", "variant"]
_SEEDS = """
SELECT sweep, run_id, model, dataset, variant, variant_type, variant_rank, variant_order, seed,
    step, 'avg_at_k of a seed' AS measure, avg_at_k AS value
FROM eval_curves WHERE eval_set = 'own' AND step IS NOT NULL
"""


def evaluation_curves(
    study: Study, cells: Sequence[Cell], measures: Sequence[str] = ("avg_at_k", "maj_at_k")
) -> pl.DataFrame:
    """Rows of ``eval_curve`` with its bands, see :mod:`srtbench.analysis.bands`."""
    curve = frame(study.connection, "eval_curve", runs=_runs(cells))
    return _shown(curve.filter(pl.col("measure").is_in(measures)), cells)


def train_curves(study: Study, cells: Sequence[Cell], measures: Sequence[str]) -> pl.DataFrame:
    """Rows of ``train_curve``: moving averages, the band is the range of the seeds."""
    curve = frame(study.connection, "train_curve", runs=_runs(cells))
    return _shown(curve.filter(pl.col("measure").is_in(measures)), cells)


def seed_curves(study: Study, cells: Sequence[Cell]) -> pl.DataFrame:
    """avg@k of every finished seed at every evaluation, a row each."""
    runs = pl.DataFrame(
        _runs(cells), schema=dict.fromkeys(("sweep", "run_id"), pl.String), orient="row"
    )
    found = query(study.connection, _SEEDS).join(runs, on=["sweep", "run_id"], how="semi")
    return _shown(found.drop("run_id"), cells)


def difference_rows(cell: Cell, curve: dict[int, Effect], names: tuple[str, str]) -> pl.DataFrame:
    """A paired difference at every evaluation, as ``paired_curve``."""
    rows = [
        {
            "sweep": cell.sweep, "model": cell.model, "dataset": cell.dataset, "step": step,
            "first": names[0], "second": names[1], "prompts": effect.prompts,
        }
        | _values(effect)
        for step, effect in curve.items()
    ]  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def _runs(cells: Sequence[Cell]) -> list[Run]:
    return [(cell.sweep, run_id) for cell in cells for run_id in cell.runs.values()]


def _shown(rows: pl.DataFrame, cells: Sequence[Cell]) -> pl.DataFrame:
    """Rows in the order of the cells; a variant's rank and order are those within the figure."""
    names = list(dict.fromkeys((cell.variant_type, cell.variant) for cell in cells))
    labels = []
    for place, cell in enumerate(cells):
        same = [variant for kind, variant in names if kind == cell.variant_type]
        labels.append(
            {
                "sweep": cell.sweep, "model": cell.model, "dataset": cell.dataset,
                "variant": cell.variant, "variant_rank": same.index(cell.variant),
                "variant_order": names.index((cell.variant_type, cell.variant)), "place": place,
            }
        )  # fmt: skip
    kept = rows.drop("variant_rank", "variant_order")
    if not labels:
        return rows.clear()
    by = ["place", *(["seed"] if "seed" in rows.columns else []), "measure", "step"]
    return kept.join(pl.DataFrame(labels), on=_CELL).sort(by).drop("place")


def _values(effect: Effect) -> dict[str, Any]:
    seeds, prompts = effect.seeds, effect.prompts or 0
    band = OVER_SEEDS if prompts < 2 else OVER_BOTH if seeds > 1 else OVER_PROMPTS
    return {
        "value": effect.value, "low": effect.low, "high": effect.high, "seeds": seeds,
        "band": None if effect.low is None else band,
    }  # fmt: skip
