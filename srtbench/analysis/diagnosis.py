"""Collapse diagnosis of every run, from the views; see :func:`srtbench.stats.diagnose_collapse`."""

import math
import zlib
from dataclasses import asdict
from typing import Any
from weakref import WeakKeyDictionary

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from srtbench.analysis.frames import Cell, Run, by_run, cell_of, of_set, view
from srtbench.analysis.repetition import repetition
from srtbench.rollouts.signals import SIGNAL_COLUMNS
from srtbench.stats import (
    CollapseReport,
    alarm_records,
    cross_fitted_stopping,
    diagnose_collapse,
)
from srtbench.stats.change_point import noise_scale

LABELLED_SHARE = 0.01
"""Share of its train prompts that the stopping rule "labelled_split" may know the answers of."""
MIN_LABELLED = 16
"""Least size of that split: fewer prompts choose a checkpoint almost by chance."""

SPLITS = 50
"""Random halves of the samples over which stopping rules are cross-fitted."""

_SIGNALS_OF = "SELECT * FROM run_signals AS held WHERE held.eval_set = $eval_set"
_GRADES = """
SELECT sweep, run_id, step, prompt_id, count(*) AS samples,
    list(gold_reward ORDER BY sample_index) AS grades
FROM rollouts AS held
WHERE phase = 'eval' AND held.eval_set = $eval_set AND gold_reward IS NOT NULL
GROUP BY sweep, run_id, step, prompt_id
"""
_RATES = ("rate", "rate_low", "rate_high")
_ALARMS = {
    **dict.fromkeys(("sweep", "signal"), pl.String),
    "healthy_runs": pl.Int64,
    **dict.fromkeys([f"false_alarm_{name}" for name in _RATES], pl.Float64),
    "collapsed_runs": pl.Int64,
    **dict.fromkeys([f"warned_{name}" for name in _RATES], pl.Float64),
    "lead_steps_low": pl.Int64,
    "lead_steps": pl.Float64,
    "lead_steps_high": pl.Int64,
}

Diagnosis = tuple[dict[str, Any], CollapseReport]
"""Labels of a run, and what was found."""

_Known = WeakKeyDictionary[duckdb.DuckDBPyConnection, dict[str | None, list[Diagnosis]]]
_KNOWN = _Known()
"""Diagnoses by evaluation set, for as long as the connection lives."""


