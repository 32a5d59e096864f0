"""Figures draw what their frames say, leave global settings alone and take any kind of frame."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import polars as pl
import pytest
from matplotlib.figure import Figure

from srtbench.analysis import figures, open_sweep
from srtbench.analysis.estimates import majority_by_k, paired_curve
from srtbench.analysis.figures.more_sheets import ladder_sheet, vote_flow_sheet
from srtbench.analysis.figures.sheets import modal_share_sheet
from srtbench.analysis.figures.style import spread
from srtbench.analysis.frames import frame, view

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"


@pytest.fixture(scope="module")
def frames() -> dict[str, pl.DataFrame]:
    """All frames of the committed real rollouts."""
    sweep = open_sweep(SMOKE, snapshot=True)
    found = {
        name: frame(sweep, name) for name in ("eval_curve", "train_curve", "portrait", "vote_flow")
    }
    found["majority_by_k"] = majority_by_k(sweep)
    found["paired"] = paired_curve(sweep, "srt", "fixed_teacher")
    found["summary"] = view(sweep, "variant_summary").with_columns(level=pl.lit(6))
    return found


DRAWN: list[tuple[Callable[..., Any], str]] = [
    (figures.accuracy_curves, "eval_curve"),
    (figures.majority_curves, "eval_curve"),
    (figures.modal_share, "eval_curve"),
    (figures.length_curves, "eval_curve"),
    (figures.label_accuracy, "train_curve"),
    (figures.phase_portrait, "portrait"),
    (figures.majority_by_k_curves, "majority_by_k"),
    (figures.difference_curve, "paired"),
    (figures.curriculum_ladder, "summary"),
    (figures.heat_map, "summary"),
]


@pytest.mark.parametrize(
    ("function", "name"), DRAWN, ids=lambda value: getattr(value, "__name__", "")
)
def test_each_returns_its_axes(
    function: Callable[..., Any], name: str, frames: dict[str, pl.DataFrame]
) -> None:
    before = dict(mpl.rcParams)
    ax = Figure().subplots()
    assert function(frames[name], ax) is ax
    assert dict(mpl.rcParams) == before
    assert len(figures.save(ax.figure, "png")) > 5000


def test_a_small_modal_share_fills_its_axis(frames: dict[str, pl.DataFrame]) -> None:
    data = frames["eval_curve"].filter(pl.col("measure") == "modal_share")
    for most, end in ((0.9, 1.0), (0.1, 1.0), (0.09, 0.12), (0.013, 0.02), (0.0, 0.01)):
        flat = data.with_columns(value=pl.lit(most), low=pl.lit(None), high=pl.lit(most))
        ax = figures.modal_share(flat, Figure().subplots())
        assert ax.get_ylim() == (0, end)
        sheet = modal_share_sheet(flat)
        assert sheet.figure.axes[0].get_ylim() == (0, end)
        assert ("y axis ends at" in sheet.caption) == (end < 1)


def test_one_variant_figures(frames: dict[str, pl.DataFrame]) -> None:
    chosen = {
        name: data.filter(pl.col("variant") == "srt-high-lr")
        for name, data in frames.items()
        if "variant" in data.columns
    }
    ax = Figure().subplots()
    assert figures.collapse_gap(chosen["train_curve"], ax, onset=(0, 20)) is ax
    assert "collapse" in ax.get_title(loc="right")
    assert figures.vote_flow(chosen["vote_flow"], Figure().subplots())
    axes = list(Figure().subplots(4, 1))
    assert figures.collapse_panel(chosen["train_curve"], chosen["eval_curve"], axes) is axes


def test_a_ladder_has_a_panel_per_task_in_the_order_of_its_levels() -> None:
    cells = [("sum-10", 10), ("sum-2", 2), ("spell-4", 4), ("sum-3", 3), ("spell-3", 3), ("one", 1)]
    rows = [
        {"sweep": "s", "model": "m", "dataset": dataset, "level": level, "variant": "srt",
         "variant_type": "srt", "variant_rank": 0, "variant_order": 0,
         "start_avg": 0.3, "last_avg": 0.5}
        for dataset, level in cells
    ]  # fmt: skip
    sheet = ladder_sheet(pl.DataFrame(rows))
    assert sheet is not None
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in sheet.figure.axes]
    assert sorted(title.split("\n")[0] for title in titles) == ["spell", "sum"]
    ticks = [[label.get_text() for label in ax.get_xticklabels()] for ax in sheet.figure.axes]
    assert sorted(ticks) == [["level 2", "level 3", "level 10"], ["level 3", "level 4"]]
    assert "one" not in sheet.data["dataset"]
    named = pl.DataFrame(rows).with_columns(task=pl.lit("one task"))
    joined = ladder_sheet(named)
    assert joined is not None
    assert len(joined.figure.axes) == 1
    assert ladder_sheet(pl.DataFrame(rows[-1:])) is None


def test_labels_of_a_vote_flow_do_not_overlap() -> None:
    outcomes = ("sharpened", "learned", "corrupted", "locked_wrong")
    flows = [(0.4, 0.2, 0.2, 0.2), (0.3, 0.08, 0.09, 0.53), (0.0, 0.5, 0.5, 0.0)]
    rows = [
        {"sweep": "s", "model": "m", "dataset": "d", "variant": f"srt-{order}", "variant_rank": 0,
         "variant_type": "srt", "variant_order": order, "outcome": outcome, "share": share}
        for order, shares in enumerate(flows)
        for outcome, share in zip(outcomes, shares, strict=True) if share
    ]  # fmt: skip
    sheet = vote_flow_sheet(pl.DataFrame(rows))
    assert sheet is not None
    sheet.figure.draw_without_rendering()
    for ax, named in zip(sheet.figure.axes, (4, 4, 2), strict=True):
        boxes = [text.get_window_extent() for text in ax.texts]
        assert len(boxes) == named + 2
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_lines_hold_the_numbers_of_the_frame(frames: dict[str, pl.DataFrame]) -> None:
    ax = figures.accuracy_curves(frames["eval_curve"], Figure().subplots())
    drawn = {line.get_label(): line for line in ax.get_lines()}
    for variant in ("srt", "gold", "random", "fixed_teacher", "srt-high-lr"):
        rows = frames["eval_curve"].filter(
            (pl.col("variant") == variant) & (pl.col("measure") == "avg_at_k")
        )
        assert drawn[variant].get_ydata().tolist() == rows.sort("step")["value"].to_list()
        assert drawn[variant].get_xdata().tolist() == [0, 20, 40, 60, 80, 100]
    assert ax.get_xlim() == (0, 100)
    assert ax.get_ylim() == (0, 1)


def test_pandas_and_arrow_frames_too(frames: dict[str, pl.DataFrame]) -> None:
    data = frames["eval_curve"]
    for other in (data.to_pandas(), data.to_arrow()):
        ax = figures.accuracy_curves(other, Figure().subplots())
        assert len(ax.get_lines()) >= 5


def test_the_same_figure_gives_the_same_bytes(frames: dict[str, pl.DataFrame]) -> None:
    def draw(kind: str) -> bytes:
        ax = figures.accuracy_curves(frames["eval_curve"], Figure(layout="constrained").subplots())
        return figures.save(ax.figure, kind)

    for kind in ("svg", "pdf", "png"):
        assert draw(kind) == draw(kind)


def test_majority_by_k_agrees_with_the_views(frames: dict[str, pl.DataFrame]) -> None:
    last = frames["majority_by_k"].filter(pl.col("moment") == "last")
    for row in frames["summary"].iter_rows(named=True):
        curve = last.filter(pl.col("variant") == row["variant"]).sort("k")["value"]
        assert curve[0] == pytest.approx(row["last_avg"])
        assert curve[-1] == pytest.approx(row["last_maj"])


def test_a_paired_curve_is_the_difference_of_the_means(frames: dict[str, pl.DataFrame]) -> None:
    means = frames["eval_curve"].filter(pl.col("measure") == "avg_at_k")
    for row in frames["paired"].iter_rows(named=True):
        at = means.filter(pl.col("step") == row["step"])
        value = {r["variant"]: r["value"] for r in at.iter_rows(named=True)}
        assert row["value"] == pytest.approx(value["srt"] - value["fixed_teacher"])
        assert row["low"] <= row["value"] <= row["high"]


@pytest.mark.parametrize(
    "values", [[0.5], [0.0, 0.0, 0.0], [0.2, 0.21, 0.9], [1.0, 1.0], [0.1] * 30]
)
def test_labels_keep_their_distance_and_stay_inside(values: list[float]) -> None:
    places = spread(values, 0.07, 0.0, 1.0)
    gap = min(0.07, 1 / max(len(values) - 1, 1))
    assert all(b - a >= gap - 1e-9 for a, b in itertools.pairwise(places))
    assert places[0] >= -1e-9
    assert places[-1] <= 1 + 1e-9
    if values == [0.2, 0.21, 0.9]:
        assert places[2] == 0.9
