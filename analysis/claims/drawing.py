"""Figures of the claims: frames in, sheets out."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import polars as pl

from analysis.claims.data import Cell, Study
from srtbench.analysis.figures import collapse_gap, curves, styled, variant_style
from srtbench.analysis.figures.lines import DASHED, draw_line, share_axis
from srtbench.analysis.figures.panels import WIDTH, Sheet, bands, join, new_figure, settings
from srtbench.analysis.figures.sheets import accuracy_sheet
from srtbench.analysis.figures.style import INK, MUTED


def accuracy(
    study: Study, cells: Sequence[Cell], name: str, title: str = "Accuracy", x: str = "step"
) -> Sheet:
    """avg@k and maj@k over steps, or over what training had spent; a row per task."""
    sheet = accuracy_sheet(study.curves("eval_curve", cells, ["avg_at_k", "maj_at_k"]), x)
    return replace(sheet, name=name, title=title)


@styled
def climb(study: Study, rungs: Sequence[Cell], beside: Sequence[Cell]) -> Sheet:
    """Left: rungs one after the other. Right: all variants on the last level."""
    ladder = study.curves("eval_curve", rungs, ["avg_at_k"])
    figure = new_figure(1, 2.8)
    left, right = figure.subplots(1, 2, sharey=True)
    style = variant_style(rungs[0].variant_type)
    done, pieces = 0, []
    for cell in rungs:
        part = ladder.filter(pl.col("dataset") == cell.dataset) if ladder.height else ladder
        if part.height:
            part = part.with_columns(step=pl.col("step") + done, rung=pl.lit(cell.dataset))
            draw_line(left, part, style)
            pieces.append(part)
        left.text(
            done + cell.total_steps / 2, 0.03, f"level {cell.level}", ha="center", color=MUTED,
            fontsize=7,
        )  # fmt: skip
        done += cell.total_steps
        left.axvline(done, color="#c4c8ce", linewidth=0.8, linestyle=(0, (2, 2)))
    left.set_title(f"{rungs[0].variant}: avg@k on each rung")
    left.set_xlim(0, done)
    left.set_xlabel("train step, all rungs")
    direct = study.curves("eval_curve", beside, ["avg_at_k"])
    if direct.height:
        curves(direct, right, "avg_at_k")
    last = ladder.filter(pl.col("dataset") == rungs[-1].dataset) if ladder.height else ladder
    if last.height:
        end = last.filter(pl.col("step") == pl.col("step").max()).row(0, named=True)
        right.axhline(end["value"], color=style.colour, linewidth=1.2, linestyle=DASHED)
        right.text(
            0.02, end["value"] + 0.02, f"{rungs[0].variant}, end", color=style.text_colour,
            transform=right.get_yaxis_transform(), fontsize=7.5, fontweight="bold",
        )  # fmt: skip
    right.set_title(f"avg@k on {rungs[-1].dataset}, trained directly")
    right.set_xlabel("train step")
    for ax in (left, right):
        share_axis(ax)
    shown = [*pieces, *([direct.with_columns(rung=pl.lit("direct"))] if direct.height else [])]
    data = pl.concat(shown, how="vertical_relaxed") if shown else pl.DataFrame()
    return Sheet("C4", "Curriculum", f"Held-out prompts. {bands(direct)}", figure, data)


@styled
def collapse(study: Study, cells: Sequence[Cell]) -> Sheet:
    """train_reward against gold accuracy, held-out accuracy, and the modal answer.

    Two rows of two panels per dataset; above, the first two variants of type srt.
    """
    srt = [cell for cell in cells if cell.variant_type == "srt" and cell.seeds]
    train = study.curves("train_curve", srt, ["train_reward", "gold_reward"])
    held = study.curves("eval_curve", cells, ["avg_at_k"])
    modal = study.curves("eval_curve", cells, ["modal_share"])
    rows = settings(held)
    figure = new_figure(2 * len(rows), 2.3, WIDTH)
    axes = figure.subplots(2 * len(rows), 2, squeeze=False, sharey=True)
    for number, (label, part) in enumerate(rows):
        here = pl.col("dataset") == part["dataset"][0]
        upper, (left, right) = axes[2 * number], axes[2 * number + 1]
        own = train.filter(here) if train.height else train
        names = own["variant"].unique(maintain_order=True) if train.height else ()
        for ax, variant in zip_longest(upper, names[:2]):
            if variant is None:
                ax.set_axis_off()
                continue
            collapse_gap(own.filter(pl.col("variant") == variant), ax, labels=False)
            ax.set_title(f"{variant}: train_reward (dashed),\nits gold accuracy (solid)", color=INK)
        curves(part, left, "avg_at_k", labels=False)
        left.set_title(join(label, "held-out avg@k"))
        curves(modal.filter(here), right, "modal_share")
        right.set_title("most common answer across prompts")
    data = pl.concat([train, held, modal], how="diagonal_relaxed")
    return Sheet(
        "C5", "Collapse",
        f"Above: training rollouts. {bands(train)} Below, left: held-out accuracy. {bands(held)} "
        f"Below, right: most common answer. {bands(modal)}",
        figure, data,
    )  # fmt: skip


@styled
def forest(
    panels: Sequence[tuple[str, Sequence[tuple[str, float, float | None, float | None]]]],
    references: Sequence[float],
    name: str,
    title: str,
    caption: str,
) -> Sheet:
    """Estimates with intervals, one row each; ``references``: a vertical line per panel."""
    longest = max((len(rows) for _, rows in panels), default=1)
    figure = new_figure(1, 0.9 + 0.24 * max(longest, 2))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    kept: list[dict[str, Any]] = []
    for (label, rows), reference, ax in zip(panels, references, axes, strict=True):
        draw_forest(ax, rows, reference)
        ax.set_title(label)
        kept += [
            {"panel": label, "row": text, "value": value, "low": low, "high": high}
            for text, value, low, high in rows
        ]
    return Sheet(name, title, caption, figure, pl.DataFrame(kept, infer_schema_length=None))


def draw_forest(
    ax: Any, rows: Sequence[tuple[str, float, float | None, float | None]], reference: float
) -> None:
    """One panel of :func:`forest`."""
    ax.axvline(reference, color=MUTED, linewidth=0.9)
    for place, (_, value, low, high) in enumerate(rows):
        if low is not None and high is not None:
            ax.plot([low, high], [place, place], color="#0072B2", linewidth=1.4)
        ax.plot([value], [place], marker="o", color="#0072B2", markeredgecolor="white")
    ax.set_yticks(range(len(rows)), [text for text, *_ in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(True, axis="x")
    ax.grid(False, axis="y")
