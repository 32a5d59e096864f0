"""A sweep small enough for tests: a real tiny model that swaps two letters, trained for real."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from srtbench.config import SweepConfig, load_sweep
from srtbench.plan import Plan, plan_sweep
from srtbench.store import SweepStore

LETTERS = "abcdefghijklmnop"

MODEL: dict[str, Any] = {
    "type": "tiny",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_layers": 1,
    "num_heads": 2,
    "alphabet": LETTERS + "=",
    "max_length": 32,
    "warm_start": {
        "batch_size": 64,
        "learning_rate": 1e-2,
        "target_accuracy": 0.15,
        "check_every": 1,
        "check_prompts": 16,
        "check_samples": 2,
        "max_steps": 300,
    },
}

CONTENT: dict[str, Any] = {
    "name": "micro",
    "models": [MODEL],
    "datasets": [
        {
            "type": "file",
            "path": "swap.jsonl",
            "prompt_template": "{question}=",
            "answer_kind": "text",
        }
    ],
    "variants": ["srt", "gold", "fixed_teacher", "random"],
    "seeds": [0],
    "train": {
        "steps": 20,
        "prompts_per_step": 4,
        "num_generations": 4,
        "max_completion_length": 6,
        "learning_rate": 1e-3,
    },
    "eval": {"every": 10, "prompts": 8, "samples": 4},
    "execution": {"checkpoint_every": 3, "flush_every": 1},
}


def write_sweep(folder: Path, **changes: Any) -> Path:
    """Write the micro sweep and its data file into ``folder``; returns the sweep file."""
    folder.mkdir(parents=True, exist_ok=True)
    pairs = [a + b for a, b in itertools.permutations(LETTERS, 2)]
    lines = [json.dumps({"question": pair, "answer": pair[::-1]}) for pair in pairs]
    (folder / "swap.jsonl").write_text("\n".join(lines) + "\n")
    path = folder / "micro.yaml"
    path.write_text(yaml.safe_dump(CONTENT | changes, sort_keys=False))
    return path


def srtbench(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "srtbench.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=options.pop("timeout", 300),
        env=os.environ | {"COLUMNS": "200"},
        **options,
    )


@dataclass(frozen=True)
class FinishedSweep:
    """A sweep that ran to its end through the command line."""

    file: Path
    root: Path
    output: str

    @property
    def config(self) -> SweepConfig:
        return load_sweep(self.file)

    @property
    def plan(self) -> Plan:
        return plan_sweep(self.config)

    @property
    def store(self) -> SweepStore:
        return SweepStore(self.root, self.plan.name)


def trained_once(base: Path, name: str, write: Callable[[Path], Path]) -> FinishedSweep:
    """A sweep that a whole test session shares; the first process that asks for it trains it.

    Args:
        base: base folder of the tests of this process.
        write: writes the sweep file into a folder.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / name
    said, file = folder / "said.txt", folder / "file.txt"
    with FileLock(base / f"{name}.lock"):
        if not said.exists():
            folder.mkdir()
            file.write_text(str(write(folder)))
            result = srtbench("sweep", file.read_text(), "--root", folder / "runs")
            assert result.returncode == 0, result.stdout + result.stderr
            said.write_text(result.stdout)
    return FinishedSweep(Path(file.read_text()), folder / "runs", said.read_text())
