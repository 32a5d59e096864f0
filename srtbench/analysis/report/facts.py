"""What a report says in words: one sentence per planned cell, with its interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.diagnosis import collapse_kinds
from srtbench.analysis.effects import over
from srtbench.analysis.estimates import paired_change
from srtbench.analysis.figures.style import Style, variant_style
from srtbench.analysis.frames import Cell, cell_caveats, frame, view
from srtbench.analysis.stops import cell_ends
from srtbench.config.eval_sets import OWN
from srtbench.stats import Interval, verdict


@dataclass(frozen=True)
class Fact:
    """What happened in one cell."""

    cell: Cell
    setting: str
    style: Style
    verdict: str
    sentence: str
    row: dict[str, Any]
    change: Interval | None = None
    """Last minus first avg@k."""

    @property
    def variant(self) -> str:
        """Label of the variant."""
        return self.cell[3]


def facts(connection: duckdb.DuckDBPyConnection) -> list[Fact]:
    """A fact per planned cell, in the order of the plan."""
    summary = view(connection, "variant_summary")
    changes = dict(_changes(frame(connection, "change")))
    kinds = collapse_kinds(connection)
    varying = [name for name in ("sweep", "model", "dataset") if summary[name].n_unique() > 1]
    caveats, ended = cell_caveats(connection), cell_ends(connection)
    cut_off = _cut_off(view(connection, "eval_curves").filter(pl.col("eval_set") == OWN))
    found = []
    for row in summary.iter_rows(named=True):
        cell = (row["sweep"], row["model"], row["dataset"], row["variant"])
        what, sentence = _sentence(row, changes.get(cell), kinds.get(cell))
        share_cut = cut_off.get(cell) or 0.0  # null where the files lack the column
        if what == "collapsed" and share_cut > 0.5:
            sentence += (
                f" At the end {percent(share_cut)} of the completions are cut off at the "
                "length limit."
            )
        if cell in ended:
            sentence += f" {ended[cell]}"
        if cell in caveats:
            sentence += f" {caveats[cell]}"
        style = variant_style(row["variant_type"], row["variant_rank"])
        setting = " · ".join(str(row[name]) for name in varying)
        found.append(Fact(cell, setting, style, what, sentence, row, changes.get(cell)))
    return found


def onsets(found: list[Fact]) -> dict[Cell, tuple[int, int]]:
    """The evaluations between which each collapsed cell collapsed."""
    return {
        fact.cell: (fact.row["collapse_after"], fact.row["collapse_step"])
        for fact in found
        if fact.row["collapse_step"] is not None
    }


def _cut_off(curves: pl.DataFrame) -> dict[Cell, float | None]:
    """Share of completions at the length limit, in each cell's last evaluation."""
    last = curves.filter(pl.col("step") == pl.col("step").max().over("run_id"))
    shares = last.group_by("sweep", "model", "dataset", "variant").agg(
        pl.col("truncated_share").mean()
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in shares.iter_rows()}


def _changes(rows: pl.DataFrame) -> Iterator[tuple[Cell, Interval]]:
    """Last minus first avg@k per cell, over the prompts (and seeds) that all its runs have."""
    for part in rows.partition_by("sweep", "model", "dataset", "variant"):
        cell = (part["sweep"][0], part["model"][0], part["dataset"][0], part["variant"][0])
        change = paired_change(part)
        if change is not None:
            yield cell, change


def _sentence(
    row: dict[str, Any], change: Interval | None, kind: tuple[str, str] | None
) -> tuple[str, str]:
    if row["seeds"] == 0:
        return _unfinished(row)
    if row["last_avg"] is None:
        return "undecided", "has no gold answers, so nothing is said of its accuracy."
    k, collapsed = row["k"], bool(row["collapsed"])
    text = f"avg@{k} {percent(row['start_avg'])} → {percent(row['last_avg'])}"
    if row["best_avg"] - max(row["last_avg"], row["start_avg"]) > 0.005:
        text += f" (best {percent(row['best_avg'])})"
    text += f", maj@{k} {percent(row['start_maj'])} → {percent(row['last_maj'])}"
    if collapsed:
        seeds = "" if row["seeds"] == 1 else f", {row['collapsed']} of {row['seeds']} seeds"
        reward = f"{percent(row['start_train_reward'])} → {percent(row['last_train_reward'])}"
        text = (
            f"Collapsed between steps {row['collapse_after']} and {row['collapse_step']}{seeds}: "
            f"{text}, while train_reward went {reward}."
        )
        if row["last_modal_share"] >= 0.5:
            answer = _shorten(row["last_modal_answer"])
            text += (
                f" At the end {percent(row['last_modal_share'])} of all completions, whatever the "
                f"prompt, answer “{answer}”."
            )
        elif kind is not None:
            text += f" Kind: {kind[0].replace('_', ' ')}."
    else:
        text += "."
    return "collapsed" if collapsed else direction(change), text + _interval(change, k) + _runs(row)


def direction(change: Interval | None) -> str:
    """What may be said of a change: rose or fell only if its 95% interval excludes 0."""
    return "undecided" if change is None else verdict(change).word


def _interval(change: Interval | None, k: int) -> str:
    if change is None:
        return ""
    return f" Change of avg@{k}: {points(change)}, a 95% interval over {over(change)}."


def points(change: Interval) -> str:
    """A change and its interval in points, with a real minus sign."""
    return verdict(change).numbers.replace("-", "\u2212")


def headline(found: list[Fact]) -> str:
    """All cells in one line, grouped by what happened to them."""
    words = {
        "rose": "Accuracy rose with",
        "fell": "It fell with",
        "undecided": "Undecided:",
        "collapsed": "Collapsed:",
        "failed": "Failed:",
        "waiting": "Not evaluated yet:",
    }
    parts = []
    for what, start in words.items():
        cells = [
            fact.variant + _in_brackets(fact) + (f" on {fact.setting}" if fact.setting else "")
            for fact in found
            if fact.verdict == what
        ]
        if cells:
            parts.append(f"{start} {', '.join(cells)}.")
    return " ".join(parts)


def _in_brackets(fact: Fact) -> str:
    """The last avg@k; of an undecided cell its change in points with the interval."""
    one = fact.change
    if fact.verdict == "undecided" and one is not None:
        return f" ({points(one)})"
    return "" if fact.row["last_avg"] is None else f" ({percent(fact.row['last_avg'])})"


def _runs(row: dict[str, Any]) -> str:
    """Runs that did not finish."""
    parts = [f"{row[name]} {name}" for name in ("failed", "unfinished") if row[name]]
    return f" Of {row['runs']} runs {' and '.join(parts)}." if parts else ""


def _unfinished(row: dict[str, Any]) -> tuple[str, str]:
    if row["failed"] == row["runs"]:
        return "failed", "failed before its first evaluation; the table of runs has the error."
    if row["failed"]:
        return "failed", f"nothing to show: {row['failed']} of {row['runs']} runs failed."
    return "waiting", "has not reached its first evaluation yet."


def percent(share: float | None, digits: int = 0) -> str:
    """A share as per cent; a dash where there is none."""
    return "\u2013" if share is None else f"{100 * share:.{digits}f}%"


def _shorten(text: str | None, length: int = 40) -> str:
    text = " ".join((text or "").split())
    return text if len(text) <= length else text[: length - 1] + "…"
