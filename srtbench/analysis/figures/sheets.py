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
    VOTES_COST,
    collapse_gap,
    curves,
    modal_share_top,
)
from srtbench.analysis.figures.lines import DASHED, nothing, step_name
from srtbench.analysis.figures.panels import (
    SETTING,
    Sheet,
    averaged,
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
def accuracy_sheet(frame: Any, x: str = "step", voting: Any = None) -> Sheet:
    """avg@k and maj@k, side by side.

    Args:
        x: steps, or what training had spent, see :func:`srtbench.analysis.figures.curves`.
        voting: rows of :func:`srtbench.analysis.consistency.start_voting`, drawn beside samples or
            tokens: what the same budget gives if the start model votes with it.
    """
    data = as_polars(frame).filter(pl.col("measure").is_in(["avg_at_k", "maj_at_k"]))
    votes = None if voting is None or x not in VOTES_COST else as_polars(voting)
    rows = settings(data)
    figure = new_figure(len(rows), 2.75)
    axes = figure.subplots(max(len(rows), 1), 2, squeeze=False, sharey=True)
    for (title, part), pair in zip(rows, axes, strict=False):
        own = None if votes is None else votes.join(part.select(SETTING).unique(), on=SETTING)
        for ax, measure in zip(pair, ("avg_at_k", "maj_at_k"), strict=True):
            curves(part, ax, measure, labels=measure == "maj_at_k", x=x, voting=own)
            ax.set_title(join(title, TITLES[measure].format(k=largest(part, "k"))))
    caption = "Held-out prompts: mean accuracy of one sample, and of the majority of k samples. "
    caption += spent(x)
    if votes is not None and votes.height:
        caption += _voting(votes)
    return Sheet("accuracy", "Accuracy and majority accuracy", caption + bands(data), figure, data)


def _voting(votes: pl.DataFrame) -> str:
    most, prompts = largest(votes, "k"), sorted({*votes["prompts"]})
    numbers = " or ".join(str(number) for number in prompts)
    return (
        "Dotted: no training, the start model votes with the same budget, shared evenly by the "
        f"{numbers} prompts. It is exact maj@k of the samples that its evaluation logged, and ends "
        f"at k = {most}, the most that these allow; what more votes would give is not known. "
    )


def spent(x: str) -> str:
    """What an x axis other than steps shows, as a sentence."""
    return "" if x == "step" else f"{_SPENT[x]} "


_SPENT = {
    "samples_drawn": "x: all completions that training drew until then, further votes, hot samples "
    "and dropped groups among them.",
    "tokens_drawn": "x: tokens of all completions that training drew until then.",
    "updates": "x: optimiser updates until then.",
}


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
        alike = [one for one in places if one is not None and step_name(one[2]) == step_name(part)]
        ends = [largest(one, "step") for _, _, one in alike if one["sweep"][0] == key[0]]
        until = max(ends)
        collapse_gap(part, ax, onset=onsets.get(key), labels=False, until=until)
        below_it = "\n" if key in onsets and len(variant) > _BESIDE else ""  # the onset's name
        ax.set_title(join(setting, variant) + below_it, color=ax.title.get_color())
        below = places[number + columns : number + columns + 1]
        if below and below[0] is not None and step_name(below[0][2]) == ax.get_xlabel():
            ax.set_xlabel("")
    _key(axes[places.index(None)] if None in places else None, figure)
    caption = (
        "Training rollouts: train_reward (dashed) is what the optimiser maximises, gold accuracy "
        "(solid) is never shown to a label-free variant. A collapse is a gold accuracy that falls "
        f"for good while train_reward holds or rises. {averaged(data)}{bands(data, raw=True)}"
        f"{left_out}"
    )
    return Sheet(name, title, caption, figure, data)


@styled
def label_accuracy_sheet(frame: Any, x: str = "step") -> Sheet:
    """Pseudo-label accuracy; ``x`` as of :func:`accuracy_sheet`."""
    data = as_polars(frame).filter(pl.col("measure") == "label_accuracy")
    caption = (
        "Training groups: share whose pseudo-label is the gold answer. Variants without labels are "
        f"left out; gold is right by definition. {spent(x)}{averaged(data)}{bands(data)}"
    )
    figure = panels(
        data, 2.6, lambda part, ax: curves(part, ax, "label_accuracy", x=x),
        TITLES["label_accuracy"], sharey=True,
    )  # fmt: skip
    return Sheet("label_accuracy", "Accuracy of the pseudo-labels", caption, figure, data)


@styled
def modal_share_sheet(frame: Any, x: str = "step") -> Sheet:
    """Share of the most common answer across prompts; ``x`` as of :func:`accuracy_sheet`."""
    data = as_polars(frame).filter(pl.col("measure") == "modal_share")
    top = modal_share_top(data)
    axis = "" if top == 1 else f"The y axis ends at {100 * top:.0f}%, not at 100%. "
    caption = (
        "Held-out prompts: share of all completions that give the one answer most common across "
        f"prompts. Near 100% every prompt gets the same answer. {axis}{spent(x)}{bands(data)}"
    )

    def draw(part: pl.DataFrame, ax: Any) -> None:
        label = SHARE_LABEL if ax.get_subplotspec().is_first_col() else None
        curves(part, ax, "modal_share", y_label=label, top=top, x=x)

    figure = panels(data, 2.6, draw, TITLES["modal_share"], sharey=True)
    title = "Most common answer across different prompts"
    return Sheet("modal_share", title, caption, figure, data)


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
