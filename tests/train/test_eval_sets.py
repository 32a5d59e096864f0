"""Further evaluation sets read back: views, report, export, audit, revote."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from srtbench.analysis import open_sweep
from srtbench.analysis.diagnosis import diagnosis_table
from srtbench.analysis.estimates import differences, majority_by_k, set_table
from srtbench.analysis.export import export_sweep
from srtbench.analysis.frames import frame, view
from srtbench.analysis.report import write_report
from srtbench.analysis.report.facts import percent
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import ROLLOUT_SCHEMA, write_parquet
from tests.micro import FinishedSweep, srtbench
from tests.sets import (
    rows_of,
)


def test_the_curves_equal_a_brute_force_computation(sets: FinishedSweep) -> None:
    curves = further(view(open_sweep(sets.store.path), "eval_curves"))
    assert curves.height == 2 * (2 + 5)
    assert curves["eval_set"].unique(maintain_order=True).to_list() == ["further", "greedy"]
    for row in curves.iter_rows(named=True):
        rows = rows_of(sets.store.run(row["run_id"]), row["eval_set"])
        expected = brute_force(rows.filter(pl.col("step") == row["step"]))
        assert {name: row[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    assert curves["avg_at_k"].n_unique() > 2, "the policies differ"


def further(curves: pl.DataFrame) -> pl.DataFrame:
    """Rows of the sets beside the own held-out prompts."""
    return curves.filter(pl.col("eval_set") != "own")


def brute_force(rows: pl.DataFrame) -> dict[str, float]:
    """The measures of one evaluation, one group after the other."""
    averages, majorities, passes = [], [], []
    for group in rows.partition_by("group_id"):
        right = group["gold_reward"].to_list()
        keys = group["answer_key"].to_list()
        votes = Counter(key for key in keys if key is not None)
        most = [key for key in votes if votes[key] == max(votes.values())]
        good = {key for key, reward in zip(keys, right, strict=True) if reward}
        averages.append(sum(right) / len(right))
        majorities.append(len(good & {*most}) / len(most) if most else 0.0)
        passes.append(float(any(right)))
    mean = sum(averages) / len(averages)
    spread = sum((value - mean) ** 2 for value in averages) / (len(averages) - 1)
    return {
        "prompts": len(averages),
        "k": rows.height / len(averages),
        "avg_at_k": mean,
        "avg_se": (spread / len(averages)) ** 0.5,
        "maj_at_k": sum(majorities) / len(majorities),
        "pass_at_k": sum(passes) / len(passes),
        "truncated_share": rows["truncated"].sum() / rows.height,
        "unparsable_share": rows["answer_key"].null_count() / rows.height,
    }


def test_sets_change_nothing_about_the_own_prompts(
    sets: FinishedSweep, micro_sweep: FinishedSweep
) -> None:
    connection, micro = open_sweep(sets.store.path), open_sweep(micro_sweep.store.path)
    for name in ("eval_curves", "run_summary"):
        one, other = (
            own_rows(view(sweep, name)).filter(pl.col("variant") == "srt").drop("sweep", "run_id")
            for sweep in (connection, micro)
        )
        assert_frame_equal(one, other)
    prompts = view(connection, "prompts")
    counts = Counter(prompts["eval_set"].drop_nulls())
    own = view(micro, "prompts")
    assert counts == Counter(own["eval_set"].drop_nulls()) + Counter(further=16, greedy=5)
    assert own_rows(prompts).height == own_rows(own).height
    assert set(view(micro, "eval_curves")["eval_set"]) == {"own"}


def own_rows(rows: pl.DataFrame) -> pl.DataFrame:
    if "eval_set" not in rows.columns:
        return rows
    return rows.filter(pl.col("eval_set") == "own")


def test_every_frame_of_evaluations_takes_any_set(sets: FinishedSweep) -> None:
    connection = open_sweep(sets.store.path)
    for name in ("eval_curve", "change", "end_votes", "held_out_scores", "vote_flow"):
        found = frame(connection, name, eval_set="further")
        assert set(found["eval_set"]) == {"further"}, name
        assert set(frame(connection, name)["eval_set"]) == {"own"}, name
    assert set(frame(connection, "eval_curve", eval_set="further")["measure"]) == set(
        frame(connection, "eval_curve")["measure"]
    )
    assert majority_by_k(connection, "further")["k"].max() == 4
    assert diagnosis_table(connection, "greedy").height == 2
    assert differences(connection, eval_set="further").height == 1


OWN = pl.col("eval_set") == "own"


def rewrite(run: Path, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Change the rows of a run's evaluations; a part that keeps none is taken away."""
    for part in (run / "rollouts").glob("eval-*.parquet"):
        rows = change(pl.read_parquet(part))
        part.unlink()
        if rows.height:
            write_parquet(rows.to_arrow().cast(ROLLOUT_SCHEMA), part)


