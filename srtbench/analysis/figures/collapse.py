"""How a run collapses: signals stacked on one time axis, and the path through reward and truth."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from matplotlib.ticker import MaxNLocator, PercentFormatter

from srtbench.analysis.figures.curves import mark_onset
from srtbench.analysis.figures.lines import DASHED, QUARTERS, share_axis, step_axis, step_name
from srtbench.analysis.figures.style import INK, MUTED, as_polars, direct_labels, styled, variants

PANELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Reward", ("train_reward", "gold_reward")),
    ("Held-out accuracy", ("avg_at_k", "maj_at_k")),
    ("Most common answer", ("modal_share",)),
    ("KL to the start, nats", ("kl",)),
)
_NAMES = {
    "train_reward": "train_reward",
    "gold_reward": "gold accuracy",
    "avg_at_k": "avg@k",
    "maj_at_k": "maj@k",
    "modal_share": "across prompts",
    "kl": "",
    "answer_entropy_nats": "",
}


@styled
def collapse_panel(
    train: Any,
    held_out: Any,
    axes: Sequence[Any],
    *,
    onset: tuple[int, int] | None = None,
    labels: bool = True,
) -> Sequence[Any]:
    """Reward, accuracy, modal share and KL of one variant, stacked; ``axes``: four of them.

    ``train`` and ``held_out`` are ``train_curve`` and ``eval_curve`` of that variant. Where no KL
    was logged, the entropy of the answers to one prompt takes its place.
    """
    training, evaluated = as_polars(train), as_polars(held_out)
    (variant, style), *_ = variants(evaluated)
    colours = {"train_reward": INK, "maj_at_k": MUTED}
    has_kl = training.filter(pl.col("measure") == "kl").height > 0
    for number, ((title, measures), ax) in enumerate(zip(PANELS, axes, strict=True)):
        if measures == ("kl",) and not has_kl:
            title, measures = "Answer entropy, nats", ("answer_entropy_nats",)
        ends = []
        for measure in measures:
            source = training if measure in ("train_reward", "gold_reward", "kl") else evaluated
            line = source.filter(pl.col("measure") == measure).sort("step")
            if not line.height:
                continue
            colour = colours.get(measure, style.colour)
            dashed = measure in ("train_reward", "maj_at_k")
            ax.plot(
                line["step"].to_list(), line["value"].to_list(), color=colour,
                linestyle=DASHED if dashed else "-", markersize=3, clip_on=False,
                marker="o" if source is evaluated else None,
            )  # fmt: skip
            if _NAMES[measure]:
                ends.append((line["value"][-1], _NAMES[measure], colour))
        if number < 3:
            share_axis(ax, ticks=(0, 0.5, 1))
        else:
            ax.set_ylim(bottom=0)
            ax.yaxis.set_major_locator(MaxNLocator(nbins=3))
        step_axis(ax, evaluated["step"])
        ax.set_xlabel("")
        ax.set_title(title, fontsize=7.5, fontweight="normal", pad=4)
        if onset is not None:
            mark_onset(ax, onset, name=number == 0)
        if labels:
            direct_labels(ax, ends, gap=0.2)
        if number + 1 < len(axes):
            ax.tick_params(labelbottom=False)
    axes[-1].set_xlabel(step_name(training))
    axes[0].set_title(f"{variant}\n", color=style.text_colour)
    axes[0].text(0, 1.05, PANELS[0][0], transform=axes[0].transAxes, fontsize=7.5, va="bottom")
    return axes


@styled
def phase_portrait(frame: Any, ax: Any, *, labels: bool = True) -> Any:
    """Path of each variant through train_reward and gold accuracy, from ``portrait``.

    On the diagonal the reward tells the truth; a path that turns to the lower right is a collapse.
    """
    data = as_polars(frame)
    ax.plot([0, 1], [0, 1], color="#c4c8ce", linewidth=0.8, zorder=0)
    ax.text(
        0.07, 0.085, "reward = truth", rotation=45, rotation_mode="anchor", color=MUTED,
        fontsize=6.8, ha="left", va="bottom",
    )  # fmt: skip
    ends = []
    for variant, style in variants(data):
        line = data.filter(pl.col("variant") == variant).sort("step")
        x, y = line["train_reward"].to_list(), line["gold_reward"].to_list()
        ax.plot(x, y, color=style.colour, linestyle=style.line, linewidth=1.2, zorder=2)
        ax.plot(
            x[:1], y[:1], marker="o", markersize=5, color="white", markeredgecolor=style.colour,
            markeredgewidth=1.2, zorder=3, clip_on=False,
        )  # fmt: skip
        ax.plot(
            x[-1:], y[-1:], marker=style.marker, markersize=6, color=style.colour,
            markeredgecolor="white", markeredgewidth=0.7, zorder=4, clip_on=False,
        )  # fmt: skip
        ends.append((y[-1], variant, style.text_colour, x[-1]))
    share_axis(ax)
    ax.set_xlim(0, 1)
    ax.set_xticks(QUARTERS)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(True, axis="both")
    ax.set_xlabel("train_reward")
    ax.set_ylabel("gold accuracy")
    ax.set_aspect("equal")
    if labels:
        entries = [(y, text, colour) for y, text, colour, _ in ends]
        direct_labels(ax, entries, gap=0.07, ends=[x for *_, x in ends])
    return ax
