"""Fixtures that several tests share; real work is done once per test session."""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.chains import write_parts
from tests.micro import CONTENT, FinishedSweep, trained_once, write_sweep
from tests.sets import write as write_sets

# How fast a machine is says nothing of a property.
settings.register_profile("srtbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("srtbench")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder into which the built wheel, and nothing else, is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(
        REPOSITORY,
        source,
        ignore=shutil.ignore_patterns(".git", ".venv*", "runs", "tests", "*.egg-info", "build"),
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(source)]
    subprocess.run([*pip, *build], check=True)
    (wheel,) = folder.glob("*.whl")
    target = folder / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(target), str(wheel)], check=True)
    return target


@pytest.fixture(scope="session")
def micro_sweep(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Four variants, eight steps, really trained. Tests must not change it: copy it first."""
    return trained_once(tmp_path_factory.getbasetemp(), "micro", write_sweep)


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Curricula and pools, a sweep of two parts. Copy it before changing it."""
    return trained_once(tmp_path_factory.getbasetemp(), "chains", write_parts)


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Two variants, evaluated on two sets besides their own. Copy it before changing it."""
    return trained_once(tmp_path_factory.getbasetemp(), "sets", write_sets)


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
    train = CONTENT["train"] | {"steps": 4, "trl": {"bf16": False, "gradient_checkpointing": False}}
    train |= {"algorithm": "grpo", "beta": 0.0, "micro_batch_size": 16, "temperature": 1.0}
    write = partial(write_sweep, name="varied", variants=VARIED, train=train)
    return trained_once(tmp_path_factory.getbasetemp(), "varied", write)