def test_a_set_that_is_not_evaluated_yet_has_a_row(sets: FinishedSweep, tmp_path: Path) -> None:
    shutil.copytree(sets.root, tmp_path / "runs")
    path = tmp_path / "runs" / sets.plan.name
    rewrite(path / sets.plan.runs[0].run_id, lambda rows: rows.filter(OWN))
    curves = further(view(open_sweep(path), "eval_curves"))
    empty = curves.filter(pl.col("run_id") == sets.plan.runs[0].run_id)
    assert empty["step"].to_list() == [None, None]


def test_a_report_has_a_table_and_figures_of_the_sets(
    sets: FinishedSweep, micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    rows = set_table(open_sweep(sets.store.path)).rows(named=True)
    names = ("variant", "eval_set", "prompts", "k", "seeds", "runs")
    assert [tuple(row[name] for name in names) for row in rows if row["eval_set"] != "own"] == [
        ("srt", "further", 16, 4, 1, 1),
        ("srt", "greedy", 5, 1, 1, 1),
        ("random", "further", 16, 4, 1, 1),
        ("random", "greedy", 5, 1, 1, 1),
    ]
    for row in rows:
        assert row["change"] == pytest.approx(row["last_avg"] - row["start_avg"])
        assert row["low"] <= row["change"] <= row["high"]
    report = write_report(sets.store.path, tmp_path / "report")
    without = write_report(micro_sweep.store.path, tmp_path / "without")
    for name in ("report.html", "report.md"):
        assert "Evaluation sets" in (report / name).read_text(encoding="utf-8")
        assert "Evaluation sets" not in (without / name).read_text(encoding="utf-8")
    line = f"| srt | further | 16 | 4 | 1 of 1 | {percent(rows[1]['start_avg'], 1)} |"
    assert line in (report / "report.md").read_text(encoding="utf-8")
    for name in ("accuracy", "modal_share", "maj_at_k", "vote_flow", "length"):
        assert (report / "figures" / f"{name}-further.png").is_file()


def test_an_export_has_every_evaluation_of_the_sets(sets: FinishedSweep, tmp_path: Path) -> None:
    curves = view(open_sweep(sets.store.path), "eval_curves")
    files = {file.name: file for file in export_sweep(sets.store.path, tmp_path)}
    assert_frame_equal(pl.read_parquet(files["eval_curves.parquet"]), curves)
    read = pl.read_csv(files["eval_curves.csv"])
    assert read["avg_at_k"].to_list() == pytest.approx(curves["avg_at_k"].to_list())
    table = files["eval_sets.tex"].read_text(encoding="utf-8")
    assert table.count(r" \\") == 1 + 2 * 3
    row = set_table(open_sweep(sets.store.path)).row(2, named=True)
    shares = f"{100 * row['start_avg']:.1f} & {100 * row['last_avg']:.1f}"
    assert f"srt & greedy & 5 & 1 & {shares} & $" in table


def test_an_audit_derives_the_grades_of_the_sets(sets: FinishedSweep, tmp_path: Path) -> None:
    clean = audit_sweep(sets.store.path)
    assert clean.ok, clean.breaches[:3]
    own = 2 * (20 * 16 + 3 * 8 * 4)
    assert clean.checked["gold_reward"] == own + 2 * (2 * 16 * 4 + 5 * 5)

    shutil.copytree(sets.root, tmp_path / "runs")
    path = tmp_path / "runs" / sets.plan.name
    further, last = pl.col("eval_set") == "further", pl.col("step") == 20
    wrong = pl.when(further & last).then(1 - pl.col("gold_reward")).otherwise(pl.col("gold_reward"))
    rewrite(
        path / sets.plan.runs[0].run_id,
        lambda rows: rows.filter(~further | last).with_columns(wrong.alias("gold_reward")),
    )
    found = audit_sweep(path)
    assert Counter(breach.column for breach in found.breaches) == {"gold_reward": 64, "step": 1}
    assert all(breach.where.startswith("eval set further: ") for breach in found.breaches)


def test_a_revote_votes_on_the_sets_again(sets: FinishedSweep, tmp_path: Path) -> None:
    result = srtbench("revote", sets.store.path, "--tie", "abstain", "--out", tmp_path / "revote")
    assert result.returncode == 0, result.stdout + result.stderr
    again, trained = (
        further(view(open_sweep(path), "eval_curves"))
        for path in (tmp_path / "revote", sets.store.path)
    )
    depends = ("sweep", "label_accuracy")
    assert_frame_equal(again.drop(depends), trained.drop(depends), check_dtypes=False)
    # A tie gives no label now, where a draw among the tied ones may have hit the gold answer.
    assert (again["label_accuracy"] <= trained["label_accuracy"]).all()
    assert audit_sweep(tmp_path / "revote").ok
