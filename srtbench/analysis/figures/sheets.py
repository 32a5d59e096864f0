"""The figures that every report has: accuracy, collapse, labels, most common answer.

Every sheet takes frames and returns a :class:`~.panels.Sheet`: the figure, and the rows it shows.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from srtbench.analysis.figures.curves import (
    SHARE_LABEL,
    TITLES,
    collapse_gap,
    curves,
    modal_share_top,
)
from srtbench.analysis.figures.lines import DASHED, nothing
from srtbench.analysis.figures.panels import (
    Sheet,
    bands,
    few_cells,
    grid,
    join,
    largest,
    new_figure,
    panels,
    settings,
)
from srtbench.analysis.figures.style import INK, as_polars, styled, variants
from srtbench.analysis.frames import CELL, Cell, cell_of

_BESIDE = 12
"""Letters of a title that leave room for the onset's name on the same line."""


@styled
def accuracy_sheet(frame: Any) -> Sheet:
    """avg@k and maj@k over steps, side by side."""
    data = as_polars(frame).filter(pl.col("measure").is_in(["avg_at_k", "maj_at_k"]))
    rows = settings(data)
    figure = new_figure(len(rows), 2.75)
    axes = figure.subplots(max(len(rows), 1), 2, squeeze=False, sharey=True)
    for (title, part), pair in zip(rows, axes, strict=False):
        for ax, measure in zip(pair, ("avg_at_k", "maj_at_k"), strict=True):
            curves(part, ax, measure, labels=measure == "maj_at_k")
            ax.set_title(join(title, TITLES[measure].format(k=largest(part, "k"))))
    caption = "Held-out prompts: mean accuracy of one sample, and of the majority of k samples. "
    return Sheet("accuracy", "Accuracy and majority accuracy", caption + bands(data), figure, data)


@styled
def collapse_sheet(frame: Any, onsets: Mapping[Cell, tuple[int, int]]) -> Sheet:
    """train_reward against gold accuracy, one panel per variant; ``onsets`` per collapsed cell."""
    measures = ["train_reward", "gold_reward"]
    data = as_polars(frame).filter(pl.col("measure").is_in(measures))
    name, title = "collapse", "What the optimiser saw against the truth"
    cells = [cell_of(row) for row in data.select(CELL).unique(maintain_order=True).rows(named=True)]
    chosen, left_out = few_cells(cells, name, onsets)
    places: list[tuple[str, str, pl.DataFrame] | None] = []
    columns = 3
    for setting, part in settings(data):  # each setting begins a new row
        row = part.select(CELL).row(0)
        here = [one for one, _ in variants(part) if (row[0], row[1], row[2], one) in chosen]
        places += [None] * (-len(places) % columns if here else 0)
        places += [(setting, one, part.filter(pl.col("variant") == one)) for one in here]
    if not places:
        figure = new_figure(1, 1.6, 5.4)
        nothing(figure.subplots())
        return Sheet(name, title, "No run has logged rollouts yet.", figure, data)
    figure, axes = grid(columns * -(-len(places) // columns), columns, 1.95, sharey=True)
    places += [None] * (len(axes) - len(places))
    for number, (place, ax) in enumerate(zip(places, axes, strict=True)):
        if place is None:
            ax.set_axis_off()
            continue
        setting, variant, part = place
        key = (part["sweep"][0], part["model"][0], part["dataset"][0], variant)
        collapse_gap(part, ax, onset=onsets.get(key), labels=False)
        below_it = "\n" if key in onsets and len(variant) > _BESIDE else ""  # the onset's name
        ax.set_title(join(setting, variant) + below_it, color=ax.title.get_color())
        below = places[number + columns : number + columns + 1]
        if below and below[0] is not None:
            ax.set_xlabel("")
    _key(axes[places.index(None)] if None in places else None, figure)
    caption = (
        "Training rollouts: train_reward (dashed) is what the optimiser maximises, gold accuracy "
        "(solid) is never shown to a label-free variant. A collapse is a gold accuracy that falls "
        f"for good while train_reward holds or rises. {_window(data)}{bands(data, raw=True)}"
        f"{left_out}"
    )
    return Sheet(name, title, caption, figure, data)


@styled
def label_accuracy_sheet(frame: Any) -> Sheet:
    """Pseudo-label accuracy over steps."""
    data = as_polars(frame).filter(pl.col("measure") == "label_accuracy")
    caption = (
        "Training groups: share whose pseudo-label is the gold answer. Variants without labels are "
        f"left out; gold is right by definition. {_window(data)}{bands(data)}"
    )
    figure = panels(
        data, 2.6, lambda part, ax: curves(part, ax, "label_accuracy"), TITLES["label_accuracy"],
        sharey=True,
    )  # fmt: skip
    return Sheet("label_accuracy", "Accuracy of the pseudo-labels", caption, figure, data)


@styled
def modal_share_sheet(frame: Any) -> Sheet:
    """Share of the most common answer across prompts over steps."""
    data = as_polars(frame).filter(pl.col("measure") == "modal_share")
    top = modal_share_top(data)
    axis = "" if top == 1 else f"The y axis ends at {100 * top:.0f}%, not at 100%. "
    caption = (
        "Held-out prompts: share of all completions that give the one answer most common across "
        f"prompts. Near 100% every prompt gets the same answer. {axis}{bands(data)}"
    )

    def draw(part: pl.DataFrame, ax: Any) -> None:
        label = SHARE_LABEL if ax.get_subplotspec().is_first_col() else None
        curves(part, ax, "modal_share", y_label=label, top=top)

    figure = panels(data, 2.6, draw, TITLES["modal_share"], sharey=True)
    title = "Most common answer across different prompts"
    return Sheet("modal_share", title, caption, figure, data)


def _window(data: pl.DataFrame) -> str:
    return f"Moving average over {largest(data, 'window_steps')} steps. "


def _key(ax: Any, figure: Figure) -> None:
    """Explain the two lines once: in a free panel, or else above the figure."""
    handles = [
        Line2D([], [], color=INK, linestyle=DASHED, linewidth=1.4),
        Line2D([], [], color="#7A7F87", linewidth=1.9),
    ]
    names = ["train_reward", "gold accuracy (variant's colour)"]
    if ax is None:
        figure.legend(handles, names, loc="outside upper left", ncols=2)
    else:
        ax.set_axis_off()
        ax.legend(handles, names, loc="upper left", bbox_to_anchor=(0, 1))
