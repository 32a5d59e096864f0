"""Whole figures of the report: panels per model and dataset, or per variant.

Every sheet takes frames and returns a :class:`Sheet`: the figure, and the rows that it shows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from srtbench.analysis.bands import OVER_BOTH, OVER_PROMPTS, RANGE
from srtbench.analysis.figures.curves import (
    SHARE_LABEL,
    TITLES,
    collapse_gap,
    curves,
    modal_share_top,
)
from srtbench.analysis.figures.style import INK, as_polars, styled, variants
from srtbench.analysis.frames import Cell

WIDTH = 7.2
_SETTING = ["sweep", "model", "dataset"]


@dataclass(frozen=True)
class Sheet:
    """A figure, its caption and the data in it."""

    name: str
    title: str
    caption: str
    figure: Figure
    data: pl.DataFrame


def of_set(sheet: Sheet, eval_set: str) -> Sheet:
    """A sheet of evaluations on a further set, named and described as that."""
    caption = sheet.caption.replace("Held-out prompts", f"Prompts of the evaluation set {eval_set}")
    return replace(
        sheet, name=f"{sheet.name}-{eval_set}", title=f"{sheet.title}: {eval_set}", caption=caption
    )


def settings(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Rows per sweep, model and dataset, with a title that names what differs."""
    parts = frame.partition_by(_SETTING, maintain_order=True)
    varying = [name for name in _SETTING if frame[name].n_unique() > 1]
    return [(" · ".join(str(part[name][0]) for name in varying), part) for part in parts]


@styled
def accuracy_sheet(frame: Any) -> Sheet:
    """avg@k and maj@k over steps, side by side."""
    data = as_polars(frame).filter(pl.col("measure").is_in(["avg_at_k", "maj_at_k"]))
    rows = settings(data)
    figure = new_figure(len(rows), 2.75)
    axes = figure.subplots(max(len(rows), 1), 2, squeeze=False, sharey=True)
    for (title, part), (left, right) in zip(rows, axes, strict=False):
        k = largest(part, "k")
        curves(part, left, "avg_at_k", labels=False)
        curves(part, right, "maj_at_k")
        for ax, measure in ((left, "avg_at_k"), (right, "maj_at_k")):
            ax.set_title(join(title, TITLES[measure].format(k=k)))
    return Sheet(
        "accuracy",
        "Accuracy and majority accuracy",
        "Held-out prompts: mean accuracy of one sample, and of the majority of k samples. "
        + bands(data),
        figure,
        data,
    )


