"""What a run has drawn by each evaluation: of both methods counted file by file, and of a log."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import srtbench
from srtbench.analysis.frames import frame, view
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.rollouts import METRIC_SCHEMA, read_rollouts, read_table
from srtbench.store import Folder
from tests.imports.logs import write_lines
from tests.micro import FinishedSweep, trained_once
from tests.rounds import write

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
