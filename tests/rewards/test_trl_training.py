"""Real training by TRL's own trainers: groups that span processes, columns, metrics."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench import open_sweep
from srtbench.execute.base import worker_environment
from srtbench.replay.audit import audit_sweep
from srtbench.rewards import judge
from srtbench.rollouts import IMPORTED_SCHEMA, part_files, read_table

SCRIPT = Path(__file__).with_name("trl_script.py")


def train(kind: str, out: Path, processes: int = 1) -> tuple[dict[str, list[Any]], list[Any]]:
    """Columns of what TRL logged of the last step, and its metrics."""
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    done = subprocess.run(
        [*command, str(SCRIPT), kind, str(out)],
        env=os.environ | worker_environment(1) | {"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    files = sorted((out / "completions").glob("completions_0000[12].parquet"))
    columns: dict[str, list[Any]] = {}
    for file in files:
        for name, values in pq.read_table(file).to_pydict().items():
            columns.setdefault(name, []).extend(values)
    history: list[Any] = json.loads((out / "state.json").read_text())["log_history"]
    return columns, history


def parts_of(out: Path) -> Iterator[pa.Table]:
    """Rollouts of the only run that `trl_script` wrote."""
    (rollouts,) = (out / "mine").glob("*/rollouts")
    for path in part_files(rollouts):
        yield read_table(path, IMPORTED_SCHEMA)


@pytest.mark.slow
def test_two_processes_label_like_one(tmp_path: Path) -> None:
    one, log = train("grpo", tmp_path / "1")
    two, log_two = train("grpo", tmp_path / "2", processes=2)
    assert len(one["prompt"]) == 2 * 12
    for name in ("prompt", "completion", "srt_answer_key", "srt_pseudo_label", "srt"):
        assert one[name] == two[name], name
    for start in range(0, 24, 4):
        group = slice(start, start + 4)
        assert len(set(one["prompt"][group])) == 1
        found = judge("srt", one["completion"][group], answer_style="line", answer_kind="text")
        assert one["srt"][group] == found.train_reward.tolist()
        assert set(one["srt_pseudo_label"][group]) == {found.pseudo_label}
        assert one["srt_vote_share"][group] == pytest.approx([found.vote_share] * 4)
    assert len(set(one["srt_pseudo_label"])) > 1
    assert {0.0, 1.0} == set(one["srt"])
    names = ("srt/vote_share", "srt/modal_share", "srt/label_accuracy", "rewards/srt/mean")
    trained, trained_two = ([row for row in rows if "loss" in row] for rows in (log, log_two))
    for a, b in zip(trained, trained_two, strict=True):
        assert [a[name] for name in names] == pytest.approx([b[name] for name in names])

    said = [open_sweep(tmp_path / name / "mine") for name in "12"]
    steps = "SELECT step, entropy_nats IS NULL, grad_norm FROM step_metrics ORDER BY step"
    told, told_two = (one.sql(steps).fetchall() for one in said)
    assert [row[:2] for row in told] == [row[:2] for row in told_two] == [(1, False), (2, False)]
    assert [row[2] for row in told] == pytest.approx([row[2] for row in told_two], rel=1e-3)
    kept = "SELECT algorithm, learning_rate, beta FROM runs"
    assert [one.sql(kept).fetchall() for one in said] == [[("grpo", 1e-6, 0.0)]] * 2
    shown = "SELECT step, metric, value FROM metrics WHERE metric IN ('loss', 'srt/vote_share')"
    assert len(said[0].sql(shown).fetchall()) == 4

    written, written_two = (
        [row for part in parts_of(tmp_path / name) for row in part.to_pylist()] for name in "12"
    )
    assert written == written_two  # though the second process was asked the evaluation once more
    assert [row["phase"] for row in written] == ["eval"] * 4 + ["train"] * 24
    for mine, theirs in (
        ("completion", "completion"),
        ("answer_key", "srt_answer_key"),
        ("pseudo_label", "srt_pseudo_label"),
        ("train_reward", "srt"),
    ):
        assert [row[mine] for row in written[4:]] == one[theirs]
    watched, first, second = (
        json.loads((tmp_path / name).read_text())
        for name in ("1/monitor-0.json", "2/monitor-0.json", "2/monitor-1.json")
    )
    assert watched == first == second | {"warnings": 1}  # all stop, one warns
    assert (second["warnings"], first["steps"], len(first["history"])) == (0, 2, 2)
    runs = open_sweep(tmp_path / "2" / "mine").sql("SELECT state, step, stopped FROM runs")
    assert runs.fetchall() == [("done", 2, "its trainer ended it at step 2 of 4")]
    report = audit_sweep(tmp_path / "2" / "mine")
    assert not report.breaches
    assert report.checked["train_reward"] == 24


@pytest.mark.slow
def test_rloo_trains_and_evaluates_with_groups_of_another_size(tmp_path: Path) -> None:
    _, log = train("rloo", tmp_path / "out")
    assert all("srt/vote_share" in step for step in log if "loss" in step)
    (evaluated,) = [step for step in log if "eval_loss" in step]
    assert {row["step"] for part in parts_of(tmp_path / "out") for row in part.to_pylist()} == {
        1,
        2,
    }
    assert 0.0 <= evaluated["eval_srt/vote_share"] <= 1.0
    assert evaluated["eval_srt/answers_per_prompt"] <= 2
