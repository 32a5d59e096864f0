"""Collapse diagnosis from the views: on real runs of a tiny model, and where the truth is known."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.analysis import diagnosis, frame, open_sweep, query, view
from srtbench.analysis.diagnosis import (
    collapse_kinds,
    diagnose_runs,
    diagnosis_table,
    labelled_prompts,
    stopping_table,
)
from srtbench.analysis.repetition import repetition
from srtbench.stats import diagnose_collapse, labelled_split_choice
from srtbench.stats.change_point import noise_scale
from tests.fake_sweep import Shape, write_fake_sweep

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"
LONG = Shape(steps=60, every=5, prompts_per_step=2, generations=4, eval_prompts=40, eval_samples=8)
PEAK, FALLEN = 9, 33
"""Steps at which the made-up srt-high-lr is at its best, and at which nothing is left of it."""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """Diagnoses of three seeds each of variants that rise, and of one that collapses."""
    variants = [
        "srt",
        "gold",
        "fixed_teacher",
        {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}},
    ]
    sweep = write_fake_sweep(tmp_path_factory.mktemp("known"), LONG, variants=variants)
    return diagnosis_table(open_sweep(sweep))


def test_real_runs() -> None:
    """Gold, SRT and the teacher learn; the high rate and the random reward lose everything."""
    sweep = open_sweep(SMOKE, snapshot=True)
    table = diagnosis_table(sweep)
    assert table["variant"].n_unique() == table.height == 5
    healthy = table.filter(pl.col("variant").is_in(["gold", "srt", "fixed_teacher"]))
    assert not healthy["collapsed"].any()
    assert healthy["kind"].to_list() == ["none"] * 3
    collapsed = table.filter("collapsed").sort("variant")
    assert collapsed.select("variant", "kind").rows() == [
        ("random", "noise"),
        ("srt-high-lr", "length"),
    ]
    # Both have lost at least half of their accuracy by the first evaluation after the start.
    assert collapsed["onset_after"].to_list() == [0, 0]
    assert collapsed["onset_step"].to_list() == [20, 20]
    kinds = {cell[3]: kind for cell, (kind, _) in collapse_kinds(sweep).items()}
    assert kinds == dict(collapsed.select("variant", "kind").iter_rows())


def test_no_false_alarms_and_every_collapse(known: pl.DataFrame) -> None:
    found = known.group_by("variant").agg(pl.col("collapsed").sum(), seeds=pl.len()).rows()
    assert sorted(found) == [
        ("fixed_teacher", 0, 3),
        ("gold", 0, 3),
        ("srt", 0, 3),
        ("srt-high-lr", 3, 3),
    ]
    assert set(known.filter("collapsed")["kind"]) == {"constant_answer"}


def test_onset_lies_in_the_fall_and_in_its_interval(known: pl.DataFrame) -> None:
    for row in known.filter("collapsed").iter_rows(named=True):
        assert PEAK < row["onset_step"] < FALLEN
        assert row["onset_after"] < row["onset_step"] <= row["onset_by"]
        assert row["best_step"] < row["onset_step"]


def test_best_and_last_are_always_among_the_stopping_rules() -> None:
    for _, report in diagnose_runs(open_sweep(SMOKE)):
        regret = {stop.rule: stop.regret for stop in report.stopping}
        assert regret["best"] == 0
        assert regret["last"] == pytest.approx(report.best_accuracy - report.last_accuracy)


def _repetitive(sweep: Path) -> None:
    """Have the made-up collapsed runs write one phrase over and over, on no common answer."""
    for part in sweep.glob("*srt-high-lr*/rollouts/*.parquet"):
        table = pq.read_table(part)
        rows = table.to_pandas()
        stuck = rows["answer_key"] == "u"
        rows.loc[stuck, "completion"] = "and so it is " * 50
        rows.loc[stuck, ["answer", "answer_key"]] = rows.loc[stuck, "prompt_id"] + "-w0"
        rows.loc[stuck, "pseudo_label"] = rows.loc[stuck, "prompt_id"] + "-w0"
        pq.write_table(pa.Table.from_pandas(rows, table.schema, preserve_index=False), part)


def test_repetition_is_a_kind_that_a_sweep_can_show(tmp_path: Path) -> None:
    variants = ["srt", {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}}]
    path = write_fake_sweep(tmp_path, LONG, variants=variants, seeds=[0])
    _repetitive(path)
    sweep = open_sweep(path)
    table = diagnosis_table(sweep).sort("variant")
    assert table.select("variant", "collapsed", "kind").rows() == [
        ("srt", False, "none"),
        ("srt-high-lr", True, "repetition"),
    ]
    reason = table["reasons"][1]
    assert reason.startswith("repetition rose from 0.")
    lead = table["lead_steps_repetition"].to_list()
    assert lead[0] is None
    assert isinstance(lead[1], int)
    assert set(stopping_table(sweep)["rule"]) >= {"repetition", "labelled_split"}
    (kind,) = collapse_kinds(sweep).values()
    assert kind == ("repetition", reason.split("; ")[0])


def test_texts_are_read_once_and_only_a_few() -> None:
    sweep = open_sweep(SMOKE)
    sample = frame(sweep, "text_sample")
    counts = sample.group_by("run_id", "step").len()
    assert counts.height == 30
    assert set(counts["len"]) == {64}
    assert sample["ending"].str.len_chars().max() <= 4000
    tables = "SELECT table_name FROM duckdb_tables() WHERE temporary"
    assert query(sweep, tables).height == 0
    first = repetition(sweep)
    assert query(sweep, tables)["table_name"].to_list() == ["eval_repetition"]
    assert repetition(sweep).equals(first)
    assert first.height == 30
    assert first["repetition"].is_between(0, 0.05).all()  # a tiny model reverses short words


def test_the_noise_of_an_evaluation_is_that_of_its_samples() -> None:
    sweep = open_sweep(SMOKE)
    scores = query(
        sweep,
        "SELECT run_id, step, prompt_id, avg(gold_reward) AS p, count(*) AS n FROM rollouts "
        "WHERE phase = 'eval' GROUP BY ALL",
    )
    known = {row["run_id"] + str(row["step"]): row for row in view(sweep, "eval_curves").to_dicts()}
    for part in scores.partition_by("run_id", "step"):
        p, n = part["p"].to_numpy(), part["n"].to_numpy()
        expected = np.sqrt(np.sum(p * (1 - p) / (n - 1))) / len(p)
        row = known[part["run_id"][0] + str(part["step"][0])]
        assert row["avg_noise"] == pytest.approx(expected)
        assert row["avg_noise"] < row["avg_se"] or row["avg_se"] == 0


def test_the_diagnosis_is_told_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[float] = []

    def listen(*given: Any, **options: Any) -> Any:
        told.append(options["noise"])
        return diagnose_collapse(*given, **options)

    monkeypatch.setattr(diagnosis, "diagnose_collapse", listen)
    sweep = open_sweep(SMOKE)
    diagnose_runs(sweep)
    signals = view(sweep, "run_signals").partition_by("sweep", "run_id", maintain_order=True)
    wanted = [max(p["gold_noise"].max(), noise_scale(p["gold_reward"].to_numpy())) for p in signals]
    assert told == pytest.approx(wanted)
    assert min(told) > 0.01


def test_the_labelled_split_is_one_per_cent_of_the_train_prompts() -> None:
    sizes = [labelled_prompts(number) for number in (0, 100, 1600, 1601, 50_000)]
    assert sizes == [16, 16, 16, 17, 500]
    sweep = open_sweep(SMOKE)
    (first, report), *_ = diagnose_runs(sweep)
    curve = view(sweep, "eval_curves").filter(pl.col("run_id") == first["run_id"])["avg_at_k"]
    trained_on = query(
        sweep,
        "SELECT count(DISTINCT prompt_id) AS n FROM rollouts "
        "WHERE phase = 'train' AND run_id = $run_id",
        run_id=first["run_id"],
    )["n"][0]
    chance = labelled_split_choice(curve.to_numpy(), labelled_prompts(trained_on))
    kept = {stop.rule: stop.gold_accuracy for stop in report.stopping}
    assert kept["labelled_split"] == pytest.approx(chance @ curve.to_numpy())
