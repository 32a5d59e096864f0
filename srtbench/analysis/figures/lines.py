"""What the figures of one idea share: a line with its band, and the two usual axes."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from srtbench.analysis.figures.style import MUTED, Style
from srtbench.variants import VARIANTS

DASHED = (0, (4, 1.6))
DOTTED = (0, (1.2, 1.4))
QUARTERS = (0, 0.25, 0.5, 0.75, 1)
X_LABELS = {
    "step": "train step",
    "samples_drawn": "samples drawn",
    "tokens_drawn": "tokens drawn",
    "updates": "optimiser updates",
}
"""Columns of ``eval_curve`` and ``train_curve`` that may be the x axis -> their names."""


def draw_band(
    ax: Any, line: pl.DataFrame, colour: str, *, x: str = "step", alpha: float = 0.13
) -> None:
    """The rows of a line that have ``low`` and ``high``, as an area."""
    band = line.filter(pl.col("low").is_not_null())
    if band.height:
        ends = (band[name].to_list() for name in (x, "low", "high"))
        ax.fill_between(*ends, color=colour, alpha=alpha, linewidth=0)


def draw_line(
    ax: Any, line: pl.DataFrame, style: Style, *, x: str = "step", **options: Any
) -> None:
    """``value`` against ``x`` with its band, in the style of a variant."""
    draw_band(ax, line, style.colour, x=x)
    looks = {"color": style.colour, "linestyle": style.line, "marker": style.marker}
    edge = {"markeredgecolor": "white", "markeredgewidth": 0.6, "clip_on": False, "zorder": 3}
    ax.plot(line[x].to_list(), line["value"].to_list(), **(looks | edge | options))


def share_axis(ax: Any, top: float = 1.0, ticks: Sequence[float] = QUARTERS) -> None:
    """The y axis as per cent from 0 to ``top``."""
    ax.set_ylim(0, top)
    ax.set_yticks([part * top for part in ticks])
    decimals = 2 if top <= 0.01 else 1 if top <= 0.02 else 0
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=decimals))


def step_axis(ax: Any, steps: pl.Series) -> None:
    """The x axis as train steps, from 0 to the largest."""
    spent_axis(ax, steps, "step")


def step_name(data: pl.DataFrame) -> str:
    """What a step of one variant is: a round, if it is known to train by rounds.

    Of a variant from outside that is known once a round has not exactly one update.
    """
    variant = VARIANTS.get(str(data["variant_type"].first()))
    is_known = variant is not None and variant.method == "rounds"
    is_round = is_known or bool((data["updates"] != data["step"]).any())
    return "round" if is_round else X_LABELS["step"]


def spent_axis(ax: Any, spent: pl.Series, x: str) -> None:
    """The x axis as what training had spent, one of ``X_LABELS``, from 0 to the largest."""
    ax.set_xlim(0, max((int(number) for number in spent.drop_nulls()), default=1) or 1)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5 if x == "step" else 4, integer=True))
    if x != "step":
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.set_xlabel(X_LABELS[x])


def nothing(ax: Any) -> Any:
    """An empty panel that says so."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no rollouts yet", ha="center", va="center", color=MUTED)
    return ax
