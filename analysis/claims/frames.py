"""Frames that the figures of the claims show, from finished runs only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from analysis.claims.data import Cell, Study
from analysis.claims.effects import Effect, over_both

BAND = "Band: 95% interval over seeds and prompts."


def evaluation_curves(
    study: Study, cells: Sequence[Cell], measures: Sequence[str] = ("avg", "maj")
) -> pl.DataFrame:
    """avg@k and maj@k at every evaluation with 95% intervals, as ``eval_curve``."""
    rows: list[dict[str, Any]] = []
    for labels, cell in _labelled(cells):
        seeds, blocks = study.blocks(cell)
        for block in blocks:
            samples = study.evaluations[cell.sweep, cell.runs[seeds[0]]].samples
            for measure in measures:
                for place, step in enumerate(block.steps):
                    effect = over_both(getattr(block, measure)[:, place])
                    assert effect is not None
                    rows.append(
                        labels
                        | {"step": step, "measure": f"{measure}_at_k", "k": samples}
                        | _values(effect)
                    )
    return pl.DataFrame(rows, infer_schema_length=None)


def seed_curves(study: Study, cells: Sequence[Cell]) -> pl.DataFrame:
    """avg@k of every finished seed at every evaluation, a row each."""
    rows: list[dict[str, Any]] = []
    for labels, cell in _labelled(cells):
        seeds, blocks = study.blocks(cell)
        for block in blocks:
            for seed, scores in zip(seeds, block.avg.mean(axis=2), strict=True):
                one = labels | {"measure": "avg_at_k of a seed", "seed": seed}
                rows += [
                    one | {"step": step, "value": float(value)}
                    for step, value in zip(block.steps, scores, strict=True)
                ]
    return pl.DataFrame(rows, infer_schema_length=None)


def train_curves(study: Study, cells: Sequence[Cell], columns: Sequence[str]) -> pl.DataFrame:
    """Train measures over steps, moving averages; the band is the range of the seeds."""
    rows: list[dict[str, Any]] = []
    for labels, cell in _labelled(cells):
        window = 2 * (cell.total_steps // 30) + 1
        for column in columns:
            tables = [study.training[cell.sweep, run_id] for run_id in cell.runs.values()]
            series = [(t["step"].to_list(), t[column].cast(pl.Float64).to_numpy()) for t in tables]
            series = [(steps, values) for steps, values in series if np.isfinite(values).all()]
            if not series:
                continue
            common = sorted(set.intersection(*(set(steps) for steps, _ in series)))
            raw = np.array([[v[s.index(step)] for step in common] for s, v in series])
            smooth = _moving_average(raw, window)
            for place, step in enumerate(common):
                at = smooth[:, place]
                single = len(series) == 1
                rows.append(
                    labels
                    | {
                        "step": step, "measure": column, "value": float(at.mean()),
                        "low": None if single else float(at.min()),
                        "high": None if single else float(at.max()),
                        "band": None if single else "range of seeds", "seeds": len(series),
                        "raw": float(raw[:, place].mean()), "window_steps": window,
                    }
                )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


def modal_curves(study: Study, cells: Sequence[Cell]) -> pl.DataFrame:
    """Share of the most common answer over evaluations; the band is the range of the seeds."""
    rows = []
    for labels, cell in _labelled(cells):
        tables = [study.modal_shares[cell.sweep, run_id] for run_id in cell.runs.values()]
        if not tables:
            continue
        grouped = pl.concat(tables).drop_nulls().group_by("step").agg(
            pl.col("modal_share").sort().mean().alias("value"),
            pl.col("modal_share").min().alias("low"),
            pl.col("modal_share").max().alias("high"),
        )  # fmt: skip
        for row in grouped.sort("step").iter_rows(named=True):
            rows.append(labels | {"measure": "modal_share", "seeds": len(tables)} | row)
    return pl.DataFrame(rows, infer_schema_length=None)


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


def _labelled(cells: Sequence[Cell]) -> list[tuple[dict[str, Any], Cell]]:
    """Cells with their labels; rank and order are those within the figure."""
    names = list(dict.fromkeys((cell.variant_type, cell.variant) for cell in cells))
    found = []
    for cell in cells:
        same = [variant for kind, variant in names if kind == cell.variant_type]
        labels = {
            "sweep": cell.sweep, "model": cell.model, "dataset": cell.dataset,
            "variant": cell.variant, "variant_type": cell.variant_type,
            "variant_rank": same.index(cell.variant),
            "variant_order": names.index((cell.variant_type, cell.variant)),
        }  # fmt: skip
        found.append((labels, cell))
    return found


def _values(effect: Effect) -> dict[str, Any]:
    return {
        "value": effect.value, "low": effect.low, "high": effect.high, "seeds": effect.seeds,
        "band": None if effect.low is None else "95% interval",
    }  # fmt: skip


def _moving_average(values: Any, window: int) -> Any:
    """Centred, shorter at the ends; values (seeds, steps)."""
    half = window // 2
    return np.stack(
        [
            values[:, max(0, place - half) : place + half + 1].mean(axis=1)
            for place in range(values.shape[1])
        ],
        axis=1,
    )
