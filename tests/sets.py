"""A small sweep with further evaluation sets, trained for real once per test session."""

import itertools
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from srtbench.config import SplitShares, load_sweep
from srtbench.datasets import split_of
from srtbench.plan import Plan, RunSpec, plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import Folder
from tests.micro import LETTERS, write_sweep

SWAP = {"answer_kind": "text", "prompt_template": "{question}="}
FURTHER: dict[str, Any] = {"type": "file", "path": "further.jsonl", **SWAP}
GREEDY: dict[str, Any] = FURTHER | {
    "name": "greedy",
    "temperature": 0,
    "samples": 1,
    "prompts": 5,
    "every": 5,
    "max_completion_length": 4,
}
SETS = [FURTHER, GREEDY]


def write(folder: Path, **changes: Any) -> Path:
    """The micro sweep, with a file of sixteen questions that nothing is trained on."""
    file = write_sweep(folder, **({"variants": ["srt", "random"], "eval_sets": SETS} | changes))
    pairs = [a + b for a, b in itertools.permutations(LETTERS, 2)]
    held_out = [pair for pair in pairs if split_of(f"{pair}=", SplitShares()) == "eval"]
    rows = [{"question": pair, "answer": pair[::-1]} for pair in held_out[:16]]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "further.jsonl").write_text(lines)
    return file


def plan_of(folder: Path, **changes: Any) -> Plan:
    """The plan of that sweep."""
    return plan_sweep(load_sweep(write(folder, **changes)))


def run_of(plan: Plan, variant: str = "srt") -> RunSpec:
    """The first run of a variant."""
    return next(run for run in plan.runs if run.variant_label == variant)


def rows_of(folder: Folder, label: str) -> pl.DataFrame:
    """Logged rollouts of a set."""
    frame = pl.from_arrow(read_rollouts(folder.rollouts_path, "eval"))
    assert isinstance(frame, pl.DataFrame)
    return frame.filter(pl.col("eval_set") == label)


def assert_same(one: pa.Table, other: pa.Table, but: tuple[str, ...] = ()) -> None:
    """Same rows; floats to 1e-5, everything else exactly."""
    assert len(one) == len(other)
    for field in one.schema:
        if field.name in but:
            continue
        left, right = one[field.name].to_pylist(), other[field.name].to_pylist()
        if pa.types.is_floating(field.type):
            assert left == pytest.approx(right, abs=1e-5, nan_ok=True), field.name
        else:
            assert left == right, field.name
