"""What a run has drawn by each evaluation: of both methods counted file by file, and of a log."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from matplotlib.figure import Figure

import srtbench
from srtbench.analysis import figures
from srtbench.analysis.consistency import self_consistency, start_voting
from srtbench.analysis.figures.sheets import accuracy_sheet, collapse_sheet
from srtbench.analysis.frames import frame, view
from srtbench.analysis.report import write_report
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.rollouts import (
    METRIC_SCHEMA,
    read_part,
    read_rollouts,
    read_table,
    with_columns,
    write_parquet,
)
from srtbench.store import Folder
from tests.fake_sweep import Shape, write_fake_sweep
from tests.imports.logs import write_lines
from tests.micro import FinishedSweep, trained_once
from tests.rounds import write

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"
BUDGET = ("samples_drawn", "tokens_drawn", "updates")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """An online variant and four of rounds."""
    return trained_once(tmp_path_factory.getbasetemp(), "rounds", write)


def curves(path: Path) -> list[dict[str, Any]]:
    """Evaluations on the own prompts."""
    found = view(srtbench.open_sweep(path), "eval_curves")
    return found.filter(pl.col("eval_set") == "own").to_dicts()


def drawn_by(folder: Folder, step: int) -> tuple[int, int]:
    """Completions of a run up to a step, and their tokens, from all of its logs."""
    places = (folder.rollouts_path, folder.votes_path, folder.further_path, folder.dropped_path)
    rows = [
        tokens
        for place in places
        for at, tokens in zip(
            *read_rollouts(place, "train", ["step", "completion_tokens"]).to_pydict().values(),
            strict=True,
        )
        if at <= step
    ]
    return len(rows), sum(rows)


def updates_by(folder: Folder, step: int) -> int:
    """Optimiser steps that the fits of rounds up to this one made."""
    table = read_table(folder.metrics_path, METRIC_SCHEMA).to_pylist()
    return sum(row["metric"] == "round" and row["value"] <= step for row in table)


def test_rounds_and_online_runs_are_counted_alike(mixed: FinishedSweep) -> None:
    rows = curves(mixed.store.path)
    by_rounds = {run.run_id: run.train.rounds is not None for run in mixed.plan.runs}
    assert {*by_rounds.values()} == {True, False}
    for row in rows:
        folder, step = mixed.store.run(row["run_id"]), row["step"]
        assert (row["samples_drawn"], row["tokens_drawn"]) == drawn_by(folder, step)
        due = updates_by(folder, step) if by_rounds[row["run_id"]] else step
        assert row["updates"] == due
    last = {row["variant"]: row["samples_drawn"] for row in rows}
    assert last["srt"] == 2 * 16
    assert last["lmsi"] == 2 * 12 * 4
    assert last["scpo"] == 2 * last["lmsi"], "hot completions count"
    assert last["star"] > last["lmsi"], "so do second chances"


def test_frames_have_the_mean_over_seeds(mixed: FinishedSweep) -> None:
    sweep = srtbench.open_sweep(mixed.store.path)
    steps = {(row["variant"], row["step"]): row for row in curves(mixed.store.path)}
    for name in ("eval_curve", "train_curve"):
        for row in frame(sweep, name).iter_rows(named=True):
            if (known := steps.get((row["variant"], row["step"]))) is not None:
                assert row["samples_drawn"] == known["samples_drawn"]


def test_a_teacher_s_votes_count_with_the_first_step(micro_sweep: FinishedSweep) -> None:
    store = micro_sweep.store
    for run in micro_sweep.plan.runs:
        voted = 0
        if run.needs.teacher_labels is not None:
            voted = len(read_rollouts(store.stage(run.needs.teacher_labels).rollouts_path))
            assert voted
        of_run = [row for row in curves(store.path) if row["run_id"] == run.run_id]
        assert [row["samples_drawn"] for row in of_run] == [
            drawn_by(store.run(run.run_id), row["step"])[0] + (voted if row["step"] else 0)
            for row in of_run
        ]


def test_a_damaged_file_of_further_completions_is_named(
    mixed: FinishedSweep, tmp_path: Path
) -> None:
    copy = tmp_path / mixed.store.path.name
    shutil.copytree(mixed.store.path, copy)
    parts = sorted(copy.glob("*-scpo-*/further/train-*.parquet"))
    parts[0].write_bytes(parts[0].read_bytes()[:100])
    parts[1].rename(parts[1].with_name("notes.txt"))
    with pytest.warns(CorruptFileWarning):
        files = view(srtbench.open_sweep(copy), "damaged_files")["file"].to_list()
    assert [Path(file).name for file in files] == ["notes.txt", parts[0].name]
    assert {Path(file).parent.name for file in files} == {"further"}


def test_voting_with_the_start_model_is_exact_and_ends_with_its_samples() -> None:
    sweep = srtbench.open_sweep(SMOKE, snapshot=True)
    voting = start_voting(sweep)
    start = sweep.sql("SELECT DISTINCT avg_at_k, maj_at_k, k FROM eval_curves WHERE step = 0")
    ((avg, maj, k),) = start.fetchall()
    assert voting["k"].to_list() == list(range(1, k + 1))
    assert voting["samples_drawn"].to_list() == [32 * votes for votes in voting["k"]]
    assert (voting["value"][0], voting["value"][-1]) == pytest.approx((avg, maj))
    assert (voting["low"] < voting["value"]).all()
    assert set(voting["seeds"]) == {1}, "one start model, whatever the number of runs"


def test_start_models_of_several_seeds_are_told_apart(tmp_path: Path) -> None:
    """Seeds that share a start model are one; runs that evaluated their own are several."""
    sweep = write_fake_sweep(
        tmp_path,
        Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6),
        variants=["srt", "gold"],
        seeds=[0, 1],
    )
    assert set(start_voting(srtbench.open_sweep(sweep))["seeds"]) == {1}
    (base,) = tmp_path.glob("_stages/base_eval-*/rollouts/eval-*.parquet")
    for run in sweep.glob("*-s?-*"):
        rows = read_part(base)
        write_parquet(
            with_columns(rows, run_id=[run.name] * len(rows)), run / "rollouts" / base.name
        )
    voting = start_voting(srtbench.open_sweep(sweep))
    assert set(voting["seeds"]) == {2}
    assert start_voting(srtbench.open_sweep(sweep), "none").is_empty()


def test_self_consistency_is_beside_what_runs_became() -> None:
    sweep = srtbench.open_sweep(SMOKE, snapshot=True)
    start, *cells = self_consistency(sweep).to_dicts()
    assert start["variant"] is None
    known = {row["variant"]: row for row in view(sweep, "variant_summary").to_dicts()}
    assert [cell["variant"] for cell in cells] == list(known)
    for cell in cells:
        row = known[cell["variant"]]
        assert cell["avg_at_k"] == pytest.approx(row["last_avg"])
        assert cell["maj_at_k"] == pytest.approx(row["last_maj"])
        assert cell["gain"] == pytest.approx(row["last_avg"] - start["maj_at_k"])
        assert cell["low"] < cell["gain"] < cell["high"]


def test_curves_over_what_was_spent(mixed: FinishedSweep) -> None:
    sweep = srtbench.open_sweep(mixed.store.path, snapshot=True)
    curve, voting = frame(sweep, "eval_curve"), start_voting(sweep)
    for x in ("samples_drawn", "tokens_drawn", "updates", "step"):
        ax = figures.accuracy_curves(curve, Figure().subplots(), x=x, voting=voting)
        drawn = {str(line.get_label()): line for line in ax.get_lines()}
        for variant in ("srt", "lmsi", "scpo"):
            rows = curve.filter(measure="avg_at_k", variant=variant).sort("step")
            assert list(drawn[variant].get_xdata()) == rows[x].to_list()
        named = [text.get_text() for text in ax.texts]
        assert ("start model, maj@4" in named) == (x in ("samples_drawn", "tokens_drawn"))
    sheet = accuracy_sheet(curve, "samples_drawn", voting)
    assert "ends at k = 4, the most that these allow" in sheet.caption
    assert "start model" not in accuracy_sheet(curve, "updates", voting).caption


def test_the_axis_of_a_variant_s_own_panel_says_rounds_where_it_counts_rounds(
    mixed: FinishedSweep,
) -> None:
    """srt, here of 100 steps, stands above scpo; lmsi and star above nothing."""
    curve = frame(srtbench.open_sweep(mixed.store.path), "train_curve")
    longer = pl.when(pl.col("variant") == "srt").then(50).otherwise(1)
    curve = curve.with_columns(step=pl.col("step") * longer, updates=pl.col("updates") * longer)
    sheet = collapse_sheet(curve.filter(pl.col("variant") != "mine"), {})
    named = {ax.get_title(loc="left"): ax.get_xlabel() for ax in sheet.figure.axes}
    expected = {"srt": "train step", "lmsi": "round", "star": "round", "scpo": "round"}
    assert {name: label for name, label in named.items() if name} == expected
    ends = {ax.get_title(loc="left"): ax.get_xlim()[1] for ax in sheet.figure.axes}
    assert (ends["srt"], ends["lmsi"], ends["star"], ends["scpo"]) == (100, 2, 2, 2)


def test_a_report_of_both_methods_is_over_samples(mixed: FinishedSweep, tmp_path: Path) -> None:
    page = (write_report(mixed.store.path, tmp_path) / "report.md").read_text(encoding="utf-8")
    assert "x: all completions that training drew until then" in page
    assert "| start model | 4 |" in page
    table = page.partition("## Self-consistency at inference")[2].partition("##")[0]
    assert all(f"| {run.variant_label} | 4 |" in table for run in mixed.plan.runs)
    with pytest.raises(ValueError, match="axis 'time': there is step, samples, tokens, updates"):
        write_report(mixed.store.path, tmp_path, "time")  # type: ignore[arg-type]


def logged(folder: Path, train: list[int], held: list[int], **extra: Any) -> list[Any]:
    """Import a log with two completions at each of these steps; its evaluations."""
    steps = [("train", step) for step in train] + [("eval", step) for step in held]
    records = [
        {"p": f"{phase} {step}", "c": r"\boxed{1}", "n": step, "phase": phase} | extra
        for phase, step in steps
        for _ in range(2)
    ]
    log = write_lines(folder / "log.jsonl", records)
    columns = {
        "prompt": "p",
        "completion": "c",
        "step": "n",
        "phase": "phase",
        "gold": {"value": 1},
    }
    if extra:
        columns["completion_tokens"] = "tokens"
    srtbench.import_rollouts(log, out=folder / "out", map={"columns": columns})
    found = [
        tuple(row[name] for name in BUDGET) for row in curves(folder / "out") if row["prompts"]
    ]
    assert len(found) == len(held)
    return found


@pytest.mark.parametrize(
    ("train", "held", "drawn"),
    [
        ([1, 2, 3], [0, 2, 3], [0, 4, 6]),
        ([0, 1, 2], [0, 2, 3], [0, 4, 6]),  # numbered from 0: an evaluation comes before its step
        ([1, 3], [0, 1, 3], [0, 2, None]),  # a step is not in the log, or there was none
        ([5, 6], [5, 6], [None, None]),  # it begins late
        ([], [0, 5], [None, None]),
    ],
)
def test_a_log_tells_only_if_it_has_every_step(
    tmp_path: Path, train: list[int], held: list[int], drawn: list[int | None]
) -> None:
    assert logged(tmp_path, train, held) == [
        (samples, 0 if samples == 0 else None, None) for samples in drawn
    ]


def test_tokens_of_a_log_that_has_their_number(tmp_path: Path) -> None:
    assert logged(tmp_path, [1, 2], [0, 2], tokens=7) == [(0, 0, None), (4, 28, None)]
