"""Runs of several processes: shares of an evaluation that are uneven, and a process that dies."""

import json
import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.replay.audit import audit_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from srtbench.train.arguments import TrainerConfigError, trainer_arguments
from tests.execute.test_resume import (
    assert_same_rollouts,
    start,
    wait_for_checkpoint,
    workers_of,
)
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

DYING = """
import os, signal
import numpy as np
from srtbench.variants import Judgement, Variant

class Dying(Variant):
    judged = 0

    def judge(self, group, rng):
        self.judged += 1
        if os.environ.get("RANK") == "1" and self.judged > 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return Judgement(np.zeros(len(group.completions)), None, None)
"""


@pytest.mark.slow
def test_uneven_shares_of_an_evaluation_and_a_process_that_dies(tmp_path: Path) -> None:
    """Three processes evaluate 7 prompts and 2: shares of 3, 2, 2 and 1, 1, 0. Then one is killed,
    while the second step's groups are judged."""
    (tmp_path / "dying.py").write_text(DYING)
    few = [json.dumps({"question": pair * 2, "answer": pair}) for pair in ("ab", "cd")]
    (tmp_path / "few.jsonl").write_text("\n".join(few))
    train = CONTENT["train"] | {"steps": 2, "prompts_per_step": 3, "num_processes": 3}
    further = {"type": "file", "path": "few.jsonl", "every": 1, "prompt_template": "{question}="}
    file = write_sweep(
        tmp_path,
        name="ranks",
        variants=[{"type": "python", "path": "dying.py:Dying"}],
        train=train,
        eval={"every": 1, "prompts": 7, "samples": 3},
        eval_sets=[further | {"answer_kind": "text"}],
    )
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 1, result.stdout + result.stderr
    (run,) = plan_sweep(load_sweep(file)).runs
    folder = SweepStore(tmp_path / "runs", "ranks").folder(run)

    status = folder.read_status()
    assert status.state == "failed"
    assert status.error is not None
    assert status.error.splitlines()[-1] == "process 1 of 3 (counted from 0) was killed by SIGKILL"
    rows = read_rollouts(folder.rollouts_path, "eval").to_pylist()
    asked = Counter((row["eval_set"], row["step"], row["prompt_id"]) for row in rows)
    assert {*asked.values()} == {3}
    prompts = Counter((name, step) for name, step, _ in asked)
    assert prompts == {("own", 0): 7, ("own", 1): 7, ("few", 0): 2, ("few", 1): 2}


@pytest.mark.slow
def test_adapters_on_two_processes_survive_a_kill(tmp_path: Path) -> None:
    """RLOO with `train.lora`, groups that span the processes; all are killed at once."""
    train = CONTENT["train"] | {"steps": 14, "prompts_per_step": 3, "num_processes": 2}
    train |= {"algorithm": "rloo", "beta": 0.05, "lora": {"r": 4}, "learning_rate": 1e-2}
    file = write_sweep(
        tmp_path,
        name="two",
        variants=["srt"],
        train=train,
        eval={"every": 7, "prompts": 7, "samples": 3},
        execution={"checkpoint_every": 2, "flush_every": 1},
    )
    said = srtbench("sweep", file, "--root", tmp_path / "whole")
    assert said.returncode == 0, said.stdout + said.stderr
    sweep = FinishedSweep(file, tmp_path / "whole", said.stdout)
    assert audit_sweep(sweep.store.path).breaches == []
    (run,) = sweep.plan.runs
    root = tmp_path / "killed"
    shutil.copytree(sweep.root, root)
    store = SweepStore(root, "two")
    shutil.rmtree(store.run(run.run_id).path)

    process = start(sweep, root)
    try:
        wait_for_checkpoint(store, [run.run_id])
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert 0 < store.run(run.run_id).read_status().checkpoint_step < 14
    while workers_of(root):
        time.sleep(0.05)
    again = srtbench("sweep", file, "--root", root)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "resuming after step" in store.run(run.run_id).log_path.read_text()
    assert_same_rollouts(sweep, root)


def test_sharding_without_a_gpu_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """accelerate leaves `fsdp` out where there is no GPU, and says nothing."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    train = CONTENT["train"] | {"num_processes": 2, "trl": {"fsdp": "full_shard"}}
    file = write_sweep(tmp_path, variants=["gold"], train=train)
    run = plan_sweep(load_sweep(file)).runs[0]
    with pytest.raises(TrainerConfigError, match=r"trl\.fsdp shards over GPUs, and there is none"):
        trainer_arguments(run, tmp_path / "runs" / "micro" / "run" / "checkpoint")
