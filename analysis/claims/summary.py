"""The page in one figure and one sentence per claim."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from analysis.claims.sections import Finding, Section
from analysis.claims.verdicts import FAILS, HOLDS, NOT_RUN, UNDECIDED
from srtbench.analysis.figures import styled
from srtbench.analysis.figures.panels import WIDTH, Sheet, new_figure
from srtbench.analysis.figures.style import INK, MUTED

COLOURS = {HOLDS: "#0072B2", FAILS: "#D55E00", UNDECIDED: "#7A7F87"}
"""Of the verdicts, from the colour-blind safe palette."""
_REACH = 1.0
"""Shares, their differences and correlations lie within; other quantities have their own axis."""


@styled
def forest(sections: Sequence[Section]) -> Sheet | None:
    """Every measured hypothesis on every task: effect, interval, threshold; None: nothing is.

    The threshold of a row is a bar, with the claimed side shaded.
    """
    findings = [finding for section in sections for finding in section.findings]
    measured = [finding for finding in findings if finding.effect is not None]
    if not measured:
        return None
    shares = [finding for finding in measured if _largest(finding) <= _REACH + 1e-9]
    others = [finding for finding in measured if finding not in shares]
    panels = [rows for rows in (shares, others) if rows]
    figure = new_figure(1, 0.7 + 0.27 * len(measured) + 0.5 * len(panels), WIDTH)
    ratios = [len(rows) + 1.5 for rows in panels]
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for ax, rows in zip(axes, panels, strict=True):
        _panel(ax, rows)
    axes[0].set_title("Effect, 95% interval and threshold of every hypothesis")
    data = pl.DataFrame(
        [
            {
                "hypothesis": one.hypothesis.key, "task": one.task, "value": one.effect.value,
                "low": one.effect.low, "high": one.effect.high,
                "threshold": one.hypothesis.threshold, "rule": one.hypothesis.rule,
                "verdict": one.verdict,
            }
            for one in measured if one.effect is not None
        ],
        infer_schema_length=None,
    )  # fmt: skip
    words = "A bar is the threshold, the shaded side is the claimed one."
    return Sheet("summary", "All hypotheses", words, figure, data)


def sentences(sections: Sequence[Section]) -> list[str]:
    """One line per claim: title, verdict, by what, and whether that was fixed in advance."""
    lines = []
    for section in sections:
        claim = section.claim
        if not claim.hypotheses:
            continue
        known = [one for one in section.findings if one.verdict != NOT_RUN]
        held = sum(one.verdict == HOLDS for one in known)
        total = len(section.findings)
        missing = "" if len(known) == total else f"; {total - len(known)} not run"
        part = f" ({held} of {len(known)} hypotheses hold{missing})" if known else ""
        kind = section.standing.partition(":")[0].lower()
        lines.append(
            f"- [{claim.key}](#{claim.key.lower()}). {claim.title}: **{section.verdict}**{part}"
            + (f", {kind}." if kind and known else ".")
        )
    return [*lines, ""] if lines else []


def _panel(ax: Any, rows: Sequence[Finding]) -> None:
    reach = max(_largest(finding) for finding in rows)
    reach = _REACH if reach <= _REACH else reach
    left, right = -1.04 * reach, 1.04 * reach
    for place, finding in enumerate(rows):
        effect, bound, rule = finding.effect, finding.hypothesis.threshold, finding.hypothesis.rule
        assert effect is not None
        sides = {"above": (bound, right), "below": (left, bound), "within": (-bound, bound)}
        low, high = sides[rule]
        ax.fill_betweenx([place - 0.38, place + 0.38], low, high, color="#EAF1F6", linewidth=0)
        for mark in (-bound, bound) if rule == "within" else (bound,):
            ax.plot([mark, mark], [place - 0.38, place + 0.38], color=INK, linewidth=1.1)
        colour = COLOURS.get(finding.verdict, MUTED)
        if effect.low is not None and effect.high is not None:
            ax.plot([effect.low, effect.high], [place, place], color=colour, linewidth=1.6)
        ax.plot([effect.value], [place], marker="o", color=colour, markeredgecolor="white")
        ax.text(
            1.01, place, finding.verdict, va="center", ha="left", color=colour, fontsize=7,
            transform=ax.get_yaxis_transform(),
        )  # fmt: skip
    labels = [" ".join(filter(None, (one.hypothesis.key, one.task))) for one in rows]
    ax.set_yticks(range(len(rows)), labels)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xlim(left, right)
    ax.axvline(0, color=MUTED, linewidth=0.6, zorder=0)
    ax.grid(False, axis="y")


def _largest(finding: Finding) -> float:
    effect = finding.effect
    assert effect is not None
    values = (effect.value, effect.low, effect.high, finding.hypothesis.threshold)
    return max(abs(value) for value in values if value is not None)
