"""Curves over training, one line per variant: over its steps, or what it had spent."""

from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator

from srtbench.analysis.figures.lines import (
    DASHED,
    DOTTED,
    draw_band,
    draw_line,
    nothing,
    share_axis,
    spent_axis,
    step_name,
)
from srtbench.analysis.figures.style import (
    INK,
    MUTED,
    ONSET,
    as_polars,
    direct_labels,
    styled,
    variants,
)

TITLES = {
    "avg_at_k": "Accuracy (avg@{k})",
    "maj_at_k": "Majority accuracy (maj@{k})",
    "pass_at_k": "Any correct (pass@{k})",
    "label_accuracy": "Pseudo-label accuracy",
    "modal_share": "Most common answer across prompts",
    "train_reward": "train_reward",
    "gold_reward": "Gold accuracy",
}


VOTES_COST = ("samples_drawn", "tokens_drawn")
"""x axes on which voting without training has a place."""
SHARE_LABEL = "% of all completions"
_SMALL_TOPS = (0.01, 0.02, 0.04, 0.08, 0.12)
"""Ends of an axis whose quarters are round numbers of per cent."""


@styled
def curves(
    frame: Any,
    ax: Any,
    measure: str,
    *,
    labels: bool = True,
    y_label: str | None = None,
    top: float = 1.0,
    x: str = "step",
    voting: Any = None,
) -> Any:
    """One measure of ``eval_curve`` or ``train_curve``: mean and band per variant.

    Args:
        top: where the y axis ends, as a share.
        x: what the x axis is, one of ``X_LABELS``: steps, or what training had spent.
        voting: rows of :func:`srtbench.analysis.consistency.start_voting`, drawn as a dotted line
            where ``x`` is samples or tokens.
    """
    data = of_measure(frame, measure, x)
    ends = variant_lines(data, ax, x)
    if voting is not None and x in VOTES_COST:
        ends += voting_line(as_polars(voting), ax, x)
    _axes(ax, data, y_label, top, x)
    if labels and ends:
        label_ends(ax, ends, gap=0.072 * top)
    return ax


def of_measure(frame: Any, measure: str, x: str = "step") -> pl.DataFrame:
    """Rows of one measure that have a place on the x axis."""
    data = as_polars(frame).filter(pl.col("measure") == measure)
    return data.filter(pl.col(x).is_not_null())


LineEnd = tuple[float, str, str, float]
"""y, name, colour and x of where a line ends."""


def variant_lines(data: pl.DataFrame, ax: Any, x: str = "step") -> list[LineEnd]:
    """A line per variant; returns their ends."""
    ends = []
    is_train = "raw" in data.columns
    for variant, style in variants(data):
        line = data.filter(pl.col("variant") == variant).sort("step")
        every = max(1, line.height // 8) if is_train else 1
        draw_line(ax, line, style, x=x, label=variant, markevery=every)
        ends.append((line["value"][-1], variant, style.text_colour, float(line[x][-1])))
    return ends


def voting_line(voting: pl.DataFrame, ax: Any, x: str) -> list[LineEnd]:
    """maj@k of the start model against what k votes on every held-out prompt take; its end."""
    line = voting.filter(pl.col(x).is_not_null()).sort("k")
    if not line.height:
        return []
    spent, shares = line[x].to_list(), line["value"].to_list()
    draw_band(ax, line, MUTED, x=x, alpha=0.1)
    ax.plot(spent, shares, color=MUTED, linestyle=DOTTED, linewidth=1.4, zorder=2)
    ax.plot(spent[-1:], shares[-1:], color=MUTED, marker="o", markersize=3, clip_on=False, zorder=2)
    return [(shares[-1], f"start model, maj@{line['k'][-1]}", MUTED, float(spent[-1]))]


def label_ends(ax: Any, ends: list[LineEnd], gap: float) -> None:
    """Names beside the right edge, each led to where its line ends."""
    right = ax.get_xlim()[1]
    places = [x for *_, x in ends]
    early = any(place < 0.99 * right for place in places)
    entries = [(y, name, colour) for y, name, colour, _ in ends]
    direct_labels(ax, entries, gap=gap, ends=places if early else None)


@styled
def length_curves(frame: Any, ax: Any, *, labels: bool = True, x: str = "step") -> Any:
    """Mean completion length in tokens, from ``eval_curve``; ``x`` as of :func:`curves`."""
    data = of_measure(frame, "completion_tokens", x)
    ends = variant_lines(data, ax, x)
    top = max((float(v) for v in data["value"]), default=1.0) * 1.15
    ax.set_ylim(0, top)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5))
    spent_axis(ax, data[x], x)
    if labels and ends:
        label_ends(ax, ends, gap=0.072 * top)
    return ax


