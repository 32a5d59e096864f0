"""What whole figures are made of: a panel per setting, captions of bands, the figure itself."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from matplotlib.figure import Figure

from srtbench.analysis.bands import OVER_BOTH, OVER_PROMPTS, RANGE
from srtbench.analysis.figures.lines import nothing
from srtbench.analysis.frames import Cell
from srtbench.config.eval_sets import OWN

WIDTH = 7.2
MOST_PANELS = 36
"""Of a figure with a panel per cell: more would be read by nobody, and drawn for minutes."""
SETTING = ["sweep", "model", "dataset"]


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


def judged_on(sheet: Sheet, names: Collection[str]) -> Sheet:
    """A sheet of the sets on which runs are judged, whose caption names those that are not own."""
    others = sorted({*names} - {OWN})
    if not others:
        return sheet
    also = "held-out prompts and " if len(others) < len(names) else ""
    said = f"Prompts of {also}the evaluation set {', '.join(others)}"
    return replace(sheet, caption=sheet.caption.replace("Held-out prompts", said))


def settings(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Rows per sweep, model and dataset, with a title that names what differs."""
    parts = frame.partition_by(SETTING, maintain_order=True)
    varying = [name for name in SETTING if frame[name].n_unique() > 1]
    return [(" · ".join(str(part[name][0]) for name in varying), part) for part in parts]


def under_way(curve: pl.DataFrame) -> pl.DataFrame:
    """Rows of the settings that have a point after the start: no axes for a start alone."""
    return curve.filter((pl.col("step").max() > 0).over(SETTING)) if curve.height else curve


def few_cells(
    cells: Sequence[Cell], name: str, first: Collection[Cell] = ()
) -> tuple[set[Cell], str]:
    """At most ``MOST_PANELS`` cells to draw, and what the caption says of the others.

    Args:
        cells: in the order of the plan. name: of the figure. first: cells that come before others.
    """
    if len(cells) <= MOST_PANELS:
        return {*cells}, ""
    order = sorted(cells, key=lambda cell: cell not in first)
    which = "those that collapsed before others" if first else "the first of the plan"
    said = f" {MOST_PANELS} of {len(cells)} cells, {which}; tables/{name}.csv has all."
    return {*order[:MOST_PANELS]}, said


def of_cell(frame: pl.DataFrame, cell: Cell) -> pl.DataFrame:
    """Rows of one cell."""
    keys = zip((*SETTING, "variant"), cell, strict=True)
    return frame.filter([pl.col(name) == value for name, value in keys])


def new_figure(rows: int, height: float, width: float = WIDTH) -> Figure:
    """An empty figure of so many rows of panels, in inches."""
    return Figure(figsize=(width, max(rows, 1) * height), layout="constrained")


def grid(
    number: int, most: int, height: float, width: float = WIDTH, *, sharey: bool = False
) -> tuple[Figure, list[Any]]:
    """A figure with room for so many panels of this height and width, at ``most`` in a row."""
    columns = min(max(number, 1), most)
    rows = max(-(-number // columns), 1)
    figure = new_figure(rows, height, min(WIDTH, columns * width))
    axes = list(figure.subplots(rows, columns, squeeze=False, sharey=sharey).flat)
    for ax in axes[max(number, 1) :]:
        ax.set_axis_off()
    return figure, axes


def panels(
    data: pl.DataFrame,
    height: float,
    draw: Callable[[pl.DataFrame, Any], Any],
    title: str | Callable[[pl.DataFrame], str],
    *,
    width: float = 5.4,
    sharey: bool = False,
) -> Figure:
    """A panel per setting, two in a row, titled with what differs and then ``title``."""
    parts = settings(data)
    figure, axes = grid(len(parts), 2, height, width, sharey=sharey)
    if not parts:
        nothing(axes[0])
    for (name, part), ax in zip(parts, axes, strict=False):
        draw(part, ax)
        ax.set_title(join(name, title if isinstance(title, str) else title(part)))
    return figure


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
    said = f"Band: {'; '.join(words.get(kind, kind) for kind in kinds)}."
    alone = (data["seeds"] == 1).any() and (data["seeds"] > 1).any() and OVER_PROMPTS not in kinds
    return f"{said} No band where there is one seed." if alone else said


def join(*parts: str) -> str:
    """Lines of a title, without empty ones."""
    return "\n".join(part for part in parts if part)


def largest(data: pl.DataFrame, column: str) -> int:
    """The largest number of a column; 1 without one."""
    return max((int(value) for value in data[column].drop_nulls()), default=1)


def averaged(data: pl.DataFrame) -> str:
    """A sentence on the moving average that curves are, if they are one."""
    steps = largest(data, "window_steps")
    return f"Moving average over {steps} steps. " if steps > 1 else ""
