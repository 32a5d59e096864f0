"""The rollout log: atomic parts, nothing lost or doubled, readable by everyone."""

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from srtbench.rollouts import (
    ROLLOUT_SCHEMA,
    SCHEMA_VERSION,
    RolloutWriter,
    discard_after,
    part_files,
    read_rollouts,
    rollout_table,
    write_parquet,
)


def rows(step: int, count: int = 4, **changes: Any) -> pa.Table:
    columns: dict[str, Any] = {
        "run_id": ["r"] * count,
        "phase": ["train"] * count,
        "step": [step] * count,
        "prompt_id": ["p"] * count,
        "group_id": [f"{step}-0"] * count,
        "sample_index": list(range(count)),
        "completion": ["\\boxed{1}"] * count,
        "completion_tokens": [3] * count,
        "truncated": [False] * count,
        "answer": ["1"] * count,
        "answer_key": ["1"] * count,
        "pseudo_label": ["1"] * count,
        "vote_share": [1.0] * count,
        "train_reward": [1.0] * count,
        "gold_reward": [1.0] * count,
        "advantage": [0.0] * count,
        "mean_logprob": [None] * count,
        "self_certainty": [None] * count,
        "entropy_nats": [None] * count,
        "verifier_status": ["ok"] * count,
    }
    return rollout_table(columns | changes)


def test_parts_are_named_by_their_steps_and_read_in_order(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path)
    for step in range(1, 6):
        writer.add("train", step, rows(step))
        if step in (2, 5):
            writer.flush()
    assert [path.name for path in part_files(tmp_path)] == [
        "train-00000001-00000002.parquet",
        "train-00000003-00000005.parquet",
    ]
    assert read_rollouts(tmp_path)["step"].to_pylist() == [s for s in range(1, 6) for _ in range(4)]


def test_duckdb_polars_and_pandas_read_the_same(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path)
    writer.add("train", 1, rows(1))
    writer.flush()
    pattern = str(tmp_path / "*.parquet")
    query = f"select count(*), sum(gold_reward) from '{pattern}'"
    assert duckdb.connect().execute(query).fetchall() == [(4, 4.0)]
    assert pl.read_parquet(pattern).height == 4
    assert len(pd.read_parquet(tmp_path)) == 4


def test_parts_carry_schema_version_and_compression(tmp_path: Path) -> None:
    write_parquet(rows(1), tmp_path / "part.parquet")
    file = pq.ParquetFile(tmp_path / "part.parquet")
    assert file.schema_arrow.metadata[b"srtbench_schema_version"] == str(SCHEMA_VERSION).encode()
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert all(field.metadata[b"description"] for field in file.schema_arrow)


def test_a_broken_write_leaves_the_old_file(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "part.parquet"
    write_parquet(rows(1), path)

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        write_parquet(rows(2), path)
    assert pq.read_table(path)["step"].to_pylist() == [1] * 4


def test_leftovers_of_a_kill_are_invisible_and_go_on_resume(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path)
    for step in range(1, 5):
        writer.add("train", step, rows(step))
        writer.flush()
    (tmp_path / ".train-00000005-00000005.parquet.123.tmp").write_bytes(b"half")
    assert len(read_rollouts(tmp_path)) == 16
    assert discard_after(tmp_path, 2) == 2
    assert read_rollouts(tmp_path)["step"].to_pylist() == [1] * 4 + [2] * 4
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_part_that_spans_the_checkpoint_is_an_error_not_a_guess(tmp_path: Path) -> None:
    writer = RolloutWriter(tmp_path)
    for step in (1, 2, 3):
        writer.add("train", step, rows(step))
    writer.flush()
    with pytest.raises(ValueError, match="spans the checkpoint at step 2"):
        discard_after(tmp_path, 2)


def test_columns_are_checked() -> None:
    with pytest.raises(ValueError, match="unknown rollout columns: reward"):
        rows(1, reward=[1.0] * 4)
    with pytest.raises(KeyError):
        rollout_table({"run_id": ["r"]})
    with pytest.raises((pa.ArrowInvalid, ValueError)):
        rows(1, answer=["1"])


def test_a_run_without_rollouts_reads_as_empty(tmp_path: Path) -> None:
    assert read_rollouts(tmp_path / "absent").schema.equals(ROLLOUT_SCHEMA)
    assert read_rollouts(tmp_path, columns=["step"]).column_names == ["step"]
