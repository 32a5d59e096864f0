"""Figures of what each train step says of the policy and of its reward."""

from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator

from srtbench.analysis.figures.curves import label_ends, of_measure, variant_lines
from srtbench.analysis.figures.lines import nothing, spent_axis
from srtbench.analysis.figures.panels import (
    Sheet,
    averaged,
    bands,
    join,
    new_figure,
    panels,
    settings,
)
from srtbench.analysis.figures.sheets import spent
from srtbench.analysis.figures.style import MUTED, as_polars, styled

_SIGNALS = {
    "entropy_nats": "Token entropy, nats",
    "completion_tokens": "Completion, tokens",
    "answer_characters": "Answer, characters",
}


@styled
def measure_curves(
    frame: Any, ax: Any, measure: str, *, labels: bool = True, x: str = "step"
) -> Any:
    """One measure of ``train_curve`` that is no share, from 0 up, a line per variant."""
    data = of_measure(frame, measure, x).filter(pl.col("value").is_not_null())
    if not data.height:
        return nothing(ax)
    ends = variant_lines(data, ax, x)
    top = max((float(v) for v in [*data["value"], *data["high"].drop_nulls()]), default=1.0) * 1.1
    top = top or 1.0
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    spent_axis(ax, data[x], x)
    if labels:
        label_ends(ax, ends, gap=0.072 * top)
    return ax


@styled
def signals_sheet(frame: Any, x: str = "step") -> Sheet | None:
    """Token entropy, length of completions and of answers; ``x``: one of ``X_LABELS``."""
    data = as_polars(frame).filter(
        pl.col("measure").is_in(list(_SIGNALS))
        & pl.col("value").is_not_null()
        & pl.col(x).is_not_null()
    )
    shown = [name for name in _SIGNALS if name in set(data["measure"])]
    if not shown:
        return None
    rows = settings(data)
    figure = new_figure(len(rows), 2.5)
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    for (title, part), row in zip(rows, axes, strict=True):
        for ax, measure in zip(row, shown, strict=True):
            measure_curves(part, ax, measure, labels=measure == shown[-1], x=x)
            ax.set_title(join(title, _SIGNALS[measure]))
    caption = (
        "Training rollouts, seen without labels: mean entropy of the policy per token, mean length "
        "of a completion (the end token included) and of the answer found in it. "
        f"{averaged(data)}{spent(x)}{bands(data)}"
    )
    return Sheet("signals", "Entropy and length at every train step", caption, figure, data)


@styled
def youden_sheet(frame: Any, x: str = "step") -> Sheet | None:
    """Youden's J of the reward; ``x``: one of ``X_LABELS``."""
    data = of_measure(frame, "youden_j", x).filter(pl.col("value").is_not_null())
    if not data.height:
        return None

    def draw(part: pl.DataFrame, ax: Any) -> None:
        ends = variant_lines(part, ax, x)
        low = min((float(v) for v in [*part["value"], *part["low"].drop_nulls()]), default=0.0)
        bottom = -1.0 if low < -0.5 else -0.5 if low < -0.05 else -0.1
        ax.set_ylim(bottom, 1.02)
        ax.axhline(0.0, color=MUTED, linewidth=0.8)
        spent_axis(ax, part[x], x)
        label_ends(ax, ends, gap=0.072 * (1.02 - bottom))

    figure = panels(data, 2.6, draw, "Youden's J of train_reward")
    caption = (
        "Training rollouts: mean train_reward of right completions minus that of wrong ones. 1 is "
        "the gold reward, 0 a reward that knows nothing; where J is below 0 it prefers wrong "
        "answers, and learning from it makes the policy worse. Left out: steps whose completions "
        "are all right or all wrong, and rewards that leave 0 to 1. "
        f"{averaged(data)}{spent(x)}{bands(data)}"
    )
    return Sheet("youden_j", "Can this reward teach?", caption, figure, data)
