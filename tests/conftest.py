"""Fixtures that several tests share; real work is done once per test session."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import SweepConfig, load_sweep
from srtbench.plan import Plan, plan_sweep
from srtbench.store import SweepStore
from tests.micro import CONTENT, srtbench, write_sweep

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the built wheel, and nothing else, is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        REPOSITORY,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv", "runs", "tests", "*.egg-info", "build"),
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


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


@pytest.fixture(scope="session")
def micro_sweep(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Four variants, eight steps, really trained. Tests must not change it: copy it first."""
    folder = tmp_path_factory.mktemp("micro")
    file = write_sweep(folder)
    result = srtbench("sweep", file, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    return FinishedSweep(file, folder / "runs", result.stdout)


VARIED: list[Any] = [
    "srt",
    "fixed_teacher",
    "random",
    "self_certainty",
    {"type": "ttrl", "votes": 8},
    {"type": "ema_teacher", "decay_start": 0.5, "decay_end": 0.9},
    {"type": "all_of", "parts": ["soft_majority", "no_repetition"]},
    {"type": "srt", "name": "srt-rloo", "train": {"algorithm": "rloo", "preset": "srt_math"}},
]


@pytest.fixture(scope="session")
def varied_sweep(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Variants with further votes, token statistics, parts; four steps. Copy before changing it."""
    folder = tmp_path_factory.mktemp("varied")
    train = CONTENT["train"] | {"steps": 4, "trl": {"bf16": False, "gradient_checkpointing": False}}
    train |= {"algorithm": "grpo", "beta": 0.0, "micro_batch_size": 16, "temperature": 1.0}
    file = write_sweep(folder, name="varied", variants=VARIED, train=train)
    result = srtbench("sweep", file, "--root", folder / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    return FinishedSweep(file, folder / "runs", result.stdout)