@styled
def collapse_sheet(frame: Any, onsets: Mapping[Cell, tuple[int, int]]) -> Sheet:
    """train_reward against gold accuracy, one panel per variant; ``onsets`` per collapsed cell."""
    measures = ["train_reward", "gold_reward"]
    data = as_polars(frame).filter(pl.col("measure").is_in(measures))
    panels: list[tuple[str, str, pl.DataFrame] | None] = []
    columns = 3
    for title, part in settings(data):  # each setting begins a new row
        panels += [None] * (-len(panels) % columns)
        panels += [
            (title, name, part.filter(pl.col("variant") == name)) for name, _ in variants(part)
        ]
    if not panels:
        return _empty("collapse", "What the optimiser saw against the truth", data)
    rows = -(-len(panels) // columns)
    figure = new_figure(rows, 1.95)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    panels += [None] * (len(axes) - len(panels))
    for number, (panel, ax) in enumerate(zip(panels, axes, strict=True)):
        if panel is None:
            ax.set_axis_off()
            continue
        title, name, part = panel
        key = (part["sweep"][0], part["model"][0], part["dataset"][0], name)
        collapse_gap(part, ax, onset=onsets.get(key), labels=False)
        ax.set_title(join(title, name), color=ax.title.get_color())
        below = panels[number + columns : number + columns + 1]
        if below and below[0] is not None:
            ax.set_xlabel("")
    free = panels.index(None) if None in panels else None
    _key(None if free is None else axes[free], figure)
    window = largest(data, "window_steps")
    return Sheet(
        "collapse",
        "What the optimiser saw against the truth",
        "Training rollouts: train_reward (dashed) is what the optimiser maximises, gold accuracy "
        "(solid) is never shown to a label-free variant. A collapse is a gold accuracy that falls "
        f"for good while train_reward holds or rises. Moving average over {window} steps. "
        + bands(data, raw=True),
        figure,
        data,
    )


@styled
def label_accuracy_sheet(frame: Any) -> Sheet:
    """Pseudo-label accuracy over steps."""
    sheet = _single(frame, "label_accuracy")
    window = largest(sheet, "window_steps")
    return Sheet(
        "label_accuracy",
        "Accuracy of the pseudo-labels",
        "Training groups: share whose pseudo-label is the gold answer. Variants without labels are "
        f"left out; gold is right by definition. Moving average over {window} steps. "
        + bands(sheet),
        _panels(sheet, "label_accuracy"),
        sheet,
    )


@styled
def modal_share_sheet(frame: Any) -> Sheet:
    """Share of the most common answer across prompts over steps."""
    data = _single(frame, "modal_share")
    top = modal_share_top(data)
    axis = "" if top == 1 else f"The y axis ends at {100 * top:.0f}%, not at 100%. "
    return Sheet(
        "modal_share",
        "Most common answer across different prompts",
        "Held-out prompts: share of all completions that give the one answer most common across "
        "prompts. Near 100% every prompt gets the same answer. " + axis + bands(data),
        _panels(data, "modal_share", SHARE_LABEL, top),
        data,
    )


def bands(data: pl.DataFrame, raw: bool = False) -> str:
    """What the bands in a figure are, in words."""
    kinds = sorted(data["band"].drop_nulls().unique().to_list())
    if not kinds:
        return "Thin line: single steps; one seed." if raw else "One seed."
    number = largest(data, "seeds")
    words = {
        RANGE: f"lowest to highest of up to {number} seeds",
        OVER_BOTH: f"{OVER_BOTH} (up to {number} seeds)",
        OVER_PROMPTS: f"{OVER_PROMPTS} where there is one seed",
    }
    return f"Band: {'; '.join(words.get(kind, kind) for kind in kinds)}."


def _single(frame: Any, measure: str) -> pl.DataFrame:
    return as_polars(frame).filter(pl.col("measure") == measure)


def _panels(
    data: pl.DataFrame, measure: str, y_label: str | None = None, top: float = 1.0
) -> Figure:
    """One panel per setting, two in a row."""
    parts = settings(data)
    columns = min(max(len(parts), 1), 2)
    rows = max(-(-len(parts) // columns), 1)
    figure = new_figure(rows, 2.6, WIDTH if columns > 1 else 5.4)
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=True).flat)
    for number, ((title, part), ax) in enumerate(_zip(parts, axes)):
        curves(part, ax, measure, y_label=None if number % columns else y_label, top=top)
        ax.set_title(join(title, TITLES[measure]))
    for ax in axes[max(len(parts), 1) :]:
        ax.set_axis_off()
    return figure


def _zip(
    parts: list[tuple[str, pl.DataFrame]], axes: list[Any]
) -> Iterator[tuple[tuple[str, pl.DataFrame], Any]]:
    if not parts:
        axes[0].set_axis_off()
        axes[0].text(0.5, 0.5, "no rollouts yet", ha="center", va="center")
    return zip(parts, axes, strict=False)


def new_figure(rows: int, height: float, width: float = WIDTH) -> Figure:
    return Figure(figsize=(width, max(rows, 1) * height), layout="constrained")


def join(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _key(ax: Any, figure: Figure) -> None:
    """Explain the two lines once: in a free panel, or else above the figure."""
    handles = [
        Line2D([], [], color=INK, linestyle=(0, (4, 1.6)), linewidth=1.4),
        Line2D([], [], color="#7A7F87", linewidth=1.9),
    ]
    names = ["train_reward", "gold accuracy (variant's colour)"]
    if ax is None:
        figure.legend(handles, names, loc="outside upper left", ncols=2)
    else:
        ax.set_axis_off()
        ax.legend(handles, names, loc="upper left", bbox_to_anchor=(0, 1))


def _empty(name: str, title: str, data: pl.DataFrame) -> Sheet:
    figure = new_figure(1, 1.6, 5.4)
    ax = figure.subplots()
    ax.set_axis_off()
    ax.text(0.5, 0.5, "no rollouts yet", ha="center", va="center", color="#6b727c")
    return Sheet(name, title, "No run has logged rollouts yet.", figure, data)


def largest(data: pl.DataFrame, column: str) -> int:
    return max((int(value) for value in data[column].drop_nulls()), default=1)
