"""The audit passes on what was really trained, and finds a change of any one column."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.cli.evidence_text import audit_text
from srtbench.replay.audit import audit_sweep
from srtbench.replay.audit_report import AuditReport
from srtbench.rollouts import ROLLOUT_SCHEMA, SELECTION
from srtbench.store import Folder, write_json
from tests.micro import FinishedSweep, srtbench

Change = Callable[[Any, dict[str, Any]], Any]


@pytest.fixture
def copied(varied_sweep: FinishedSweep, tmp_path: Path) -> Path:
    shutil.copytree(varied_sweep.root, tmp_path / "runs")
    return tmp_path / "runs" / varied_sweep.store.path.name


def run_folder(sweep: Path, variant: str) -> Path:
    plan = json.loads((sweep / "plan.json").read_text())
    return sweep / next(run["run_id"] for run in plan["runs"] if run["variant"] == variant)


def tamper(path: Path, column: str, change: Change, where: Change = lambda v, row: True) -> None:
    """Change ``column`` in the first row of a Parquet file for which ``where`` holds."""
    table = pq.read_table(path)
    rows = table.to_pylist()
    row = next(row for row in rows if where(row[column], row))
    row[column] = change(row[column], row)
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)


def first_part(folder: Path, phase: str = "train") -> Path:
    return sorted(folder.glob(f"rollouts/{phase}-*.parquet"))[-1]


def columns_of(report: AuditReport) -> set[str]:
    return {breach.column for breach in report.breaches}


@pytest.mark.slow
def test_what_was_trained_is_clean(varied_sweep: FinishedSweep) -> None:
    report = audit_sweep(varied_sweep.store.path)
    assert report.breaches == []
    assert report.runs == 8
    rollouts = 8 * 4 * 16
    for name in ("train_reward", "advantage", "truncated", "completion_tokens", "entropy_nats"):
        assert report.checked[name] == rollouts, name
    assert any("trains on its evaluation prompts" in note for note in report.notes)
    assert sum(row.rollouts for row in report.health if row.phase == "train") == rollouts
    assert all(row.ok + row.unparsable == row.rollouts for row in report.health)
    assert audit_text(report).endswith("clean")


CHANGES: dict[str, Change] = {
    "run_id": lambda value, row: "another",
    "phase": lambda value, row: "eval",
    "eval_set": lambda value, row: "another",
    "step": lambda value, row: value + 1,
    "policy_step": lambda value, row: value + 1,
    "prompt_id": lambda value, row: "0" * 16,
    "group_id": lambda value, row: value + "x",
    "sample_index": lambda value, row: value + 1,
    "completion": lambda value, row: "\\boxed{zz}",
    "completion_tokens": lambda value, row: value - 1,
    "truncated": lambda value, row: not value,
    "answer": lambda value, row: "zz",
    "answer_key": lambda value, row: "zz",
    "pseudo_label": lambda value, row: "zz",
    "vote_share": lambda value, row: value * 0.9,
    "train_reward": lambda value, row: 1 - value,
    "gold_reward": lambda value, row: 1 - value,
    "advantage": lambda value, row: value + 0.25,
    "mean_logprob": lambda value, row: value - 0.5,
    "self_certainty": lambda value, row: value + 0.5,
    "entropy_nats": lambda value, row: value + 0.5,
    "verifier_status": lambda value, row: "error" if value == "ok" else "ok",
    "selected": lambda value, row: True,
    "role": lambda value, row: "sft",
    "weight": lambda value, row: 1.0,
}
FOUND_AS = {"completion": "answer", "role": "selected", "weight": "selected"}


@pytest.mark.slow
@pytest.mark.parametrize("column", ROLLOUT_SCHEMA.names)
def test_a_change_of_any_column_is_found(copied: Path, column: str) -> None:
    folder = run_folder(copied, "srt")
    phase = "eval" if column == "eval_set" else "train"  # train rows are of no set
    empty = column in SELECTION  # of a run that trains online
    tamper(
        first_part(folder, phase), column, CHANGES[column], lambda v, row: empty or v is not None
    )
    report = audit_sweep(copied)
    assert {breach.run_id for breach in report.breaches} == {folder.name}
    assert FOUND_AS.get(column, column) in columns_of(report)


@pytest.mark.slow
@pytest.mark.parametrize(
    "variant", ["fixed_teacher", "random", "self_certainty", "ttrl", "ema_teacher", "all_of"]
)
def test_rewards_of_every_kind_are_derived_again(copied: Path, variant: str) -> None:
    folder = run_folder(copied, variant)
    tamper(first_part(folder), "train_reward", lambda value, row: value + 1)
    assert "train_reward" in columns_of(audit_sweep(copied))


@pytest.mark.slow
def test_rloo_advantages_are_derived_again(copied: Path) -> None:
    tamper(first_part(run_folder(copied, "srt-rloo")), "advantage", lambda value, row: value + 0.1)
    assert columns_of(audit_sweep(copied)) == {"advantage"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("column", "change"),
    [("answer_key", lambda v, row: "zz"), ("sample_index", lambda v, row: 99)],
)
def test_further_votes_are_audited(copied: Path, column: str, change: Change) -> None:
    part = sorted(run_folder(copied, "ttrl").glob("votes/*.parquet"))[0]
    tamper(part, column, change)
    assert columns_of(audit_sweep(copied)) & {column, "votes"}


@pytest.mark.slow
def test_lost_votes_and_lost_steps_are_found(copied: Path) -> None:
    shutil.rmtree(run_folder(copied, "ema_teacher") / "votes")
    sorted(run_folder(copied, "random").glob("rollouts/train-*.parquet"))[1].unlink()
    report = audit_sweep(copied)
    found = {(breach.run_id, breach.column) for breach in report.breaches}
    assert (run_folder(copied, "ema_teacher").name, "votes") in found
    assert (run_folder(copied, "random").name, "step") in found


@pytest.mark.slow
@pytest.mark.parametrize("column", ["pseudo_label", "vote_share", "gold_reward", "train_reward"])
def test_evaluations_are_audited(copied: Path, column: str) -> None:
    part = first_part(run_folder(copied, "srt"), "eval")
    changes = CHANGES | {"train_reward": lambda value, row: 1.0}
    tamper(part, column, changes[column])
    assert columns_of(audit_sweep(copied)) - {"status"} == {column}


@pytest.mark.slow
def test_prompts_are_audited(copied: Path) -> None:
    path = run_folder(copied, "srt") / "prompts.parquet"
    tamper(path, "gold_key", lambda value, row: "zz")
    assert "prompts" in columns_of(audit_sweep(copied))


@pytest.mark.slow
def test_overlap_of_splits_is_found(copied: Path) -> None:
    path = run_folder(copied, "srt") / "prompts.parquet"
    rows = pq.read_table(path).to_pylist()
    held_out = next(row for row in rows if row["split"] == "eval")
    leaked = held_out | {"split": "train", "prompt": held_out["prompt"].upper()}
    pq.write_table(pa.Table.from_pylist([*rows, leaked], pq.read_schema(path)), path)
    report = audit_sweep(copied)
    assert any("is in eval and train" in breach.message for breach in report.breaches)


@pytest.mark.slow
def test_teacher_labels_are_voted_again(copied: Path) -> None:
    path = next(copied.parent.glob("_stages/teacher_labels-*/labels.parquet"))
    tamper(path, "pseudo_label", lambda value, row: "zz")
    assert "labels" in columns_of(audit_sweep(copied))


@pytest.mark.slow
def test_a_file_that_cannot_be_read_is_a_breach(copied: Path) -> None:
    first_part(run_folder(copied, "srt")).write_bytes(b"PAR1 no more")
    nulls = first_part(run_folder(copied, "random"))
    table = pq.read_table(nulls).drop_columns(["answer_key"])
    pq.write_table(table, nulls)
    report = audit_sweep(copied)
    assert {breach.column for breach in report.breaches} == {"structure"}
    assert len(report.breaches) == 2


@pytest.mark.slow
def test_command_line(varied_sweep: FinishedSweep, copied: Path, tmp_path: Path) -> None:
    clean = srtbench("audit", varied_sweep.store.path)
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "verifier health" in clean.stdout
    tamper(first_part(run_folder(copied, "srt")), "train_reward", CHANGES["train_reward"])
    broken = srtbench("audit", copied, "--json", tmp_path / "audit.json")
    assert broken.returncode == 1
    assert "BREACH" in broken.stdout
    written = json.loads((tmp_path / "audit.json").read_text())
    assert not written["ok"]
    assert "train_reward" in {breach["column"] for breach in written["breaches"]}
    assert {row["step"] for row in written["health"] if row["phase"] == "train"} == {1, 2, 3, 4}
    assert srtbench("audit", tmp_path / "nowhere").returncode == 2


@pytest.mark.slow
@pytest.mark.parametrize("name", ["prompts.parquet", "config.json", "metrics.parquet"])
def test_evidence_that_was_taken_away_is_a_breach(copied: Path, name: str) -> None:
    (run_folder(copied, "srt") / name).unlink()
    (breach,) = audit_sweep(copied).breaches
    assert breach.run_id == run_folder(copied, "srt").name
    assert "gone" in breach.message


@pytest.mark.slow
def test_rollouts_that_end_before_the_checkpoint_are_a_breach(copied: Path) -> None:
    folder = Folder(run_folder(copied, "srt"))
    folder.update_status(state="interrupted", checkpoint_step=100)
    messages = [breach.message for breach in audit_sweep(copied).breaches]
    assert any("before the checkpoint 100" in message for message in messages)


@pytest.mark.slow
@pytest.mark.parametrize("state", ["interrupted", "running", "failed", "done"])
def test_a_begun_run_without_its_files_is_a_breach(copied: Path, state: Any) -> None:
    folder = Folder(run_folder(copied, "srt"))
    folder.update_status(state=state)
    for path in [*folder.path.iterdir()]:
        if path != folder.status_path:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (breach,) = audit_sweep(copied).breaches
    assert (breach.column, breach.run_id) == ("structure", folder.path.name)
    assert breach.message.startswith(f"{state}, but its files are gone")


@pytest.mark.slow
def test_a_status_that_was_taken_away_is_a_breach(copied: Path) -> None:
    folder = Folder(run_folder(copied, "srt"))
    folder.status_path.unlink()
    assert "status.json" in {breach.where for breach in audit_sweep(copied).breaches}
    folder.prompts_path.unlink()
    (breach,) = audit_sweep(copied).breaches
    assert breach.message.startswith("waiting, but its files are gone")


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["train", "eval"])
def test_a_cut_tail_of_a_run_that_is_not_done_is_a_breach(copied: Path, phase: str) -> None:
    folder = Folder(run_folder(copied, "srt"))
    folder.update_status(state="interrupted")
    assert audit_sweep(copied).ok
    first_part(folder.path, phase).unlink()
    assert any("before the checkpoint 4" in b.message for b in audit_sweep(copied).breaches)
    for path in folder.rollouts_path.glob(f"{phase}-*"):
        path.unlink()
    assert any("before the checkpoint 4" in b.message for b in audit_sweep(copied).breaches)


def test_runs_that_never_began_are_no_breach(tmp_path: Path) -> None:
    labels = {"model": "m", "dataset": "d", "variant": "srt", "variant_type": "srt"}
    numbers = {"seed": 0, "total_steps": 10}
    names = ("absent", "stage-failed", "stopped-early")
    runs = [{"run_id": name, **labels, **numbers} for name in names]
    write_json(tmp_path / "plan.json", {"sweep": "some", "runs": runs, "stages": []})
    Folder(tmp_path / "stage-failed").update_status(state="failed", error="shared stage failed")
    early = Folder(tmp_path / "stopped-early")
    write_json(early.config_path, {})
    early.start(10)
    report = audit_sweep(tmp_path)
    assert report.ok
    assert report.unaudited == 3
    assert any("taken away as a whole" in note for note in report.notes)
    assert audit_text(report).endswith("clean; 3 planned runs not audited, see notes")
