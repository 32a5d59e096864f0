"""What the pages of a report hold: every table as rows, ready for the templates."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.between import between_sweeps, opened_sweeps
from srtbench.analysis.consistency import self_consistency
from srtbench.analysis.diagnosis import alarm_table
from srtbench.analysis.disagreements import disagreements
from srtbench.analysis.estimates import set_table
from srtbench.analysis.frames import cell_caveats, query, varying, view
from srtbench.analysis.report.browser import browser_data
from srtbench.analysis.report.facts import Fact, headline
from srtbench.analysis.report.failures import failures
from srtbench.analysis.report.head import heads
from srtbench.analysis.report.samples import galleries
from srtbench.store.unplanned import forgotten


def page_content(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    found: list[Fact],
    pictures: Sequence[object],
) -> dict[str, Any]:
    """The names that ``report.html.j2`` and ``report.md.j2`` use.

    Args:
        paths: folders of the opened sweeps. pictures: the figures, drawn.
    """
    runs = view(connection, "runs").join(
        view(connection, "run_summary").select(
            "sweep",
            "run_id",
            "k",
            "start_avg",
            "best_avg",
            "best_step",
            "last_avg",
            "last_step",
            "last_maj",
            "last_train_reward",
            "collapse_step",
        ),
        on=["sweep", "run_id"],
        how="left",
        maintain_order="left",
    )
    sweeps = opened_sweeps(connection)
    counted = query(connection, "SELECT count(*) AS rollouts FROM rollouts")
    states = runs.group_by("state").len().rows()
    return {
        "title": " · ".join(sweeps) or paths[0].name,
        "sweeps": sweeps,
        "heads": heads(connection),
        "failures": failures(connection, paths),
        "models": runs["model"].unique(maintain_order=True).to_list(),
        "datasets": runs["dataset"].unique(maintain_order=True).to_list(),
        "variants": runs["variant"].unique(maintain_order=True).to_list(),
        "seeds": sorted(runs["seed"].unique().to_list()),
        "states": dict(states),
        "rollouts": counted["rollouts"][0],
        "facts": found,
        "headline": headline(found),
        "pictures": pictures,
        "galleries": galleries(connection, found),
        "eval_sets": _set_rows(connection),
        "voting": _voting_rows(connection),
        "runs": runs.rows(named=True),
        "caveats": [(*cell, text) for cell, text in cell_caveats(connection).items()],
        "styles": {(fact.cell[0], fact.variant): fact.style for fact in found},
        "between": _between_rows(connection) if len(sweeps) > 1 else [],
        "alarms": alarm_table(connection).rows(named=True),
        "damaged_files": view(connection, "damaged_files").rows(named=True),
        "forgotten": _forgotten(connection, several=len(sweeps) > 1),
        "stages": view(connection, "stages").rows(named=True),
        "written": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "k": runs["k"].max(),
        "browser": browser_data(connection),
        "disagreements": disagreements(connection),
    }


def _forgotten(connection: duckdb.DuckDBPyConnection, *, several: bool) -> list[str]:
    """A sentence per sweep that has finished runs which its plan does not name."""
    rows = view(connection, "unplanned_runs").filter(pl.col("state") == "done")
    rows = rows.sort("sweep", "run_id")
    lines = []
    for part in rows.partition_by("sweep", maintain_order=True):
        text = forgotten(part["run_id"].to_list())
        lines.append(f"{part['sweep'][0]}: {text}" if several else str(text))
    return lines


def _between_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table that sets sweeps against each other, in words."""
    table = between_sweeps(connection)
    settings = {*table["first_setting"], *table["second_setting"]}
    rows = table.rows(named=True)
    for row in rows:
        for side in ("first", "second"):
            parts = [row[f"{side}_sweep"], row[side]]
            parts += [row[f"{side}_setting"]] if len(settings) > 1 else []
            row[f"{side}_label"] = " · ".join(parts)
        row["difference"], row["verdict"] = _points(row, "value"), "no interval"
        if row["low"] is not None:
            clear = row["low"] > 0 or row["high"] < 0
            better = row["first_sweep"] if row["value"] > 0 else row["second_sweep"]
            row["verdict"] = f"{better} is better" if clear else "undecided"
        how = "paired" if row["paired"] else f"unpaired: {row['why_unpaired']}"
        row["how"] = f"{how}; over {row['over']}" if row["over"] else how
    return rows


def _points(row: dict[str, Any], name: str) -> str:
    """A difference of shares in points, with its interval if it has one."""
    if row[name] is None:
        return "\u2013"
    text = f"{100 * row[name]:+.1f}"
    if row["low"] is not None and row["low"] < row["high"]:
        low, high = (f"{100 * row[end]:+.1f}" for end in ("low", "high"))
        text += f" ({low} to {high})"
    return text.replace("-", "\u2212")


def _voting_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table of self-consistency, in words."""
    table = self_consistency(connection)
    named = varying(table)
    rows = table.rows(named=True)
    for row in rows:
        row["setting"] = " · ".join(str(row[name]) for name in named)
        row["difference"] = _points(row, "gain")
        side = "" if row["side"] is None else f", {row['seeds']} {row['side']}"
        row["name"] = "start model" if row["variant"] is None else row["variant"] + side
    return rows


def _set_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table of all evaluation sets; none if there are only the own held-out prompts."""
    table = set_table(connection)
    if table["eval_set"].n_unique() < 2:
        return []
    named = varying(table)
    rows = table.rows(named=True)
    for row in rows:
        row["setting"] = " · ".join(str(row[name]) for name in named)
        row["difference"] = _points(row, "change")
    return rows
