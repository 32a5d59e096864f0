"""Collapse diagnosis of every run, from the views; see :func:`srtbench.stats.diagnose_collapse`."""

import math
from dataclasses import asdict
from typing import Any

import duckdb
import polars as pl

from srtbench.analysis.frames import Cell, Run, query
from srtbench.analysis.repetition import repetition
from srtbench.config.eval_sets import OWN
from srtbench.rollouts.signals import SIGNAL_COLUMNS
from srtbench.stats import CollapseReport, diagnose_collapse
from srtbench.stats.change_point import noise_scale

LABELLED_SHARE = 0.01
"""Share of its train prompts that the stopping rule "labelled_split" may know the answers of."""
MIN_LABELLED = 16
"""Least size of that split: fewer prompts choose a checkpoint almost by chance."""

_SIGNALS_OF = "SELECT * FROM run_signals WHERE eval_set = $eval_set"
_TRAINED_ON = """
SELECT sweep, run_id, count(DISTINCT prompt_id) AS prompts
FROM groups WHERE phase = 'train' GROUP BY sweep, run_id
"""


def diagnose_runs(
    connection: duckdb.DuckDBPyConnection, eval_set: str = OWN
) -> list[tuple[dict[str, Any], CollapseReport]]:
    """Labels and diagnosis of each run with two evaluations on a set or more, and train rollouts.

    Reads the texts of a few held-out completions, once per connection; see :func:`repetition`.
    The noise of an evaluation is the larger of its sampling noise and what the curve shows.
    """
    found = []
    signals = query(connection, _SIGNALS_OF, eval_set=eval_set).join(
        repetition(connection, eval_set),
        on=["sweep", "run_id", "step"],
        how="left",
        maintain_order="left",
    )
    trained_on = trained_prompts(connection)
    for part in signals.partition_by("sweep", "run_id", maintain_order=True):
        part = part.filter(pl.col("gold_reward").is_not_null()).sort("step")
        if part.height < 2 or part["train_reward"].null_count() == part.height:
            continue
        values = {
            signal: part[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            for signal, column in SIGNAL_COLUMNS.items()
            if part[column].null_count() < part.height
        }
        labels = part.select("sweep", "run_id", "model", "dataset", "variant", "seed")
        accuracy = part["gold_reward"].to_numpy()
        report = diagnose_collapse(
            part["step"].to_numpy(),
            accuracy,
            part["train_reward"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
            values,
            num_labelled=labelled_prompts(trained_on.get(labels.row(0)[:2], 0)),
            noise=max(float(part["gold_noise"].to_numpy().max()), noise_scale(accuracy)),
        )
        found.append((labels.row(0, named=True), report))
    return found


def trained_prompts(connection: duckdb.DuckDBPyConnection) -> dict[Run, int]:
    """How many different prompts each run trained on."""
    return {row[:2]: row[2] for row in query(connection, _TRAINED_ON).iter_rows()}


def labelled_prompts(train_prompts: int) -> int:
    """Size of the labelled split of a run that trains on so many prompts."""
    return max(MIN_LABELLED, math.ceil(LABELLED_SHARE * train_prompts))


def collapse_kinds(connection: duckdb.DuckDBPyConnection) -> dict[Cell, tuple[str, str]]:
    """Kind and first reason of the collapse of each cell; of its first seed that collapsed."""
    kinds: dict[Cell, tuple[str, str]] = {}
    for labels, report in diagnose_runs(connection):
        cell = (labels["sweep"], labels["model"], labels["dataset"], labels["variant"])
        if report.collapsed and report.kind != "none":
            kinds.setdefault(cell, (report.kind, report.reasons[0]))
    return kinds


def stopping_table(connection: duckdb.DuckDBPyConnection, eval_set: str = OWN) -> pl.DataFrame:
    """One row per diagnosed run and stopping rule: where it stops, and what that costs.

    ``regret`` is the best gold accuracy of the run minus that of the checkpoint kept.
    """
    rows = [
        labels | asdict(outcome)
        for labels, report in diagnose_runs(connection, eval_set)
        for outcome in report.stopping
    ]
    return pl.DataFrame(rows, infer_schema_length=None)


def diagnosis_table(connection: duckdb.DuckDBPyConnection, eval_set: str = OWN) -> pl.DataFrame:
    """One row per diagnosed run: what :func:`diagnose_runs` found, as plain columns."""
    rows = []
    for labels, report in diagnose_runs(connection, eval_set):
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
