"""What only a GPU can show; `scripts/gpu_check.sh` runs it, with --cpu as a rehearsal."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from srtbench.engines.base import PromptFormat
from srtbench.engines.make import make_engines
from srtbench.models.load import load_policy
from srtbench.plan import RunSpec
from srtbench.replay.audit import audit_sweep
from tests.micro import CONTENT, FinishedSweep, srtbench, write_sweep

pytestmark = pytest.mark.gpu

REPOSITORY = Path(__file__).resolve().parents[2]
REHEARSAL = "SRTBENCH_GPU_REHEARSAL"
DIFFERENCE = "on_policy/sampler_logprob_difference"
TOLERANCE = {"fp32": 1e-3, "bf16": 0.2}
"""Mean difference of a token's log-probability, in nats: when it was sampled, and in the loss."""


@pytest.fixture(scope="module")
def device() -> str:
    """``cuda``; in a rehearsal ``cpu``."""
    if os.environ.get(REHEARSAL) == "1":
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("no NVIDIA GPU that this build of torch can use")
    return "cuda"


@pytest.fixture(scope="module")
def trained(device: str, tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """Self-reward in float32 and with bfloat16, trained by the command."""
    folder = tmp_path_factory.mktemp("cuda")
    variants = [
        {"type": "srt", "name": name, "train": {"trl": {"bf16": name == "bf16"}}}
        for name in TOLERANCE
    ]
    train = CONTENT["train"] | {"steps": 6}
    file = write_sweep(folder, variants=variants, train=train, eval=CONTENT["eval"] | {"every": 6})
    said = srtbench("sweep", file, "--root", folder / "runs")
    assert said.returncode == 0, said.stdout + said.stderr
    return FinishedSweep(file, folder / "runs", said.stdout)


def run_named(sweep: FinishedSweep, name: str) -> RunSpec:
    return next(run for run in sweep.plan.runs if run.variant_label == name)


@pytest.mark.parametrize("name", TOLERANCE)
def test_the_policy_that_samples_is_the_one_that_is_trained(
    trained: FinishedSweep, name: str
) -> None:
    folder = trained.store.run(run_named(trained, name).run_id)
    rows = pq.read_table(folder.metrics_path).to_pylist()
    differences = [row["value"] for row in rows if row["metric"] == DIFFERENCE]
    assert len(differences) == 6
    assert max(differences) < TOLERANCE[name]


def test_the_audit_is_clean(trained: FinishedSweep) -> None:
    assert audit_sweep(trained.store.path).ok


def test_greedy_completions_are_those_of_a_cpu(trained: FinishedSweep, device: str) -> None:
    run = run_named(trained, "fp32")
    assert run.needs.start_model is not None
    start = trained.store.stage(run.needs.start_model).model_path
    completions = {}
    for place in ("cpu", device):
        model, tokenizer = load_policy(run.model, start)
        asked = PromptFormat(False, run.dataset.system_prompt)
        prompts = [asked.token_ids(tokenizer, text) for text in ("ab=", "ba=", "cd=", "pa=")]
        engine = make_engines(None, tokenizer, 0)(model.to(place), 8)
        groups = engine.sample(prompts, samples=1, temperature=0.0, max_completion_length=6, seed=0)
        completions[place] = [one.token_ids for group in groups for one in group]
    assert completions["cpu"] == completions[device]


def test_memory_is_measured_beside_what_the_plan_says(device: str, trained: FinishedSweep) -> None:
    """The ratio itself is for the report: at this size it is far from 1, see docs/cost.md."""
    script = REPOSITORY / "benchmarks" / "cost_calibration.py"
    command = [sys.executable, script, trained.file, "--steps", "2", "--device", device]
    said = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True).stdout
    memory = next(line for line in said.splitlines() if line.startswith("peak memory, GB"))
    predicted, measured = float(memory.split()[3]), float(memory.split()[-1])
    assert predicted > 0
    assert measured > 0
    assert f"on {device}" in said
