"""What a report says in words: one sentence per planned cell, with its interval."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.diagnosis import collapse_kinds
from srtbench.analysis.effects import over
from srtbench.analysis.endings import Ending, ending_sentence, endings
from srtbench.analysis.estimates import paired_change
from srtbench.analysis.figures.style import Style, variant_style
from srtbench.analysis.frames import Cell, by_cell, cell_caveats, cell_of, frame, varying, view
from srtbench.analysis.splits import CellSplit, cell_splits, interval_text, side_cell
from srtbench.analysis.stops import cell_ends
from srtbench.config.eval_sets import OWN
from srtbench.config.words import counted
from srtbench.stats import Interval, verdict

NAMED = 8
"""Cells of one verdict that the headline names; the others are counted, and come below it."""


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
    split: CellSplit | None = None
    """How many seeds collapsed; None where none can be judged."""

    @property
    def variant(self) -> str:
        """Label of the variant."""
        return self.cell[3]


def facts(connection: duckdb.DuckDBPyConnection) -> list[Fact]:
    """A fact per planned cell, in the order of the plan."""
    summary = view(connection, "variant_summary")
    changes = dict(_changes(frame(connection, "change")))
    kinds = collapse_kinds(connection)
    named = varying(summary)
    caveats, ended = cell_caveats(connection), cell_ends(connection)
    splits, ends = cell_splits(connection), endings(connection)
    collapsed_seeds = _collapsed_seeds(view(connection, "run_summary"))
    found = []
    for row in summary.iter_rows(named=True):
        cell = cell_of(row)
        split = splits.get(cell)
        what, sentence = _sentence(row, changes.get(cell), split)
        if row["eval_set"] != OWN and row["seeds"]:
            sentence += f" Judged on {row['eval_set']}."
        if what == "collapsed" and cell in kinds:
            sentence += f" Kind: {kinds[cell][0].replace('_', ' ')}."
        shown = _shown_ends(ends.get(cell, []), what, collapsed_seeds.get(cell, set()))
        if said := ending_sentence(shown, row["seeds"]):
            sentence += f" {said}"
        if cell in ended:
            sentence += f" {ended[cell]}"
        if cell in caveats:
            sentence += f" {caveats[cell]}"
        style = variant_style(row["variant_type"], row["variant_rank"])
        setting = " · ".join(str(row[name]) for name in named)
        found.append(Fact(cell, setting, style, what, sentence, row, changes.get(cell), split))
    return found


def onsets(found: list[Fact]) -> dict[Cell, tuple[int, int]]:
    """The evaluations between which each collapsed cell collapsed; by its name in figures."""
    return {
        side_cell(fact.cell, fact.split): (fact.row["collapse_after"], fact.row["collapse_step"])
        for fact in found
        if fact.row["collapse_step"] is not None
    }


def _collapsed_seeds(runs: pl.DataFrame) -> dict[Cell, set[int]]:
    rows = runs.filter(pl.col("collapse_step").is_not_null())
    found: dict[Cell, set[int]] = {}
    for row in rows.iter_rows(named=True):
        found.setdefault(cell_of(row), set()).add(row["seed"])
    return found


def _shown_ends(ends: list[Ending], what: str, collapsed: set[int]) -> list[Ending]:
    """Whose end is told: of seeds that collapsed, of a cell that fell, and of degenerate ones."""
    return [one for one in ends if one.seed in collapsed or what == "fell" or one.degenerate]


def _changes(rows: pl.DataFrame) -> Iterator[tuple[Cell, Interval]]:
    """Last minus first avg@k per cell, over the prompts (and seeds) that all its runs have."""
    for cell, part in by_cell(rows).items():
        change = paired_change(part)
        if change is not None:
            yield cell, change


def _sentence(
    row: dict[str, Any], change: Interval | None, split: CellSplit | None
) -> tuple[str, str]:
    if row["seeds"] == 0:
        return _unfinished(row)
    if row["last_avg"] is None:
        return "undecided", "has no gold answers, so nothing is said of its accuracy."
    if split is not None and split.splits:
        return "collapsed", _split_sentence(row, split) + _runs(row)
    k, collapsed = row["k"], bool(row["collapsed"])
    text = f"avg@{k} {percent(row['start_avg'])} → {percent(row['last_avg'])}"
    if row["best_avg"] - max(row["last_avg"], row["start_avg"]) > 0.005:
        text += f" (best {percent(row['best_avg'])})"
    text += f", maj@{k} {percent(row['start_maj'])} → {percent(row['last_maj'])}"
    if collapsed:
        seeds = f" in {split.words}" if split is not None and split.found.seeds > 1 else ""
        text = f"Collapsed{seeds} {_onset(row)}: {text}, {_while_reward(row)}."
    else:
        text += "."
    return "collapsed" if collapsed else direction(change), text + _interval(change, k) + _runs(row)


def _split_sentence(row: dict[str, Any], split: CellSplit) -> str:
    """Of a cell of which some seeds collapsed: both kinds of seeds, and no mean over all."""
    k = row["k"]
    fallen, alive = split.collapsed or {}, split.survivors or {}
    text = (
        f"Collapsed in {split.words}, the first {_onset(row)}: their avg@{k} "
        f"{percent(fallen['start_avg'])} → {percent(fallen['last_avg'])}, {_while_reward(fallen)}. "
    )
    others = "The other seed" if alive["seeds"] == 1 else f"The other {alive['seeds']} seeds"
    text += f"{others}: avg@{k} {percent(alive['start_avg'])} → {percent(alive['last_avg'])}"
    if split.found.survivors is not None:
        text += f", at the end {interval_text(split.found.survivors)}"
    return text + "."


def _onset(row: dict[str, Any]) -> str:
    return f"between steps {row['collapse_after']} and {row['collapse_step']}"


def _while_reward(row: dict[str, Any]) -> str:
    first, last = percent(row["start_train_reward"]), percent(row["last_train_reward"])
    return f"while train_reward went {first} → {last}"


def direction(change: Interval | None) -> str:
    """What may be said of a change: rose or fell only if its 95% interval excludes 0."""
    return "undecided" if change is None else verdict(change).word


def _interval(change: Interval | None, k: int) -> str:
    if change is None:
        return ""
    what = "without a spread over" if change.low == change.high else "a 95% interval over"
    return f" Change of avg@{k}: {points(change)}, {what} {over(change)}."


def points(change: Interval) -> str:
    """A change and its interval in points, with a real minus sign; an interval has a width."""
    numbers = verdict(change).numbers
    shown = numbers.partition(" [")[0] if change.low == change.high else numbers
    return shown.replace("-", "\u2212")


def headline(found: list[Fact]) -> str:
    """All cells in one line, grouped by what happened to them."""
    words = {
        "rose": "Accuracy rose with",
        "fell": "Accuracy fell with",
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
            more = f" and {len(cells) - NAMED} more" if len(cells) > NAMED else ""
            parts.append(f"{start} {', '.join(cells[:NAMED])}{more}.")
    return " ".join(parts)


def _in_brackets(fact: Fact) -> str:
    """The last avg@k; of an undecided cell its change, of seeds that split how many collapsed."""
    one, split = fact.change, fact.split
    if fact.verdict == "undecided" and one is not None:
        return f" ({points(one)})"
    if split is not None and split.splits:
        alive = percent((split.survivors or {})["last_avg"])
        return f" ({split.words}; the rest end at {alive})"
    return "" if fact.row["last_avg"] is None else f" ({percent(fact.row['last_avg'])})"


def _runs(row: dict[str, Any]) -> str:
    """Runs that did not finish."""
    words = {"failed": "failed", "unfinished": "did not finish"}
    parts = [f"{row[name]} {text}" for name, text in words.items() if row[name]]
    if not parts:
        return ""
    runs = counted(row["runs"], "run")
    return f" Of {runs} {' and '.join(parts)}; evaluations made before count."


def _unfinished(row: dict[str, Any]) -> tuple[str, str]:
    if row["failed"] == row["runs"]:
        return "failed", "failed before its first evaluation; its error stands above."
    if row["failed"]:
        runs = counted(row["runs"], "run")
        return "failed", f"nothing to show: {row['failed']} of {runs} failed."
    return "waiting", "has not reached its first evaluation yet."


def percent(share: float | None, digits: int = 0) -> str:
    """A share as per cent; a dash where there is none."""
    return "\u2013" if share is None else f"{100 * share:.{digits}f}%"
