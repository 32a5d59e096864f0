"""Further figures of the report, each drawn only where the sweep has what it shows."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from srtbench.analysis.figures.collapse import collapse_panel, phase_portrait
from srtbench.analysis.figures.compare import (
    curriculum_ladder,
    difference_curve,
    heat_map,
)
from srtbench.analysis.figures.curves import length_curves
from srtbench.analysis.figures.panels import (
    WIDTH,
    Sheet,
    bands,
    few_cells,
    grid,
    join,
    new_figure,
    of_cell,
    panels,
    settings,
)
from srtbench.analysis.figures.sheets import spent
from srtbench.analysis.figures.style import ONSET, as_polars, styled, variants
from srtbench.analysis.figures.votes import majority_by_k_curves, vote_flow
from srtbench.analysis.frames import CELL, Cell, cell_of

_HELD_OUT = ("avg_at_k", "maj_at_k", "modal_share", "answer_entropy_nats")
"""Measures of the collapse panel that are of held-out prompts; the others are of training."""

_SUFFIX = pl.format("-{}", pl.col("level"))
_TASK = (
    pl.when(pl.col("dataset").str.ends_with(_SUFFIX))
    .then(pl.col("dataset").str.strip_suffix(_SUFFIX))
    .otherwise(pl.lit(""))
)
"""Label of a dataset without its level; datasets with names of their own count as one task."""


@styled
def majority_by_k_sheet(frame: Any) -> Sheet | None:
    """maj@k against k."""
    data = as_polars(frame)
    if not data.height:
        return None
    figure = panels(data, 2.6, majority_by_k_curves, "Majority accuracy (maj@k) of the last policy")
    several = data["low"].null_count() < data.height
    caption = (
        "Held-out prompts, last evaluation: exact probability that the majority of k of the logged "
        "samples is right, ties shared evenly. Dotted: the start model. "
        f"{'Band: lowest to highest seed.' if several else 'One seed.'}"
    )
    return Sheet("maj_at_k", "What more votes are worth", caption, figure, data)


@styled
def portrait_sheet(frame: Any) -> Sheet | None:
    """Phase portrait."""
    data = as_polars(frame)
    if not data.height:
        return None
    figure = panels(data, 3.3, phase_portrait, "Reward against truth", width=4.9)
    caption = (
        "Training rollouts, moving averages, means over seeds; open circle: start. On the diagonal "
        "train_reward equals gold accuracy. A path to the lower right is a collapse."
    )
    return Sheet("portrait", "Path through reward and truth", caption, figure, data)


@styled
def vote_flow_sheet(frame: Any) -> Sheet | None:
    """Vote flips, one panel per variant."""
    data = as_polars(frame)
    if not data.height:
        return None
    cells = [cell_of(row) for row in data.select(CELL).unique(maintain_order=True).rows(named=True)]
    chosen, left_out = few_cells(cells, "vote_flow")
    flows = [
        (title, rows)
        for title, part in settings(data)
        for name, _ in variants(part)
        if cell_of((rows := part.filter(pl.col("variant") == name)).row(0, named=True)) in chosen
    ]
    figure, axes = grid(len(flows), 3, 1.75, 2.6)
    for (title, part), ax in zip(flows, axes, strict=False):
        vote_flow(part, ax)
        ax.set_title(join(title, part["variant"][0]), color=ax.title.get_color())
    caption = (
        "Held-out prompts by their majority at the first and at the last evaluation; above right, "
        "below wrong. Sharpened: right and right; learned: wrong, then right; corrupted: right, "
        "then wrong; locked wrong: wrong and wrong. Prompts of all seeds together."
        f"{left_out}"
    )
    return Sheet("vote_flow", "What became of each vote", caption, figure, data)


@styled
def length_sheet(frame: Any, x: str = "step") -> Sheet | None:
    """Completion length; ``x``: steps, or what training had spent."""
    data = as_polars(frame).filter(pl.col("measure") == "completion_tokens")
    if not data.height:
        return None
    figure = panels(
        data, 2.3, lambda part, ax: length_curves(part, ax, x=x), "Completion length, tokens"
    )
    caption = f"Held-out prompts: mean tokens of a completion, the end token included. {spent(x)}"
    return Sheet("length", "Length of completions", caption + bands(data), figure, data)


@styled
def collapse_panel_sheet(
    train: Any, held_out: Any, onsets: Mapping[Cell, tuple[int, int]]
) -> Sheet | None:
    """The signals of up to three collapsed cells, one column each."""
    training, evaluated = as_polars(train), as_polars(held_out)
    cells = [cell for cell in onsets if of_cell(training, cell).height][:3]
    if not cells:
        return None
    figure = new_figure(1, 4.6, 1.4 + 1.95 * len(cells))
    grid = figure.subplots(4, len(cells), squeeze=False, sharex="col")
    varying = [place for place in range(3) if len({cell[place] for cell in cells}) > 1]
    for number, cell in enumerate(cells):
        axes = list(grid[:, number])
        last = number == len(cells) - 1
        collapse_panel(
            of_cell(training, cell), of_cell(evaluated, cell), axes, onset=onsets[cell], labels=last
        )
        title = " · ".join([*(cell[place] for place in varying), cell[3]])
        axes[0].set_title(f"{title}\n", color=axes[0].title.get_color())
    from_training = pl.col("measure").is_in(["train_reward", "gold_reward", "kl"])
    shown = pl.concat(
        [of_cell(training, cell).filter(from_training) for cell in cells]
        + [of_cell(evaluated, cell).filter(pl.col("measure").is_in(_HELD_OUT)) for cell in cells],
        how="diagonal",
    )
    caption = (
        "One column per collapsed variant; red: the evaluations between which gold accuracy began "
        "to fall for good. Means over seeds; train curves are moving averages."
    )
    return Sheet("collapse_panel", "Anatomy of a collapse", caption, figure, shown)


def teacher_sheet(frame: Any) -> Sheet | None:
    """SRT minus the fixed teacher."""
    return difference_sheet(frame, "teacher", "Self-reward against a fixed teacher")


@styled
def difference_sheet(
    frame: Any, name: str, title: str, margin: float | None = None
) -> Sheet | None:
    """Paired differences of avg@k over steps, from ``paired_curve``; ``margin``: a dashed line."""
    data = as_polars(frame)
    if not data.height:
        return None

    def draw(part: pl.DataFrame, ax: Any) -> None:
        difference_curve(part, ax)
        if margin is not None:
            ax.axhline(margin, color=ONSET, linewidth=0.9, linestyle=(0, (4, 2)))

    def names(part: pl.DataFrame) -> str:
        return f"{part['first'][0]} minus {part['second'][0]}, avg@k"

    figure = panels(data, 2.3, draw, names, width=4.6)
    reach = max(ax.get_ylim()[1] for ax in figure.axes)
    for ax in figure.axes:
        ax.set_ylim(-reach, reach)
    caption = (
        "Held-out prompts: difference of avg@k on the same prompts and seeds. Band: 95% interval "
        f"over {data['over'][-1]}, not corrected for the number of steps."
        f"{'' if margin is None else ' Dashed: the margin.'}"
    )
    return Sheet(name, title, caption, figure, data)


@styled
def ladder_sheet(frame: Any) -> Sheet | None:
    """Start and last accuracy per level: a panel per task and model that has levels."""
    data = as_polars(frame).filter(pl.col("level").is_not_null() & pl.col("last_avg").is_not_null())
    if "task" not in data.columns:
        data = data.with_columns(task=_TASK)
    data = data.sort("level", maintain_order=True)
    keys = ["sweep", "model", "task"]
    several = pl.col("level").n_unique().over(keys) > 1
    data = data.filter(several)
    panels = data.partition_by(keys, maintain_order=True)
    if not panels:
        return None
    varying = [name for name in keys if data[name].n_unique() > 1]
    figure = new_figure(len(panels), 2.6, 6.2)
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for part, ax in zip(panels, axes, strict=True):
        curriculum_ladder(part, ax)
        title = " · ".join(str(part[name][0]) for name in varying if part[name][0])
        ax.set_title(join(title, "avg@k, start to last"))
    caption = (
        "Held-out prompts: an arrow leads from the start model's avg@k to the last policy's, on "
        "each level of a task. Dotted: one half."
    )
    return Sheet("ladder", "Curriculum ladder", caption, figure, data)


@styled
def heat_map_sheet(frame: Any) -> Sheet | None:
    """Variant x dataset, where the sweep has several datasets."""
    data = as_polars(frame)
    if data["dataset"].n_unique() < 2:
        return None
    parts = data.partition_by("sweep", "model", maintain_order=True)
    varying = [name for name in ("sweep", "model") if data[name].n_unique() > 1]
    height = 0.7 + 0.42 * max(part["variant"].n_unique() for part in parts)
    width = min(1.6 + 1.1 * data["dataset"].n_unique(), WIDTH)
    figure = new_figure(len(parts), height, width)
    axes = figure.subplots(len(parts), 1, squeeze=False)[:, 0]
    for part, ax in zip(parts, axes, strict=True):
        heat_map(part, ax)
        ax.set_title(" · ".join(part[name][0] for name in varying))
    caption = (
        "Held-out prompts: change of avg@k from the start model to the last policy, in points; "
        "small: the last avg@k. Means over seeds."
    )
    title = "Change of accuracy by variant and dataset"
    return Sheet("heat_map", title, caption, figure, data)
