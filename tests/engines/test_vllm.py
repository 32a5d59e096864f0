"""vLLM as the engine of everything that samples, really run; skipped where it is not installed.

`make vllm` runs this file in the environment that it makes.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from srtbench.plan.stages import StartModelStage
from srtbench.rollouts import read_rollouts
from srtbench.store import Folder
from tests.micro import CONTENT, MODEL, FinishedSweep, srtbench, trained_once, write_sweep

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: make vllm"
    ),
]

GENERATION = {"engine": "vllm", "kv_cache_gib": 0.25}
WIDE_HEADS = MODEL | {"num_heads": 1}
"""One head of 32, the narrowest that vLLM has attention for on CPU."""

STEPS = 4
VARIANTS: list[Any] = [
    "srt",
    {"type": "srt", "name": "rloo", "train": {"algorithm": "rloo", "micro_batch_size": 8}},
    "fixed_teacher",
    {"type": "snapshot_teacher", "refresh_every": 2},
    {"type": "ttrl", "votes": 8},
    {"type": "rft", "train": {"rounds": 2, "prompts_per_round": 4, "samples_per_prompt": 4}},
]
LOGGED = ("prompt_id", "completion", "answer_key", "train_reward", "mean_logprob")


def write(folder: Path, **changes: Any) -> Path:
    content = {
        "models": [WIDE_HEADS],
        "variants": VARIANTS,
        "seeds": [0, 1],
        "exclude": [{"variant": ["rloo", "snapshot_teacher", "ttrl", "rft"], "seed": 1}],
        "train": CONTENT["train"] | {"steps": STEPS},
        "eval": {"every": 2, "prompts": 8, "samples": 4},
        "generation": GENERATION,
    }
    return write_sweep(folder, **(content | changes))


@pytest.fixture(scope="module")
def vllm_sweep(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Six variants whose training, evaluations, votes and rounds are sampled by vLLM."""
    return trained_once(tmp_path_factory.getbasetemp(), "vllm", write)


def folder_of(sweep: FinishedSweep, variant: str, seed: int = 0) -> Folder:
    (run,) = [r for r in sweep.plan.runs if (r.variant_label, r.seed) == (variant, seed)]
    return sweep.store.run(run.run_id)


def rows_of(folder: Folder, phase: str) -> list[dict[str, Any]]:
    rows = read_rollouts(folder.rollouts_path, phase).to_pylist()
    return [{name: row[name] for name in ("step", *LOGGED)} for row in rows]


def metrics_of(folder: Folder) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for row in pq.read_table(folder.metrics_path).to_pylist():
        found.setdefault(row["metric"], []).append(row["value"])
    return found


def test_every_run_ends_and_the_audit_is_clean(vllm_sweep: FinishedSweep) -> None:
    states = {
        run.run_id: vllm_sweep.store.run(run.run_id).read_status().state
        for run in vllm_sweep.plan.runs
    }
    assert set(states.values()) == {"done"}, states
    audited = srtbench("audit", vllm_sweep.store.path)
    assert audited.returncode == 0, audited.stdout
    assert "clean" in audited.stdout


@pytest.mark.parametrize("variant", ["srt", "rloo", "fixed_teacher", "snapshot_teacher", "ttrl"])
def test_what_is_trained_is_what_sampled(vllm_sweep: FinishedSweep, variant: str) -> None:
    """In float32 only rounding is between vLLM and the trainer, for RLOO and beside a copy too.

    Were the weights not synchronised, the difference would grow with the KL to the start model.
    """
    metrics = metrics_of(folder_of(vllm_sweep, variant))
    assert len(metrics["on_policy/sampler_logprob_difference"]) == STEPS
    assert max(metrics["on_policy/sampler_logprob_difference"]) < 1e-5
    assert max(metrics["on_policy/sampler_logprob_difference_max"]) < 1e-4
    assert metrics["on_policy/updates_since_sampling"] == [0.0] * STEPS


def test_the_kl_to_the_start_model_is_logged(vllm_sweep: FinishedSweep) -> None:
    kl = metrics_of(folder_of(vllm_sweep, "srt"))["on_policy/kl_to_start"]
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert kl[-1] > 1e-4


def test_seeds_reach_what_vllm_samples(vllm_sweep: FinishedSweep) -> None:
    """The prompts of a step and their completions; with TRL's seed they would be the same draws."""
    first, second = (rows_of(folder_of(vllm_sweep, "srt", seed), "train") for seed in (0, 1))
    same = [a["completion"] == b["completion"] for a, b in zip(first, second, strict=True)]
    assert sum(same) < len(same) / 2


def test_the_draws_of_two_seeds_differ_for_the_same_prompt(vllm_sweep: FinishedSweep) -> None:
    def draws(seed: int) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in rows_of(folder_of(vllm_sweep, "srt", seed), "train"):
            found.setdefault(row["prompt_id"], []).append(row["completion"])
        return found

    first, second = draws(0), draws(1)
    both = set(first) & set(second)
    assert both
    assert any(first[prompt] != second[prompt] for prompt in both)


def test_evaluations_and_votes_of_the_start_model_are_vllms(vllm_sweep: FinishedSweep) -> None:
    stages = [one for one in vllm_sweep.plan.stages if isinstance(one, StartModelStage)]
    assert {one.kind for one in stages} == {"base_eval", "teacher_labels"}
    for stage in stages:
        folder = vllm_sweep.store.stage(stage.stage_id)
        rows = read_rollouts(folder.rollouts_path, "eval").to_pylist()
        assert len(rows) == stage.sampling.samples * len({row["prompt_id"] for row in rows})
        text = folder.log_path.read_text()
        assert "safetensors checkpoint shards" in text, "vLLM says so when it loads a model"


def test_a_killed_run_continues_with_the_same_rollouts(
    vllm_sweep: FinishedSweep, tmp_path: Path
) -> None:
    """Killed after its first checkpoint and repeated: all rows are those of the run left alone."""
    root = tmp_path / "runs"
    shutil.copytree(vllm_sweep.root / "_stages", root / "_stages")
    command = [sys.executable, "-m", "srtbench.cli", "sweep", str(vllm_sweep.file)]
    command += ["--root", str(root), "--only", "variant=rloo,seed=0"]
    folder = Folder(root / "micro" / folder_of(vllm_sweep, "rloo").path.name)
    child = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while not (folder.path / "status.json").exists() or not folder.read_status().checkpoint_step:
        assert child.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert folder.read_status().state != "done"
    assert subprocess.run(command, capture_output=True, timeout=300).returncode == 0
    for phase in ("train", "eval"):
        whole = rows_of(folder_of(vllm_sweep, "rloo"), phase)
        assert rows_of(folder, phase) == whole, phase
        assert whole


def test_greedy_completions_are_those_of_transformers(vllm_sweep: FinishedSweep) -> None:
    """Token for token, in a process of its own: starting vLLM changes the process it is in."""
    script = Path(__file__).with_name("greedy_script.py")
    (stage,) = [one for one in vllm_sweep.plan.stages if one.kind == "warm_start"]
    model = vllm_sweep.store.stage(stage.stage_id).model_path
    done = subprocess.run(
        [sys.executable, str(script), str(model)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "same"


def test_what_a_plan_takes_for_vllms_head_sizes_are_vllms() -> None:
    code = (
        "from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend as backend\n"
        "from srtbench.config.generation import CPU_HEAD_SIZES\n"
        "assert tuple(backend.get_supported_head_sizes()) == CPU_HEAD_SIZES\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200)
