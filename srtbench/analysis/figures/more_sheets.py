"""Further figures of the report, each drawn only where the sweep has what it shows."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from srtbench.analysis.figures.collapse import collapse_panel, phase_portrait
from srtbench.analysis.figures.compare import (
    curriculum_ladder,
    difference_curve,
    heat_map,
    length_curves,
)
from srtbench.analysis.figures.sheets import WIDTH, Sheet, bands, join, new_figure, settings
from srtbench.analysis.figures.style import as_polars, styled, variants
from srtbench.analysis.figures.votes import majority_by_k_curves, vote_flow
from srtbench.analysis.frames import Cell

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
    figure, axes = _grid(data, 2.6)
    for (title, part), ax in zip(settings(data), axes, strict=False):
        majority_by_k_curves(part, ax)
        ax.set_title(join(title, "Majority accuracy (maj@k) of the last policy"))
    return Sheet(
        "maj_at_k",
        "What more votes are worth",
        "Held-out prompts, last evaluation: exact probability that the majority of k of the logged "
        "samples is right, ties shared evenly. Dotted: the start model. " + _seeds(data),
        figure,
        data,
    )


@styled
def portrait_sheet(frame: Any) -> Sheet | None:
    """Phase portrait."""
    data = as_polars(frame)
    if not data.height:
        return None
    figure, axes = _grid(data, 3.3, 4.9)
    for (title, part), ax in zip(settings(data), axes, strict=False):
        phase_portrait(part, ax)
        ax.set_title(join(title, "Reward against truth"))
    return Sheet(
        "portrait",
        "Path through reward and truth",
        "Training rollouts, moving averages, means over seeds; open circle: start. On the diagonal "
        "train_reward equals gold accuracy. A path to the lower right is a collapse.",
        figure,
        data,
    )


@styled
def vote_flow_sheet(frame: Any) -> Sheet | None:
    """Vote flips, one panel per variant."""
    data = as_polars(frame)
    if not data.height:
        return None
    panels = [
        (title, part.filter(pl.col("variant") == name))
        for title, part in settings(data)
        for name, _ in variants(part)
    ]
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(rows, 1.75, WIDTH if columns == 3 else 2.6 * columns)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for (title, part), ax in zip(panels, axes, strict=False):
        vote_flow(part, ax)
        ax.set_title(join(title, part["variant"][0]), color=ax.title.get_color())
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    return Sheet(
        "vote_flow",
        "What became of each vote",
        "Held-out prompts by their majority at the first and at the last evaluation; above right, "
        "below wrong. Sharpened: right and right; learned: wrong, then right; corrupted: right, "
        "then wrong; locked wrong: wrong and wrong. Prompts of all seeds together.",
        figure,
        data,
    )


@styled
def length_sheet(frame: Any) -> Sheet | None:
    """Completion length over steps."""
    data = as_polars(frame).filter(pl.col("measure") == "completion_tokens")
    if not data.height:
        return None
    figure, axes = _grid(data, 2.3)
    for (title, part), ax in zip(settings(data), axes, strict=False):
        length_curves(part, ax)
        ax.set_title(join(title, "Completion length, tokens"))
    return Sheet(
        "length",
        "Length of completions",
        "Held-out prompts: mean tokens of a completion, the end token included. " + _seeds(data),
        figure,
        data,
    )


@styled
def collapse_panel_sheet(
    train: Any, held_out: Any, onsets: Mapping[Cell, tuple[int, int]]
) -> Sheet | None:
    """The signals of up to three collapsed cells, one column each."""
    training, evaluated = as_polars(train), as_polars(held_out)
    cells = [cell for cell in onsets if _of(training, cell).height][:3]
    if not cells:
        return None
    figure = new_figure(1, 4.6, 1.4 + 1.95 * len(cells))
    grid = figure.subplots(4, len(cells), squeeze=False, sharex="col")
    varying = [place for place in range(3) if len({cell[place] for cell in cells}) > 1]
    for number, cell in enumerate(cells):
        axes = list(grid[:, number])
        last = number == len(cells) - 1
        collapse_panel(
            _of(training, cell), _of(evaluated, cell), axes, onset=onsets[cell], labels=last
        )
        title = " · ".join([*(cell[place] for place in varying), cell[3]])
        axes[0].set_title(f"{title}\n", color=axes[0].title.get_color())
    from_training = pl.col("measure").is_in(["train_reward", "gold_reward", "kl"])
    shown = pl.concat(
        [_of(training, cell).filter(from_training) for cell in cells]
        + [_of(evaluated, cell).filter(pl.col("measure").is_in(_HELD_OUT)) for cell in cells],
        how="diagonal",
    )
    return Sheet(
        "collapse_panel",
        "Anatomy of a collapse",
        "One column per collapsed variant; red: the evaluations between which gold accuracy began "
        "to fall for good. Means over seeds; train curves are moving averages.",
        figure,
        shown,
    )


@styled
def teacher_sheet(frame: Any) -> Sheet | None:
    """SRT minus the fixed teacher."""
    data = as_polars(frame)
    if not data.height:
        return None
    figure, axes = _grid(data, 2.3, 4.6)
    for (title, part), ax in zip(settings(data), axes, strict=False):
        difference_curve(part, ax)
        names = f"{part['first'][0]} minus {part['second'][0]}, avg@k"
        ax.set_title(join(title, names))
    return Sheet(
        "teacher",
        "Self-reward against a fixed teacher",
        "Held-out prompts: difference of avg@k on the same prompts and seeds. Band: 95% interval "
        f"over {data['over'][-1]}, not corrected for the number of steps.",
        figure,
        data,
    )


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
    return Sheet(
        "ladder",
        "Curriculum ladder",
        "Held-out prompts: an arrow leads from the start model's avg@k to the last policy's, on "
        "each level of a task. Dotted: one half.",
        figure,
        data,
    )


@styled
def heat_map_sheet(frame: Any) -> Sheet | None:
    """Variant x dataset, where the sweep has several datasets."""
    data = as_polars(frame)
    if data["dataset"].n_unique() < 2:
        return None
    models = data["model"].unique(maintain_order=True).to_list()
    height = 0.7 + 0.42 * data["variant"].n_unique()
    width = min(1.6 + 1.1 * data["dataset"].n_unique(), WIDTH)
    figure = new_figure(len(models), height, width)
    axes = figure.subplots(len(models), 1, squeeze=False)[:, 0]
    for model, ax in zip(models, axes, strict=True):
        heat_map(data.filter(pl.col("model") == model), ax)
        if len(models) > 1:
            ax.set_title(model)
    return Sheet(
        "heat_map",
        "Change of accuracy by variant and dataset",
        "Held-out prompts: change of avg@k from the start model to the last policy, in points; "
        "small: the last avg@k. Means over seeds.",
        figure,
        data,
    )


def _of(frame: pl.DataFrame, cell: Cell) -> pl.DataFrame:
    keys = zip(("sweep", "model", "dataset", "variant"), cell, strict=True)
    return frame.filter([pl.col(name) == value for name, value in keys])


def _grid(data: pl.DataFrame, height: float, width: float = 5.4) -> tuple[Any, list[Any]]:
    """A figure with one panel per setting, two in a row."""
    number = len(settings(data))
    columns = min(number, 2)
    rows = -(-number // columns)
    figure = new_figure(rows, height, WIDTH if columns > 1 else width)
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for ax in axes[number:]:
        ax.set_axis_off()
    return figure, axes


def _seeds(data: pl.DataFrame) -> str:
    if "band" in data.columns:
        return bands(data)
    if data["low"].null_count() < data.height:
        return "Band: lowest to highest seed."
    return "One seed."
