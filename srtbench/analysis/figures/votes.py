"""Figures about votes: accuracy against the number of votes, and what became of each prompt."""

from typing import Any

import polars as pl
from matplotlib.ticker import FixedLocator, NullLocator

from srtbench.analysis.figures.lines import draw_line, share_axis
from srtbench.analysis.figures.style import as_polars, direct_labels, styled, variants

OUTCOMES = ("sharpened", "learned", "corrupted", "locked_wrong")
OUTCOME_COLOURS = {
    "sharpened": "#9FB8C9",
    "learned": "#009E73",
    "corrupted": "#D55E00",
    "locked_wrong": "#C9CDD3",
}


@styled
def majority_by_k_curves(frame: Any, ax: Any, *, labels: bool = True) -> Any:
    """maj@k against k, last evaluation, with the start model in grey; from ``majority_by_k``."""
    data = as_polars(frame)
    start = data.filter(pl.col("moment") == "start")
    if start.height:
        base = start.group_by("k").agg(pl.col("value").mean()).sort("k")
        ax.plot(
            base["k"].to_list(), base["value"].to_list(), color="#9aa0a8", linewidth=1.4,
            linestyle=(0, (1.2, 1.4)), zorder=2,
        )  # fmt: skip
    ends = [(base["value"][-1], "start model", "#6b727c")] if start.height else []
    last = data.filter(pl.col("moment") == "last")
    for variant, style in variants(last):
        line = last.filter(pl.col("variant") == variant).sort("k")
        draw_line(ax, line, style, x="k", markevery=[0, -1])
        ends.append((line["value"][-1], variant, style.text_colour))
    most = max((int(k) for k in data["k"]), default=1)
    ticks = [2**power for power in range(most.bit_length())]
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels([str(tick) for tick in ticks])
    ax.set_xlim(1, max(most, 2))
    share_axis(ax)
    ax.set_xlabel("votes k")
    if labels:
        direct_labels(ax, ends, gap=0.072)
    return ax


@styled
def vote_flow(frame: Any, ax: Any) -> Any:
    """Prompts by their majority at the start (left) and at the end (right), for one variant.

    From ``vote_flow``. Above: right; below: wrong. A band that crosses is a vote that flipped.
    """
    data = as_polars(frame)
    (variant, style), *_ = variants(data)
    shares = dict.fromkeys(OUTCOMES, 0.0) | dict(data.select("outcome", "share").iter_rows())
    gap = 0.06
    right_start = shares["sharpened"] + shares["corrupted"]
    right_last = shares["sharpened"] + shares["learned"]
    top_left, top_right = 1.0 + gap, 1.0 + gap
    bands = {
        "sharpened": (top_left, top_right),
        "corrupted": (top_left - shares["sharpened"], 1.0 - right_last),
        "learned": (1.0 - right_start, top_right - shares["sharpened"]),
        "locked_wrong": (
            1.0 - right_start - shares["learned"],
            1.0 - right_last - shares["corrupted"],
        ),
    }
    crossing = min(shares["corrupted"], shares["learned"]) > 0
    steps = [number / 40 for number in range(41)]
    ease = [t**3 * (10 - 15 * t + 6 * t**2) for t in steps]
    for outcome, (left, right) in bands.items():
        share = shares[outcome]
        if share <= 0:
            continue
        top = [left + (right - left) * e for e in ease]
        ax.fill_between(
            steps, [y - share for y in top], top, color=OUTCOME_COLOURS[outcome], linewidth=0,
            alpha=0.9,
        )  # fmt: skip
        if share >= 0.07:
            x, y, align = _label_place(outcome, crossing, left, right)
            ax.text(
                x, y - share / 2, f"{outcome.replace('_', ' ')} {share:.0%}", ha=align,
                va="center", fontsize=6.6,
            )  # fmt: skip
    for x, right_share in ((0.0, right_start), (1.0, right_last)):
        for low, high, colour in (
            (1.0 + gap - right_share, 1.0 + gap, "#33373d"),
            (0.0, 1.0 - right_share, "#9aa0a8"),
        ):
            ax.plot([x, x], [low, high], color=colour, linewidth=3, solid_capstyle="butt")
        side, place = ("right", -0.04) if x == 0 else ("left", 1.04)
        ax.text(place, 1.0 + gap - right_share / 2, f"{right_share:.0%}", ha=side, va="center",
                fontsize=7)  # fmt: skip
    ax.set_xlim(-0.2, 1.2)
    ax.set_ylim(0, 1.0 + gap)
    ax.set_yticks([])
    ax.grid(False)
    ax.set_xticks([0, 1], ["start", "last"])
    ax.tick_params(axis="x", length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title(variant, color=style.text_colour)
    return ax


def _label_place(
    outcome: str, crossing: bool, left: float, right: float
) -> tuple[float, float, str]:
    """Where on a band its label stands: x, top of the band there, and alignment.

    Two bands that cross meet in the middle, so each is named at the end where it is on top.
    """
    if crossing and outcome == "corrupted":
        return 0.05, left, "left"
    if crossing and outcome == "learned":
        return 0.95, right, "right"
    return 0.5, 0.5 * (left + right), "center"
