"""A run that a reward function writes while another trainer trains."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import srtbench
from srtbench.rollouts import ROLLOUT_SCHEMA, write_parquet
from srtbench.store import StoreError
from srtbench.store.written import WrittenRun

LABELS = {"model": "tiny", "dataset": "sums", "variant": "srt"}


def opened(folder: Path, **options: Any) -> WrittenRun:
    return WrittenRun.open(
        folder, LABELS, format="trl_reward", variant={"type": "srt"}, num_generations=2,
        losses=["No log-probabilities."], **options,
    )  # fmt: skip


def write_step(run: WrittenRun, step: int) -> None:
    """Two completions of a prompt that both say 2, with what the reward function knows of them."""
    run.add_prompts([{"prompt_id": f"p{step}", "prompt": "1+1?", "gold_answer": "2",
                      "gold_key": "2"}])  # fmt: skip
    row = {
        "run_id": run.spec.run_id, "phase": "train", "step": step, "prompt_id": f"p{step}",
        "group_id": f"{step}-0", "completion": r"\boxed{2}", "answer": "2", "answer_key": "2",
        "pseudo_label": "2", "vote_share": 1.0, "train_reward": 1.0, "gold_reward": 1.0,
        "verifier_status": "ok",
    }  # fmt: skip
    rows = [row | {"sample_index": index} for index in range(2)]
    run.folder.rollouts_path.mkdir(exist_ok=True)
    write_parquet(
        pa.Table.from_pylist(rows, ROLLOUT_SCHEMA),
        run.folder.rollouts_path / f"train-{step:08d}-{step:08d}.parquet",
    )
    run.note(step, 2, state="done" if step == 2 else "running")


def test_it_is_a_sweep_folder_at_every_step_and_goes_on_where_it_was_left(tmp_path: Path) -> None:
    write_step(opened(tmp_path / "mine"), 1)
    state = "SELECT state, step, total_steps, imported, uses_gold, caveat FROM runs"
    (found,) = srtbench.open_sweep(tmp_path / "mine").sql(state).fetchall()
    assert found[:5] == ("running", 1, 2, "trl_reward", False)
    assert "No log-probabilities." in found[5]

    write_step(opened(tmp_path / "mine"), 2)
    connection = srtbench.open_sweep(tmp_path / "mine")
    assert connection.sql("SELECT state FROM runs").fetchall() == [("done",)]
    sql = "SELECT step, label_accuracy, majority_ratio FROM step_metrics ORDER BY step"
    assert connection.sql(sql).fetchall() == [(1, 1.0, 1.0), (2, 1.0, 1.0)]
    assert len(connection.sql("SELECT * FROM prompts").fetchall()) == 2


def test_a_run_under_the_same_labels_that_was_written_otherwise_is_not_touched(
    tmp_path: Path,
) -> None:
    write_step(opened(tmp_path / "mine"), 1)
    with pytest.raises(StoreError, match="answer kind 'math', not 'text'"):
        opened(tmp_path / "mine", answer_kind="text")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(StoreError, match="something else than a sweep"):
        opened(tmp_path / "other")
