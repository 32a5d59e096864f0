"""Collapse diagnosis from the views: on real runs of a tiny model, and where the truth is known."""

from pathlib import Path

import polars as pl
import pytest

from srtbench.analysis import open_sweep
from srtbench.analysis.diagnosis import collapse_kinds, diagnose_runs, diagnosis_table
from tests.fake_sweep import Shape, write_fake_sweep

SMOKE = Path(__file__).parent / "fixtures" / "smoke"
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
