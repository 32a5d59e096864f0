"""Two real processes vote like one, with groups that span them; without the gather they cannot."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.execute.base import worker_environment
from srtbench.replay.audit import audit_sweep
from tests.micro import CONTENT, srtbench, write_sweep

SCRIPT = Path(__file__).with_name("two_processes_script.py")


def run(folder: Path, processes: int) -> dict[str, Any]:
    out = folder / f"{processes}.json"
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    result = subprocess.run(
        [*command, str(SCRIPT), str(out)],
        env=os.environ | worker_environment(1) | {"PYTHONPATH": str(SCRIPT.parents[2])},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    content: dict[str, Any] = json.loads(out.read_text())
    assert content["processes"] == processes
    return content


@pytest.mark.slow
def test_two_processes_vote_like_one(tmp_path: Path) -> None:
    one, two = run(tmp_path, 1), run(tmp_path, 2)
    assert len(one["steps"]) == len(two["steps"]) == 2
    for alone, together in zip(one["steps"], two["steps"], strict=True):
        assert len(set(alone["prompt_id"])) == 3
        # Rows 4..7 are one group, and 0..5 the rows of the first process.
        assert len(set(alone["prompt_id"][4:8])) == 1
        for name in alone:
            if isinstance(alone[name][0], float):
                assert together[name] == pytest.approx(alone[name], abs=1e-5), name
            else:
                assert together[name] == alone[name], name
    labels = [label for step in one["steps"] for label in step["pseudo_label"]]
    assert len(set(labels)) > 1
    rewards = [reward for step in one["steps"] for reward in step["train_reward"]]
    assert {0.0, 1.0} == set(rewards)
    assert two["weights"] == pytest.approx(one["weights"], abs=1e-4)
    error = two["without_gather"]
    assert "6 rollouts do not divide into groups of 4" in error
    assert "rows of another process are missing" in error


@pytest.mark.slow
def test_a_sweep_of_two_processes_is_clean(tmp_path: Path) -> None:
    """Through the command line, with further votes, token statistics, refill; then audited."""
    parts = [{"type": "ttrl", "votes": 8, "voting": {"min_share": 0.4}}, "self_certainty"]
    train = CONTENT["train"] | {"steps": 3, "prompts_per_step": 3, "num_processes": 2}
    train |= {"refill": {"draws": 2}}
    file = write_sweep(
        tmp_path,
        name="two",
        variants=[{"type": "weighted", "parts": parts, "weights": [1.0, 0.1]}],
        train=train,
        eval={"every": 3, "prompts": 7, "samples": 4},
    )
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    report = audit_sweep(tmp_path / "runs" / "two")
    assert report.breaches == []
    assert report.checked["train_reward"] == 3 * 12
    assert report.checked["refill"] > 3 * 3, "further prompts were asked"
