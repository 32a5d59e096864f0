"""Audit, revote and the table of disagreements of imported runs."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

import srtbench
from srtbench.analysis.disagreements import disagreement_counts, disagreement_rows
from srtbench.analysis.report import write_report
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import revote_sweep
from srtbench.rollouts import part_files, write_parquet
from srtbench.rollouts.parts import with_columns
from srtbench.votes import VotingPolicy
from tests.imports.logs import write_lines

ANSWERS = ["1/2", "0.5", "3", "3"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tied vote between 1/2 and 3, of which the trainer's checker knows 1/2 in one spelling."""
    records = [
        {"input": "half?", "output": f"\\boxed{{{answer}}}", "gts": "1/2", "step": step,
         "score": float(answer == "1/2"), "uid": f"{step}_{n}_0"} | extra
        for step, extra in ((1, {}), (2, {"reward": 0.0, "acc": 1.0}))
        for n, answer in enumerate(ANSWERS)
    ]  # fmt: skip
    write_lines(tmp_path / "log" / "1.jsonl", records[:4])
    write_lines(tmp_path / "log" / "2.jsonl", records[4:])
    srtbench.import_rollouts(tmp_path / "log", out=tmp_path / "out", labels={"variant": "srt"})
    return tmp_path / "out"


def test_an_audit_finds_nothing_wrong_and_a_changed_key(folder: Path) -> None:
    report = audit_sweep(folder)
    assert report.ok, report.breaches
    assert report.checked["answer_key"] == report.checked["pseudo_label"] == 8
    assert any("rewards are those of its log" in note for note in report.notes)
    (run,) = folder.glob("*/rollouts")
    part = part_files(run, "train")[0]
    table = pq.read_table(part)
    write_parquet(with_columns(table, answer_key=["1/2", "1/2", "3", "1/2"]), part)
    assert {"answer_key"} <= {breach.column for breach in audit_sweep(folder).breaches}


def test_a_revote_decides_labels_and_rewards_and_reads_as_a_sweep(folder: Path) -> None:
    target, rows = revote_sweep(folder, VotingPolicy(tie="abstain"))
    assert (rows[0].groups, rows[0].changed_labels, rows[0].no_label) == (1, 1.0, 1.0)
    assert (rows[0].label_accuracy_before, rows[0].train_reward_before) == (1.0, 0.25)
    assert rows[0].train_reward_after == 0.0
    assert audit_sweep(target).ok
    labels = srtbench.open_sweep(target).sql("SELECT DISTINCT pseudo_label FROM rollouts")
    assert labels.fetchall() == [(None,)]


def test_the_report_shows_where_verdicts_differ_and_why(folder: Path) -> None:
    connection = srtbench.open_sweep(folder)
    counts = {row["question"]: row for row in disagreement_counts(connection).rows(named=True)}
    assert (counts["correct"]["compared"], counts["correct"]["differ"]) == (4, 2)
    assert (counts["majority"]["compared"], counts["majority"]["differ"]) == (4, 1)
    rows = disagreement_rows(connection).rows(named=True)
    assert {row["answer"] for row in rows if row["question"] == "correct"} == {"3"}
    page = (write_report(folder) / "report.html").read_text(encoding="utf-8")
    assert "judge differently" in page
    assert "equal answers for us, not for the trainer" in page
