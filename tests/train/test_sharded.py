"""Weights that FSDP shards over three real processes are gathered to evaluate uneven shares."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.execute.base import worker_environment

SCRIPT = Path(__file__).with_name("sharded_script.py")
PROCESSES = 3


@pytest.mark.slow
def test_sharded_weights_are_gathered_for_shares_of_unequal_length(tmp_path: Path) -> None:
    """By gloo on the CPU, FSDP 1 and 2: process k samples k + 1 prompts, and the first one saves
    alone. What each writes is what a model writes that was never sharded."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    result = subprocess.run(
        [*command, f"--nproc_per_node={PROCESSES}", str(SCRIPT), str(tmp_path)],
        env=os.environ | worker_environment(1) | {"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    for rank in range(PROCESSES):
        content: dict[str, Any] = json.loads((tmp_path / f"{rank}.json").read_text())
        for version, found in content.items():
            assert found["sharded"], version
            assert found["gathered is whole"], version
            assert not found["head of the shard"], "checks that need it are left out"
            assert found["moved"] > 1e-3
            assert found["apart"] < 1e-6
            assert len(found["texts"]) == 2 * (rank + 1)
            assert found["texts"] == found["wanted"]
    for version in ("1", "2"):
        assert (tmp_path / version / "model.safetensors").is_file()
