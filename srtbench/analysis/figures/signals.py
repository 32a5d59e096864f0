"""Figures of what each train step says of the policy and of its reward."""

from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator

from srtbench.analysis.figures.curves import variant_lines
from srtbench.analysis.figures.lines import nothing, step_axis
from srtbench.analysis.figures.panels import (
    Sheet,
    bands,
    join,
    largest,
    new_figure,
    panels,
    settings,
)
from srtbench.analysis.figures.style import MUTED, as_polars, direct_labels, styled

_SIGNALS = {
    "entropy_nats": "Token entropy, nats",
    "completion_tokens": "Completion, tokens",
    "answer_characters": "Answer, characters",
}


@styled
def measure_curves(frame: Any, ax: Any, measure: str, *, labels: bool = True) -> Any:
    """One measure of ``train_curve`` that is no share, from 0 up, a line per variant."""
    data = as_polars(frame).filter((pl.col("measure") == measure) & pl.col("value").is_not_null())
    if not data.height:
        return nothing(ax)
    ends = variant_lines(data, ax)
    top = max((float(v) for v in [*data["value"], *data["high"].drop_nulls()]), default=1.0) * 1.1
    top = top or 1.0
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    step_axis(ax, data["step"])
    if labels:
        direct_labels(ax, ends, gap=0.072 * top)
    return ax


@styled
def signals_sheet(frame: Any) -> Sheet | None:
    """Token entropy, length of completions and of answers over train steps."""
    data = as_polars(frame).filter(
        pl.col("measure").is_in(list(_SIGNALS)) & pl.col("value").is_not_null()
    )
    shown = [name for name in _SIGNALS if name in set(data["measure"])]
    if not shown:
        return None
    rows = settings(data)
    figure = new_figure(len(rows), 2.5)
    axes = figure.subplots(len(rows), len(shown), squeeze=False)
    for (title, part), row in zip(rows, axes, strict=True):
        for ax, measure in zip(row, shown, strict=True):
            measure_curves(part, ax, measure, labels=measure == shown[-1])
            ax.set_title(join(title, _SIGNALS[measure]))
    caption = (
        "Training rollouts, seen without labels: mean entropy of the policy per token, mean length "
        "of a completion (the end token included) and of the answer found in it. Moving average "
        f"over {largest(data, 'window_steps')} steps. {bands(data)}"
    )
    return Sheet("signals", "Entropy and length at every train step", caption, figure, data)


@styled
def youden_sheet(frame: Any) -> Sheet | None:
    """Youden's J of the reward over train steps."""
    data = as_polars(frame).filter(
        (pl.col("measure") == "youden_j") & pl.col("value").is_not_null()
    )
    if not data.height:
        return None

    def draw(part: pl.DataFrame, ax: Any) -> None:
        ends = variant_lines(part, ax)
        low = min((float(v) for v in [*part["value"], *part["low"].drop_nulls()]), default=0.0)
        bottom = -1.0 if low < -0.5 else -0.5 if low < -0.05 else -0.1
        ax.set_ylim(bottom, 1.02)
        ax.axhline(0.0, color=MUTED, linewidth=0.8)
        step_axis(ax, part["step"])
        direct_labels(ax, ends, gap=0.072 * (1.02 - bottom))

    figure = panels(data, 2.6, draw, "Youden's J of train_reward")
    caption = (
        "Training rollouts: mean train_reward of right completions minus that of wrong ones. 1 is "
        "the gold reward, 0 a reward that knows nothing; where J is below 0 it prefers wrong "
        "answers, and learning from it makes the policy worse. Left out: steps whose completions "
        "are all right or all wrong, and rewards that leave 0 to 1. Moving average over "
        f"{largest(data, 'window_steps')} steps. {bands(data)}"
    )
    return Sheet("youden_j", "Can this reward teach?", caption, figure, data)
