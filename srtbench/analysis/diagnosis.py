"""Collapse diagnosis of every run, from the views; see :func:`srtbench.stats.diagnose_collapse`."""

from dataclasses import asdict
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.tables import Cell, frame
from srtbench.stats import CollapseReport, diagnose_collapse

NUM_LABELLED = 16
"""Labelled prompts that the stopping rule "labelled_split" may look at: about 1% of 1,600."""

_SIGNALS = {
    "vote_share": "majority_ratio",
    "unanimous_share": "unanimous_share",
    "modal_share": "modal_share",
    "answer_entropy": "answer_entropy_nats",
    "mean_length": "completion_tokens",
    "kl": "kl",
}
"""Signal of the diagnosis -> column of the frame ``run_signals``."""


def diagnose_runs(
    connection: duckdb.DuckDBPyConnection, num_labelled: int | None = None
) -> list[tuple[dict[str, Any], CollapseReport]]:
    """Labels and diagnosis of each run with at least two evaluations and train rollouts."""
    found = []
    signals = frame(connection, "run_signals")
    for part in signals.partition_by("sweep", "run_id", maintain_order=True):
        part = part.sort("step")
        if part.height < 2 or part["train_reward"].null_count() == part.height:
            continue
        values = {
            signal: part[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            for signal, column in _SIGNALS.items()
            if part[column].null_count() < part.height
        }
        report = diagnose_collapse(
            part["step"].to_numpy(),
            part["gold_reward"].to_numpy(),
            part["train_reward"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            values,
            num_labelled=num_labelled,
        )
        labels = part.select("sweep", "run_id", "model", "dataset", "variant", "seed")
        found.append((labels.row(0, named=True), report))
    return found


def collapse_kinds(connection: duckdb.DuckDBPyConnection) -> dict[Cell, tuple[str, str]]:
    """Kind and first reason of the collapse of each cell; of its first seed that collapsed."""
    kinds: dict[Cell, tuple[str, str]] = {}
    for labels, report in diagnose_runs(connection):
        cell = (labels["sweep"], labels["model"], labels["dataset"], labels["variant"])
        if report.collapsed and report.kind != "none":
            kinds.setdefault(cell, (report.kind, report.reasons[0]))
    return kinds


def stopping_table(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row per diagnosed run and stopping rule: where it stops, and what that costs.

    ``regret`` is the best gold accuracy of the run minus that of the checkpoint kept.
    """
    rows = [
        labels | asdict(outcome)
        for labels, report in diagnose_runs(connection, num_labelled=NUM_LABELLED)
        for outcome in report.stopping
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def diagnosis_table(connection: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """One row per diagnosed run: what :func:`diagnose_runs` found, as plain columns."""
    rows = []
    for labels, report in diagnose_runs(connection):
        onset = report.onset
        rows.append(
            labels
            | {
                "collapsed": report.collapsed,
                "kind": report.kind,
                "onset_step": onset.step if onset else None,
                "onset_after": onset.low if onset else None,
                "onset_by": onset.high if onset else None,
                "best_step": report.best_step,
                "best_accuracy": report.best_accuracy,
                "last_step": report.last_step,
                "last_accuracy": report.last_accuracy,
                "reasons": "; ".join(report.reasons),
            }
            | {f"lead_steps_{name}": lead for name, lead in sorted(report.lead_steps.items())}
        )
    return pl.DataFrame(rows, infer_schema_length=None)
