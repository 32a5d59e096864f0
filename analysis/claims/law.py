"""C10: the time of the fall as a function of the learning rate and of the start."""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl

from analysis.claims.data import Cell, Study
from analysis.claims.hypotheses import C10
from analysis.claims.mechanism import falls
from analysis.claims.sections import Number, Section, Table, count, not_run, start
from analysis.claims.weibull import Fit, jackknife, weibull
from srtbench.analysis.effects import POSITIVE, SHARE, Effect, effect
from srtbench.analysis.figures import styled
from srtbench.analysis.figures.panels import Sheet, new_figure
from srtbench.analysis.figures.style import MUTED


@dataclass(frozen=True)
class Run:
    """One run: its learning rate, the majority accuracy of its start, and when it fell."""

    seed: int
    model: str
    rate: float
    majority: float
    odds: float
    """Logarithm of the odds of ``majority``, with half a prompt more on each side."""
    low: float
    high: float


def law(study: Study) -> Section:
    """C10: the slopes of the regression, and what they rest on."""
    section, cells = start(C10, study)
    if not cells:
        return not_run(section)
    section.use(cells)
    rows = [run for cell in cells for run in _runs(study, cell)]
    task = cells[0].dataset
    missing = "too few runs fell for a fit" if rows else "no run is finished"
    effects = {
        "C10a": _slope(rows, 0, 0.0),
        "C10b": _slope(rows, 0, 1.0),
        "C10c": _slope(rows, 1, 0.0),
    }
    for key, found in effects.items():
        section.add(key, task, found, missing)
    if rows:
        section.tables.append(_cell_table(cells, rows))
        section.sheet = law_sheet(rows, _fit(rows, {run.seed for run in rows}))
    section.method.append(
        "A run falls at the first evaluation below half of its start. Its time is known to the two "
        "evaluations around it, or to lie after the end; log T = a + b log(rate) + c logit(start "
        "maj@k) + s W is fitted to all runs by maximum likelihood, W of the least extreme value "
        "(Weibull). Intervals are of the jackknife over seeds."
    )
    return section


def _runs(study: Study, cell: Cell) -> list[Run]:
    found = falls(study, cell)
    rows = []
    for block in study.blocks(cell):
        for seed, majority in zip(block.seeds, block.maj[:, 0].mean(axis=1), strict=True):
            prompts = len(block.prompts)
            right = float(majority) * prompts
            odds = math.log((right + 0.5) / (prompts - right + 0.5))
            rate = float(cell.learning_rate or math.nan)
            rows.append(Run(seed, cell.model, rate, float(majority), odds, *found[seed]))
    return rows


def _fit(rows: list[Run], seeds: Collection[int]) -> Fit | None:
    known = [run for run in rows if run.seed in seeds]
    low, high = (np.array([getattr(run, name) for run in known]) for name in ("low", "high"))
    x = np.array([(math.log(run.rate), run.odds) for run in known]).reshape(-1, 2)
    return weibull(low, high, x)


def _slope(rows: list[Run], which: int, plus: float) -> Effect | None:
    def estimate(seeds: Collection[int]) -> float | None:
        fit = _fit(rows, seeds)
        return None if fit is None else fit.slopes[which] + plus

    return jackknife(estimate, {run.seed for run in rows})


def _cell_table(cells: list[Cell], rows: list[Run]) -> Table:
    """Who fell, by start and rate."""
    lines = []
    for cell in cells:
        own = [run for run in rows if (run.model, run.rate) == (cell.model, cell.learning_rate)]
        fallen = [run.high for run in own if math.isfinite(run.high)]
        numbers = (
            count(len(own)),
            Number(effect([run.majority for run in own], SHARE)),
            count(len(fallen)),
            Number(effect(fallen, POSITIVE) if fallen else None, 0),
        )
        lines.append(((cell.model, f"{cell.learning_rate:g}"), numbers))
    return Table(
        "cells", "Who fell", ("start model", "learning rate"),
        ("seeds", "start maj@k", "fell", "first evaluation below half the start, of those"),
        tuple(lines),
    )  # fmt: skip


@styled
def law_sheet(rows: list[Run], fit: Fit | None) -> Sheet:
    """Time of the fall against learning rate, a panel per start model."""
    models = sorted({run.model for run in rows}, key=lambda name: _start_of(rows, name))
    figure = new_figure(1, 2.8)
    axes = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for ax, model in zip(axes, models, strict=True):
        own = [run for run in rows if run.model == model]
        for run in own:
            spread = run.rate * (1 + 0.03 * (run.seed % 5 - 2))  # else equal times hide each other
            if math.isfinite(run.high):
                ax.plot([spread] * 2, [max(run.low, 1), run.high], color="#D55E00", linewidth=1.6)
            else:
                ax.plot([spread], [run.low], marker="^", color=MUTED, linestyle="none")
        if fit is not None:
            rates = np.geomspace(min(run.rate for run in own), max(run.rate for run in own), 40)
            odds = np.mean([run.odds for run in own])
            x = np.column_stack([np.log(rates), np.full(len(rates), odds)])
            ax.plot(rates, fit.median(x), color="#0072B2", linewidth=1.4)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_title(f"start maj@k {_start_of(rows, model):.0%}")
        ax.set_xlabel("learning rate")
    axes[0].set_ylabel("train step of the fall")
    caption = (
        "One mark per run. Bar: the run fell between these evaluations. Triangle: it had not by "
        "the end. Line: median of the fitted law, at the panel's mean start."
    )
    data = pl.DataFrame([vars(run) for run in rows])
    return Sheet("C10", C10.title, caption, figure, data)


def _start_of(rows: list[Run], model: str) -> float:
    return float(np.mean([run.majority for run in rows if run.model == model]))
