"""Signals of each train step, alarms over a sweep, and stopping rules scored on other samples."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from srtbench.analysis.diagnosis import alarm_table, diagnose_runs, stopping_table
from srtbench.analysis.frames import frame, view
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.stats import youden_j
from tests.fake_sweep import write_fake_sweep


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """Three seeds of a healthy variant, and of one that collapses."""
    folder: Path = tmp_path_factory.mktemp("signals")
    variants = [
        "gold",
        "random",
        {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}},
    ]
    return open_sweep(write_fake_sweep(folder, variants=variants), snapshot=True)


def test_youden_j_is_that_of_the_rollouts(sweep: duckdb.DuckDBPyConnection) -> None:
    steps = view(sweep, "step_metrics")
    rows = sweep.sql("SELECT * FROM rollouts WHERE phase = 'train'").pl()
    for (run_id, step), part in rows.partition_by("run_id", "step", as_dict=True).items():
        found = steps.filter((pl.col("run_id") == run_id) & (pl.col("step") == step))
        expected = youden_j(part["train_reward"], part["gold_reward"], part["group_id"])
        if expected is None:
            assert found["youden_j"][0] is None
        else:
            assert found["youden_j"][0] == pytest.approx(expected.estimate)
        lengths = part["answer_key"].drop_nulls().str.len_chars()
        assert found["answer_characters"][0] == pytest.approx(lengths.mean())
    gold = steps.filter(pl.col("variant") == "gold")["youden_j"].drop_nulls()
    assert gold.to_list() == pytest.approx([1.0] * len(gold))


def test_the_curves_have_them(sweep: duckdb.DuckDBPyConnection) -> None:
    measures = set(frame(sweep, "train_curve")["measure"])
    assert {"youden_j", "answer_characters", "entropy_nats", "completion_tokens"} <= measures


def test_false_alarms_stand_beside_leads(sweep: duckdb.DuckDBPyConnection) -> None:
    reports = [report for _, report in diagnose_runs(sweep)]
    table = alarm_table(sweep)
    for row in table.iter_rows(named=True):
        name = row["signal"]
        healthy = [r for r in reports if r.judged and not r.accuracy_fell]
        healthy = [r for r in healthy if name in r.alarm_steps]
        rang = sum(r.alarm_steps[name] is not None for r in healthy)
        assert row["healthy_runs"] == len(healthy)
        if healthy:
            assert row["false_alarm_rate"] == pytest.approx(rang / len(healthy))
            assert 0 <= row["false_alarm_rate_low"] <= row["false_alarm_rate_high"] <= 1
        leads = [r.lead_steps[name] for r in reports if r.collapsed and r.lead_steps.get(name)]
        if leads:
            assert row["lead_steps_low"] <= min(leads)


def test_stopping_is_cross_fitted(sweep: duckdb.DuckDBPyConnection) -> None:
    table = stopping_table(sweep)
    assert table["cross_fitted"].all()
    assert table.equals(stopping_table(sweep))
    collapsed = table.filter(pl.col("variant") == "srt-high-lr")
    regret = {row["rule"]: row["regret"] for row in collapsed.iter_rows(named=True)}
    assert regret["last"] > 0.3
    assert abs(regret["best"]) < 1e-12
