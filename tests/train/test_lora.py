"""`train.lora`: adapters alone are trained and kept, and all that a run promises still holds."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from srtbench.engines.base import PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.lora import merged, with_adapters_of
from srtbench.plan import RunSpec
from srtbench.replay.audit import audit_sweep
from srtbench.store.checkpoints import checkpoint_name
from srtbench.train.evaluate import sample_groups
from srtbench.train.prompts import read_prompts
from srtbench.train.start import start_model_path, start_policy
from tests.chains import SHARED, assert_same_rollouts, copy_of, frame_of, run_of, write_grid
from tests.execute.test_resume import start, wait_for_checkpoint
from tests.micro import FinishedSweep, srtbench, trained_once

PLAIN_STEPS = 16

# peft still asks transformers by a name that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")

CLIMB: dict[str, Any] = {
    "type": "curriculum",
    "name": "climb",
    "stages": [
        {"level": 3, "variant": {"type": "snapshot_teacher", "refresh_every": 2}},
        {
            "level": 4,
            "variant": "srt",
            "start_from": "best_avg_at_k",
            "train": {"algorithm": "rloo", "beta": 0.1, "steps": 3},
        },
        {"level": 3, "variant": "srt", "train": {"lora": None, "steps": 2}},
    ],
}

VARIANTS: list[Any] = [
    {"type": "srt", "name": "plain", "train": {"steps": PLAIN_STEPS}, "eval": {"every": 8}},
    CLIMB,
    {"type": "scpo", "voting": {"min_share": 0.25, "denominator": "samples"}},
]


def write(folder: Path) -> Path:
    train = SHARED["train"] | {"learning_rate": 1e-2, "lora": {"r": 4, "alpha": 8}, "rounds": 2}
    train |= {"prompts_per_round": 12, "fit": {"batch_size": 8, "learning_rate": 3e-2}}
    return write_grid(folder, "lora", VARIANTS, train=train)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as a worker has, so that sums round alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    """GRPO, a curriculum with a snapshot, RLOO and full weights at its end, and rounds of DPO."""
    return trained_once(tmp_path_factory.getbasetemp(), "lora", write)


def last_of(sweep: FinishedSweep, run: RunSpec) -> Path:
    return sweep.store.run(run.run_id).checkpoint_path / checkpoint_name(run.train.steps)


def metric(sweep: FinishedSweep, run: RunSpec, name: str) -> list[float]:
    rows = pl.read_parquet(sweep.store.run(run.run_id).metrics_path)
    return rows.filter(pl.col("metric") == name).sort("step")["value"].to_list()


def evaluation_of(
    policy: Any, tokenizer: Any, sweep: FinishedSweep, run: RunSpec, step: int
) -> Any:
    """What a policy writes on the held-out prompts of a run, as after that step."""
    prompts = read_prompts(sweep.store.stage(run.own.needs.prompts).prompts_path)
    sampling = run.own.sampling
    engine = TransformersEngine(policy, tokenizer, sampling.batch_size)
    seed = sampling.seed * 100_003 + step
    format_ = PromptFormat(chat=False)
    groups = sample_groups(engine, tokenizer, prompts, format_, sampling, seed)
    return [one.text for group in groups for one in group]


def logged(sweep: FinishedSweep, run: RunSpec, step: int) -> list[str]:
    rows = frame_of(sweep.store.run(run.run_id), "eval").filter(pl.col("step") == step)
    texts: list[str] = rows["completion"].to_list()
    return texts


@torch.no_grad()
def logprobs(policy: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """(rows, tokens, vocabulary)"""
    policy.eval()
    return torch.log_softmax(policy(torch.tensor(rows)).logits.float(), dim=-1)


def test_a_checkpoint_holds_the_adapters_alone(sweep: FinishedSweep) -> None:
    for label in ("plain", "scpo", "climb"):
        run = run_of(sweep.plan, label)
        place = last_of(sweep, run)
        names = load_file(place / "adapter_model.safetensors")
        assert names
        assert all(".lora_A." in name or ".lora_B." in name for name in names)
        assert any(bool(value.any()) for name, value in names.items() if ".lora_B." in name)
        assert not list(place.glob("model*"))
        assert json.loads((place / "adapter_config.json").read_text())["r"] == 4


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("label", ["plain", "scpo"])
def test_nothing_but_the_adapters_has_changed(sweep: FinishedSweep, label: str) -> None:
    """The start model with the last adapters writes what the last evaluation has, token by token;
    without them it does not."""
    run = run_of(sweep.plan, label)
    policy, tokenizer = start_policy(run, sweep.store)
    last = run.train.steps
    alone = evaluation_of(policy, tokenizer, sweep, run, last)
    policy = with_adapters_of(policy, last_of(sweep, run))
    written = evaluation_of(policy, tokenizer, sweep, run, last)
    assert written == logged(sweep, run, last) != alone


def test_merged_weights_are_the_same_policy(sweep: FinishedSweep) -> None:
    run = run_of(sweep.plan, "plain")
    rows = [[3, 4, 5, 6, 7, 8], [9, 3, 10, 4, 5, 6]]
    before = logprobs(start_policy(run, sweep.store)[0], rows)
    policy, _ = start_policy(run, sweep.store)
    beside = logprobs(with_adapters_of(policy, last_of(sweep, run)), rows)
    policy, _ = start_policy(run, sweep.store)
    inside = merged(policy, last_of(sweep, run))
    assert not any("lora" in name for name, _ in inside.named_parameters())
    assert all(parameter.requires_grad for parameter in inside.parameters())
    assert float((beside - logprobs(inside, rows)).abs().max()) < 1e-5
    assert float((beside - before).abs().max()) > 1e-2


def test_checks_and_statistics_hold(sweep: FinishedSweep) -> None:
    plain, rloo = run_of(sweep.plan, "plain"), run_of(sweep.plan, "climb", 4)
    for run in (plain, rloo):
        assert max(metric(sweep, run, "on_policy/sampler_logprob_difference")) < 1e-6
        rows = frame_of(sweep.store.run(run.run_id), "train")
        for name in ("mean_logprob", "entropy_nats", "self_certainty"):
            assert rows[name].null_count() == 0
    drift = metric(sweep, plain, "on_policy/kl_to_start")
    assert abs(drift[0]) < 1e-6
    assert drift[-1] > 1e-3
    drift = metric(sweep, rloo, "kl")
    assert drift[0] == pytest.approx(0, abs=1e-6)
    assert drift[-1] > 1e-6


def test_the_audit_is_clean(sweep: FinishedSweep) -> None:
    report = audit_sweep(sweep.store.path)
    assert report.breaches == []
    assert report.checked["train_reward"] > 300


@pytest.mark.usefixtures("one_thread")
def test_a_stage_starts_from_the_best_policy_of_the_one_before(sweep: FinishedSweep) -> None:
    run = run_of(sweep.plan, "climb", 4)
    place = start_model_path(run, sweep.store)
    assert place is not None
    assert place.parent.name == "best_avg_at_k"
    assert (place / "adapter_model.safetensors").is_file()
    policy, tokenizer = start_policy(run, sweep.store)
    assert evaluation_of(policy, tokenizer, sweep, run, 0) == logged(sweep, run, 0)


@pytest.mark.usefixtures("one_thread")
def test_a_stage_with_all_weights_goes_on_from_two_with_adapters(sweep: FinishedSweep) -> None:
    run = run_of(sweep.plan, "climb.2")
    policy, tokenizer = start_policy(run, sweep.store)
    assert evaluation_of(policy, tokenizer, sweep, run, 0) == logged(sweep, run, 0)
    assert (last_of(sweep, run) / "model.safetensors").is_file()


def test_a_snapshot_that_votes_is_one_of_the_adapters(sweep: FinishedSweep) -> None:
    place = last_of(sweep, run_of(sweep.plan, "climb"))
    copied = load_file(place / "snapshot_teacher.safetensors")
    own = load_file(place / "adapter_model.safetensors")
    assert len(copied) == len(own)
    assert all(".lora_" in name for name in copied)
    for name, value in copied.items():  # step 4 renews it
        assert torch.equal(value, own[name.replace(".default.", ".")])


def test_killed_and_repeated_it_ends_as_if_it_was_not(sweep: FinishedSweep, tmp_path: Path) -> None:
    store = copy_of(sweep, tmp_path / "runs")
    run = run_of(sweep.plan, "plain")
    store.run(run.run_id).path.rename(tmp_path / "aside")
    process = start(sweep, tmp_path / "runs")
    try:
        wait_for_checkpoint(store, [run.run_id])
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    reached = store.run(run.run_id).read_status().checkpoint_step
    assert 0 < reached < PLAIN_STEPS
    result = srtbench("sweep", sweep.file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    log = store.run(run.run_id).log_path.read_text()
    assert "resuming after step" in log
    assert_same_rollouts(run.run_id, sweep.store, store)
