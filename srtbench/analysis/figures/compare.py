"""Figures that set variants, datasets and levels against each other."""

from typing import Any

import polars as pl
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from srtbench.analysis.figures.lines import draw_band, share_axis, step_axis
from srtbench.analysis.figures.style import INK, MUTED, as_polars, styled, variants

DIVERGING = LinearSegmentedColormap.from_list(
    "change", ["#B2480A", "#E8A57C", "#F7F7F7", "#7FB4D6", "#00568A"]
)
CHANGES = TwoSlopeNorm(0, -0.6, 0.6)
"""Changes of a share as places on that scale."""


@styled
def difference_curve(frame: Any, ax: Any) -> Any:
    """First minus second variant over steps with its 95% interval, from ``paired_curve``."""
    data = as_polars(frame).sort("step")
    ax.axhline(0, color=MUTED, linewidth=0.9)
    draw_band(ax, data, "#0072B2", alpha=0.15)
    ax.plot(data["step"].to_list(), data["value"].to_list(), color="#0072B2", marker="o",
            markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
    reach = max(0.1, *(abs(v) for n in ("low", "high") for v in data[n].drop_nulls())) * 1.1
    ax.set_ylim(-reach, reach)
    ax.yaxis.set_major_formatter(FuncFormatter(_points))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=5, symmetric=True))
    step_axis(ax, data["step"])
    ax.set_ylabel("difference, points")
    first, second = data["first"][0], data["second"][0]
    for y, va, text in ((0.97, "top", first), (0.03, "bottom", second)):
        ax.text(0.02, y, f"{text} better", transform=ax.transAxes, va=va, color=MUTED, fontsize=7)
    return ax


@styled
def curriculum_ladder(frame: Any, ax: Any) -> Any:
    """Start to last accuracy on each level, an arrow per variant.

    ``frame``: variant_summary with a column ``level``, one model.
    """
    data = as_polars(frame).filter(pl.col("last_avg").is_not_null())
    levels = sorted(data["level"].unique().to_list())
    entries = variants(data)
    for number, (variant, style) in enumerate(entries):
        shift = 0.56 * ((number + 0.5) / len(entries) - 0.5)
        rows = data.filter(pl.col("variant") == variant).sort("level")
        for row in rows.iter_rows(named=True):
            x = levels.index(row["level"]) + shift
            ax.annotate(
                "", xy=(x, row["last_avg"]), xytext=(x, row["start_avg"]),
                arrowprops={"arrowstyle": "-|>", "color": style.colour, "linewidth": 1.5,
                            "shrinkA": 0, "shrinkB": 0, "mutation_scale": 8},
            )  # fmt: skip
            ax.plot([x], [row["start_avg"]], marker="_", color=style.colour, markersize=6)
        ax.plot([], [], color=style.colour, linestyle=style.line, label=variant)
    ax.axhline(0.5, color="#c4c8ce", linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    ax.set_xticks(range(len(levels)), [f"level {level}" for level in levels])
    ax.set_xlim(-0.5, len(levels) - 0.5)
    share_axis(ax)
    ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1))
    return ax


@styled
def heat_map(frame: Any, ax: Any, columns: str = "dataset") -> Any:
    """Change of avg@k from start to last per variant and dataset; ``frame``: variant_summary."""
    data = as_polars(frame)
    names = [name for name, _ in variants(data)]
    across = data[columns].unique(maintain_order=True).to_list()
    rows = {(r["variant"], r[columns]): r for r in data.iter_rows(named=True)}
    for y, name in enumerate(names):
        for x, column in enumerate(across):
            row = rows.get((name, column))
            change = None if row is None or row["last_avg"] is None else (
                row["last_avg"] - row["start_avg"]
            )  # fmt: skip
            colour = "#ffffff" if change is None else DIVERGING(CHANGES(change))
            ax.add_patch(_tile(x, y, colour))
            text = (
                "\u2013" if row is None else "failed" if change is None else f"{100 * change:+.0f}"
            )
            dark = change is not None and abs(change) > 0.35
            ax.text(x, y - 0.06, text.replace("-", "\u2212"), ha="center", va="center",
                    color="white" if dark else INK, fontsize=8, fontweight="bold")  # fmt: skip
            if change is not None and row is not None:
                ax.text(x, y + 0.28, f"{row['last_avg']:.0%}", ha="center", va="center",
                        color="white" if dark else MUTED, fontsize=6.2)  # fmt: skip
    ax.set_xlim(-0.5, len(across) - 0.5)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xticks(range(len(across)), across)
    ax.set_yticks(range(len(names)), names)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(False)
    return ax


def _points(value: float, _: int | None = None) -> str:
    """A difference of shares in points, with a real minus sign."""
    return f"{100 * value:+.0f}".replace("+0", "0").replace("-", "\u2212")


def _tile(x: int, y: int, colour: Any) -> Any:
    return Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, facecolor=colour, edgecolor="none")
