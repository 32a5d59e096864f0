"""Curricula, pools and parts small enough for tests, trained for real once per test session."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import yaml

from srtbench.config import load_sweep
from srtbench.plan import Plan, RunSpec, plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import Folder, SweepStore
from tests.micro import FinishedSweep

LETTERS = "abcdefghijklmnopqrstuvwxyz"

MODEL: dict[str, Any] = {
    "type": "tiny",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_layers": 1,
    "num_heads": 2,
    "alphabet": LETTERS + LETTERS.upper() + "=",
    "max_length": 32,
    "warm_start": {
        "batch_size": 64,
        "learning_rate": 1e-2,
        "target_accuracy": 0.3,
        "check_every": 5,
        "check_prompts": 32,
        "max_steps": 300,
    },
}

DATASET: dict[str, Any] = {
    "type": "reasoning_gym",
    "task": "spell_backward",
    "level": 3,
    "prompt_template": "{metadata[word]}=",
    "target_template": "{answer}",
    "answer_style": "text",
    "answer_kind": "text",
    "warm_start_levels": {3: 2, 4: 1, 5: 1},
}

SHARED: dict[str, Any] = {
    "models": [MODEL],
    "datasets": [DATASET],
    "train": {
        "steps": 4,
        "prompts_per_step": 4,
        "num_generations": 4,
        "max_completion_length": 8,
        "learning_rate": 3e-3,
    },
    "eval": {"every": 2, "prompts": 8, "samples": 4},
    "execution": {"workers": 1, "checkpoint_every": 2, "flush_every": 1},
}

# As many prompts as the pools below have, so that they share the stage that draws them.
FIRST: dict[str, Any] = {"level": 3, "variant": "gold", "train": {"steps": 2}}

CLIMB: dict[str, Any] = {
    "type": "curriculum",
    "name": "climb",
    "stages": [
        FIRST,
        {"level": 4, "variant": "srt", "train": {"steps": 16}, "eval": {"every": 4}},
        {
            "level": 5,
            "variant": "srt",
            "start_from": "best_avg_at_k",
            "train": {"beta": 0.1, "steps": 3},
        },
    ],
}

# Its first stage is that of CLIMB; then the same level once more.
AGAIN: dict[str, Any] = {
    "type": "curriculum",
    "name": "again",
    "stages": [FIRST, {"level": 3, "variant": "random", "train": {"steps": 2}}],
}

POOLS: list[dict[str, Any]] = [
    {"type": "srt", "name": "easy", "train": {"pool": {"prompts": 8, "keep": 0.5}}},
    {
        "type": "srt",
        "name": "easy-gold",
        "train": {"pool": {"prompts": 8, "keep": 0.5, "by": "pass_rate"}},
    },
    {"type": "srt", "name": "fixed", "train": {"pool": {"prompts": 8}}},
]


def write(folder: Path, file: str, **content: Any) -> Path:
    """Write a sweep file into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / file
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def write_grid(folder: Path, name: str, variants: list[Any], **changes: Any) -> Path:
    """Write a sweep of ``variants`` on the shared model and task."""
    return write(
        folder, f"{name}.yaml", **({"name": name, "variants": variants} | SHARED | changes)
    )


def write_parts(folder: Path) -> Path:
    """Write the sweep `both`, made of the parts `chain` and `pool`."""
    write_grid(folder, "chain", [CLIMB, AGAIN])
    write_grid(folder, "pool", POOLS)
    parts = ["chain.yaml", "pool.yaml"]
    return write(folder, "both.yaml", name="both", parts=parts, execution=SHARED["execution"])


def plan_of(path: Path) -> Plan:
    """The plan of a sweep file."""
    return plan_sweep(load_sweep(path))


def run_of(plan: Plan, variant: str, level: int = 3) -> RunSpec:
    """The run of a variant's label at a level."""
    (run,) = (
        run
        for run in plan.runs
        if run.variant_label == variant and getattr(run.dataset, "level", None) == level
    )
    return run


def frame_of(folder: Folder, phase: str) -> pl.DataFrame:
    """Logged rollouts of one phase."""
    frame = pl.from_arrow(read_rollouts(folder.rollouts_path, phase))
    assert isinstance(frame, pl.DataFrame)
    return frame


def assert_same_rollouts(run_id: str, one: SweepStore, other: SweepStore) -> None:
    """Same rows in both; floats to 1e-5, everything else exactly."""
    expected = read_rollouts(one.run(run_id).rollouts_path)
    actual = read_rollouts(other.run(run_id).rollouts_path)
    for field in expected.schema:
        left, right = expected[field.name].to_pylist(), actual[field.name].to_pylist()
        if pa.types.is_floating(field.type):
            assert left == pytest.approx(right, abs=1e-5, nan_ok=True), (run_id, field.name)
        else:
            assert left == right, (run_id, field.name)


def copy_of(sweep: FinishedSweep, root: Path) -> SweepStore:
    """A copy of a finished sweep under another root, to be changed."""
    shutil.copytree(sweep.root, root)
    return SweepStore(root, sweep.plan.name)
