"""The phase diagram: what self-reward does from each start accuracy at each learning rate."""

import polars as pl
from matplotlib.ticker import PercentFormatter

from analysis.claims.data import Cell, Study
from analysis.claims.sections import change_of
from srtbench.analysis.figures import styled
from srtbench.analysis.figures.compare import CHANGES, DIVERGING
from srtbench.analysis.figures.panels import Sheet, new_figure
from srtbench.analysis.figures.style import INK

PART = "phase"
BORDERS = (0.4, 0.6)
"""Start maj@k below which, and from which on, the claims say what happens."""


def phase_frame(study: Study, cells: list[Cell]) -> pl.DataFrame:
    """One row per cell with a finished seed: measured start, learning rate, change, last avg@k."""
    rows = []
    for cell in cells:
        blocks, change = study.blocks(cell), change_of(study, cell)
        if change is None or cell.learning_rate is None:
            continue
        (block,) = blocks
        rows.append(
            {
                "model": cell.model, "dataset": cell.dataset, "variant": cell.variant,
                "learning_rate": cell.learning_rate, "seeds": change.seeds,
                "start_maj": float(block.maj[:, 0].mean()),
                "start_avg": float(block.avg[:, 0].mean()),
                "final_avg": float(block.final.mean()),
                "change": change.value, "low": change.low, "high": change.high,
                "prompts": change.prompts,
            }
        )  # fmt: skip
    return pl.DataFrame(rows, infer_schema_length=None)


@styled
def phase_sheet(frame: pl.DataFrame) -> Sheet:
    """Start models by learning rate, coloured by the change in avg@k."""
    figure = new_figure(1, 3.6, 5.6)
    ax = figure.subplots()
    models = frame.group_by("model", "dataset").agg(pl.col("start_maj").mean())
    models = models.sort("start_maj", "model", "dataset")
    columns = {row[:2]: place for place, row in enumerate(models.iter_rows())}
    rates = sorted(set(frame["learning_rate"]))
    rows = frame.sort("learning_rate", "start_maj")
    across = [columns[key] for key in rows.select("model", "dataset").iter_rows()]
    up = [rates.index(rate) for rate in rows["learning_rate"]]
    tiles = ax.scatter(
        across, up, c=rows["change"].to_list(), cmap=DIVERGING, norm=CHANGES,
        marker="s", s=620, edgecolors="#8a9099", linewidths=0.6,
    )  # fmt: skip
    for x, y, row in zip(across, up, rows.iter_rows(named=True), strict=True):
        change = f"{100 * row['change']:+.0f}".replace("-", "\u2212")
        ax.text(
            x, y, f"{change}\n{row['final_avg']:.0%}", ha="center", va="center", fontsize=6.4,
            color="white" if abs(row["change"]) > 0.35 else INK,
        )  # fmt: skip
    starts = models["start_maj"].to_list()
    ax.set_xticks(range(len(starts)), [f"{start:.0%}" for start in starts])
    ax.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    for border in BORDERS:
        left = sum(start < border for start in starts) - 0.5
        ax.axvline(left, color="#8a9099", linewidth=0.8, linestyle=(0, (2, 2)), zorder=0)
    ax.grid(visible=False)
    ax.set_xlim(-0.7, len(starts) - 0.3)
    ax.set_ylim(-0.7, len(rates) - 0.3)
    ax.set_xlabel("start model, measured maj@k")
    ax.set_ylabel("learning rate")
    ax.set_title("Change of avg@k in points; below it the final avg@k")
    figure.colorbar(tiles, ax=ax, format=PercentFormatter(1, decimals=0), aspect=30)
    caption = (
        "One tile per start model and learning rate; neither axis is to scale. Number: avg@k at "
        "the end minus at the start, in points. Below it: avg@k at the end. "
        "Dotted: between them lie the starts that the hypotheses leave out."
    )
    return Sheet("phase", "Phase diagram", caption, figure, frame)