def diagnose_runs(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> list[Diagnosis]:
    """Labels and diagnosis of each run with two evaluations on a set or more, and train rollouts.

    ``eval_set`` None: on that on which each run is judged, see the view ``run_summary``.

    Made once per connection, whose list of files is fixed; reads the texts of a few held-out
    completions, see :func:`repetition`. The noise of an evaluation is the larger of its sampling
    noise and what the curve shows.
    """
    known = _KNOWN.setdefault(connection, {})
    if eval_set not in known:
        known[eval_set] = _diagnoses(connection, eval_set)
    return list(known[eval_set])


def _diagnoses(connection: duckdb.DuckDBPyConnection, eval_set: str | None) -> list[Diagnosis]:
    found = []
    signals = of_set(connection, _SIGNALS_OF, eval_set).join(
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
        labels = part.select("sweep", "run_id", "model", "dataset", "variant", "seed", "eval_set")
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
    return {row[:2]: row[2] for row in view(connection, "trained_prompts").iter_rows()}


def labelled_prompts(train_prompts: int) -> int:
    """Size of the labelled split of a run that trains on so many prompts."""
    return max(MIN_LABELLED, math.ceil(LABELLED_SHARE * train_prompts))


def collapse_kinds(connection: duckdb.DuckDBPyConnection) -> dict[Cell, tuple[str, str]]:
    """Kind and first reason of the collapse of each cell; of its first seed that collapsed."""
    kinds: dict[Cell, tuple[str, str]] = {}
    for labels, report in diagnose_runs(connection):
        if report.collapsed and report.kind != "none":
            kinds.setdefault(cell_of(labels), (report.kind, report.reasons[0]))
    return kinds


def stopping_table(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
    """One row per diagnosed run and stopping rule: where it stops, and what that costs.

    ``regret`` is the accuracy of the best checkpoint minus that of the checkpoint kept. Both are
    cross-fitted on the logged samples (:func:`srtbench.stats.cross_fitted_stopping`), so that no
    sample chooses a checkpoint and scores it. Greedy evaluations have one sample per prompt: there
    ``cross_fitted`` is false, and the numbers are those of the curve, which flatter the best.
    """
    rows = []
    grades = by_run(of_set(connection, _GRADES, eval_set))
    for labels, report in diagnose_runs(connection, eval_set):
        steps, cube = _samples(grades[labels["sweep"], labels["run_id"]])
        alarmed = {outcome.rule: outcome.alarmed for outcome in report.stopping}
        found: list[dict[str, Any]] = [asdict(outcome) for outcome in report.stopping]
        fitted = cube.ndim == 3 and cube.shape[2] > 1
        if fitted:
            places = {int(step): place for place, step in enumerate(steps)}
            split, num_labelled = {"best", "last", "labelled_split"}, report.num_labelled
            outcomes = cross_fitted_stopping(
                steps,
                cube,
                np.random.default_rng(zlib.crc32(labels["run_id"].encode())),
                num_labelled=None if num_labelled is None else min(num_labelled, cube.shape[1]),
                kept={o.rule: places[o.step] for o in report.stopping if o.rule not in split},
                num_splits=SPLITS,
            )
            found = [asdict(outcome) | {"alarmed": alarmed[outcome.rule]} for outcome in outcomes]
        rows += [labels | row | {"cross_fitted": fitted} for row in found]
    return pl.DataFrame(rows, infer_schema_length=None)


def _samples(rows: pl.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Grades of one run, (evaluations, prompts, samples), on the prompts that all evaluations have.

    Prompts with fewer samples than most are left out; an empty array where none is left.
    """
    steps = rows["step"].unique().sort()
    size = int(rows["samples"].mode().max() or 0)  # type: ignore[arg-type]
    rows = rows.filter(pl.col("samples") == size)
    rows = rows.filter(pl.len().over("prompt_id") == len(steps)).sort("step", "prompt_id")
    if not rows.height:
        return steps.to_numpy(), np.empty(0)
    cube = rows["grades"].explode().cast(pl.Float64).to_numpy()
    return steps.to_numpy(), cube.reshape(len(steps), -1, size)


def alarm_table(connection: duckdb.DuckDBPyConnection, eval_set: str | None = None) -> pl.DataFrame:
    """One row per sweep and label-free signal: how often its alarm warned, and cried wolf.

    ``false_alarm_rate`` is the share of healthy runs in which it rang, ``warned_rate`` that of
    collapsed runs in which it rang no later than the onset's lower bound, each with its exact 95%
    interval over runs; null without such runs. ``lead_steps`` are from the alarm to that bound, the
    smallest, the median and the largest of the collapsed runs in which it rang at all.
    """
    reports: dict[str, list[CollapseReport]] = {}
    for labels, report in diagnose_runs(connection, eval_set):
        reports.setdefault(labels["sweep"], []).append(report)
    rows = []
    for sweep, of_sweep in reports.items():
        for record in alarm_records(of_sweep):
            leads = sorted(record.leads)
            row: dict[str, Any] = {"sweep": sweep, "signal": record.signal}
            rates = {
                "healthy": record.false_alarm_rate,
                "collapsed": record.warned_rate,
            }
            for (kind, rate), name in zip(
                rates.items(), ("false_alarm_rate", "warned_rate"), strict=True
            ):
                row[f"{kind}_runs"] = 0 if rate is None else rate.num_units[0]
                row[name] = None if rate is None else rate.estimate
                row[f"{name}_low"] = None if rate is None else rate.low
                row[f"{name}_high"] = None if rate is None else rate.high
            row["lead_steps_low"] = leads[0] if leads else None
            row["lead_steps"] = float(np.median(leads)) if leads else None
            row["lead_steps_high"] = leads[-1] if leads else None
            rows.append(row)
    return pl.DataFrame(rows, schema=_ALARMS)


def diagnosis_table(
    connection: duckdb.DuckDBPyConnection, eval_set: str | None = None
) -> pl.DataFrame:
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
