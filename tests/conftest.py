"""Fixtures that several tests share; real work is done once per test session."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from srtbench.config import SweepConfig, load_sweep
from srtbench.plan import Plan, plan_sweep
from srtbench.store import SweepStore
from tests.micro import srtbench, write_sweep


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