def accuracy_curves(
    frame: Any, ax: Any, *, labels: bool = True, x: str = "step", voting: Any = None
) -> Any:
    """avg@k on held-out prompts; ``x`` and ``voting`` as of :func:`curves`."""
    return curves(frame, ax, "avg_at_k", labels=labels, x=x, voting=voting)


def majority_curves(
    frame: Any, ax: Any, *, labels: bool = True, x: str = "step", voting: Any = None
) -> Any:
    """maj@k on held-out prompts; ``x`` and ``voting`` as of :func:`curves`."""
    return curves(frame, ax, "maj_at_k", labels=labels, x=x, voting=voting)


def label_accuracy(frame: Any, ax: Any, *, labels: bool = True, x: str = "step") -> Any:
    """Share of training groups whose pseudo-label is right; ``x`` as of :func:`curves`."""
    return curves(frame, ax, "label_accuracy", labels=labels, x=x)


def modal_share(frame: Any, ax: Any, *, labels: bool = True, x: str = "step") -> Any:
    """Share of all completions that give the answer most common across prompts.

    Where it stays below 10% the y axis ends early; see :func:`modal_share_top`.
    """
    top = modal_share_top(frame)
    return curves(frame, ax, "modal_share", labels=labels, y_label=SHARE_LABEL, top=top, x=x)


def modal_share_top(frame: Any) -> float:
    """Where the axis of ``modal_share`` ends: 1, or less where every line and band is below 0.1."""
    data = as_polars(frame).filter(pl.col("measure") == "modal_share")
    shares = [*data["value"].drop_nulls(), *data["high"].drop_nulls()]
    most = max(shares, default=1.0)
    return 1.0 if most >= 0.1 else next(top for top in _SMALL_TOPS if most <= top)


@styled
def collapse_gap(
    frame: Any,
    ax: Any,
    *,
    onset: tuple[int, int] | None = None,
    labels: bool = True,
    until: int = 0,
) -> Any:
    """train_reward against gold accuracy of the same rollouts, for one variant of ``train_curve``.

    ``onset``: the evaluations between which the variant collapsed, marked by a stripe.
    ``until``: a step that the x axis reaches in any case.
    """
    data = as_polars(frame)
    reward = data.filter(pl.col("measure") == "train_reward").sort("step")
    gold = data.filter(pl.col("measure") == "gold_reward").sort("step")
    if not reward.height:
        return nothing(ax)
    (variant, style), *_ = variants(data)
    x = reward["step"].to_list()
    for line, colour in ((reward, INK), (gold, style.colour)):
        if line["low"].null_count() == line.height and line["window_steps"].max() != 1:
            ax.plot(x, line["raw"].to_list(), color=colour, linewidth=0.5, alpha=0.25)
        draw_band(ax, line, colour, alpha=0.12)
    ax.plot(x, gold["value"].to_list(), color=style.colour, linewidth=1.9, clip_on=False)
    rewards = reward["value"].to_list()
    ax.plot(x, rewards, color=INK, linestyle=DASHED, linewidth=1.3, clip_on=False)
    _axes(ax, data, None)
    ax.set_xlabel(step_name(data))
    ax.set_xlim(0, max(until, ax.get_xlim()[1]))
    ax.set_title(variant, color=style.text_colour)
    if onset is not None:
        mark_onset(ax, onset)
    if labels:
        ends = [
            (reward["value"][-1], "train_reward", INK),
            (gold["value"][-1], "gold accuracy", style.text_colour),
        ]
        direct_labels(ax, ends, gap=0.1)
    return ax


def mark_onset(ax: Any, onset: tuple[int, int], *, name: bool = True) -> None:
    """A stripe between the evaluations where a variant collapsed, named above the panel."""
    after, by = onset
    ax.axvspan(after, by, color=ONSET, alpha=0.1, linewidth=0, zorder=0)
    ax.axvline(by, color=ONSET, linewidth=0.8, linestyle=(0, (2, 2)), zorder=1)
    if name:
        text = f"collapse, steps {after}\u2013{by}"
        ax.set_title(text, loc="right", color=ONSET, fontsize=7, fontweight="normal")


def _axes(
    ax: Any, data: pl.DataFrame, y_label: str | None, top: float = 1.0, x: str = "step"
) -> None:
    share_axis(ax, top)
    spent_axis(ax, data[x], x)
    if y_label:
        ax.set_ylabel(y_label)
