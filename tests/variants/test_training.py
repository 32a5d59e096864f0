"""Variants that change how a run samples: further votes, a moving-average teacher, statistics."""

import json
import math
import shutil
import types
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from srtbench.config import load_sweep
from srtbench.config.errors import ConfigError
from srtbench.engines.transformers import transformers_engines
from srtbench.models.tiny import build_tiny
from srtbench.plan import plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.train.voters.copies import frozen_copy
from srtbench.train.voters.ema_teacher import EmaTeacher
from srtbench.train.voters.snapshot_teacher import SnapshotTeacher
from srtbench.variants.snapshot_teacher import SnapshotTeacher as SnapshotTeacherVariant
from tests.micro import CONTENT, MODEL, FinishedSweep, srtbench, write_sweep


def folder_of(sweep: FinishedSweep, variant: str) -> Path:
    run = next(run for run in sweep.plan.runs if run.variant_label == variant)
    return sweep.store.run(run.run_id).path


def metrics_of(folder: Path) -> dict[str, list[float]]:
    table = pq.read_table(folder / "metrics.parquet").to_pylist()
    found: dict[str, list[float]] = {}
    for row in table:
        found.setdefault(row["metric"], []).append(row["value"])
    return found


@pytest.mark.slow
def test_further_votes_are_logged_and_not_trained(varied_sweep: FinishedSweep) -> None:
    for variant in ("ttrl", "ema_teacher"):
        folder = folder_of(varied_sweep, variant)
        votes = read_rollouts(folder / "votes").to_pydict()
        assert len(votes["step"]) == 4 * 16
        assert set(votes["sample_index"]) == {4, 5, 6, 7}
        assert set(votes["train_reward"]) == {None}
        rollouts = read_rollouts(folder / "rollouts", "train").to_pydict()
        assert len(rollouts["step"]) == 4 * 16
        assert set(rollouts["sample_index"]) == {0, 1, 2, 3}
    assert not (folder_of(varied_sweep, "srt") / "votes").exists()


@pytest.mark.slow
def test_test_time_training_uses_the_eval_prompts_and_says_so(varied_sweep: FinishedSweep) -> None:
    folder = folder_of(varied_sweep, "ttrl")
    prompts = pq.read_table(folder / "prompts.parquet").to_pylist()
    assert {row["split"] for row in prompts} == {"eval"}
    trained = set(read_rollouts(folder / "rollouts", "train")["prompt_id"].to_pylist())
    assert trained <= {row["prompt_id"] for row in prompts}
    listed = json.loads(varied_sweep.store.plan_path.read_text())["runs"]
    told = {row["variant"] for row in listed if row["trains_on_eval_prompts"]}
    assert told == {"ttrl"}
    text = srtbench("plan", varied_sweep.file).stdout
    assert f"trains on its evaluation prompts, on purpose: {folder.name}" in text


def test_wrong_numbers_of_votes_are_planning_errors(tmp_path: Path) -> None:
    wrong = [
        {"type": "ttrl", "votes": 4, "name": "too-few"},
        {"type": "ttrl", "votes": 10, "name": "no-multiple"},
        {"type": "ema_teacher", "votes": 3},
    ]
    with pytest.raises(ConfigError) as found:
        plan_sweep(load_sweep(write_sweep(tmp_path, variants=wrong)))
    text = str(found.value)
    assert text.count("num_generations = 4") == 3
    apart = {"type": "ttrl", "votes": 8, "trains_on_eval_prompts": False}
    run = plan_sweep(load_sweep(write_sweep(tmp_path, variants=[apart]))).runs[0]
    assert run.needs.train_prompts != run.own.needs.prompts


@pytest.mark.slow
def test_statistics_are_the_reward_that_is_logged(varied_sweep: FinishedSweep) -> None:
    table = read_rollouts(folder_of(varied_sweep, "self_certainty") / "rollouts", "train")
    assert table["train_reward"].to_pylist() == table["self_certainty"].to_pylist()


@pytest.mark.slow
def test_statistics_of_the_log_are_the_models(varied_sweep: FinishedSweep) -> None:
    """Step 1 samples from the start model, so its statistics can be computed here."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = next(varied_sweep.root.glob("_stages/warm_start-*/model"))
    model = AutoModelForCausalLM.from_pretrained(place).eval()
    tokenizer = AutoTokenizer.from_pretrained(place)
    folder = folder_of(varied_sweep, "self_certainty")
    prompts = {
        row["prompt_id"]: row["prompt"]
        for row in pq.read_table(folder / "prompts.parquet").to_pylist()
    }
    rows = read_rollouts(folder / "rollouts", "train").to_pylist()[:16]
    compared = 0
    for row in rows:
        start = tokenizer(prompts[row["prompt_id"]]).input_ids
        ids = tokenizer(row["completion"]).input_ids
        ids = ids if row["truncated"] else [*ids, tokenizer.eos_token_id]
        if len(ids) != row["completion_tokens"]:
            continue  # special tokens inside the text are not in the log
        with torch.no_grad():
            logits = model(torch.tensor([start + ids])).logits[0, len(start) - 1 : -1]
        logprobs = torch.log_softmax(logits, dim=-1)
        own = logprobs.gather(1, torch.tensor(ids)[:, None]).mean()
        entropy = -(logprobs.exp() * logprobs).sum(dim=1).mean()
        certainty = (-logprobs.mean(dim=1) - math.log(logits.shape[1])).mean()
        assert row["mean_logprob"] == pytest.approx(float(own), abs=1e-4)
        assert row["entropy_nats"] == pytest.approx(float(entropy), abs=1e-4)
        assert row["self_certainty"] == pytest.approx(float(certainty), abs=1e-4)
        compared += 1
    assert compared >= 8


@pytest.mark.slow
def test_on_policy_checks_are_logged_every_step(varied_sweep: FinishedSweep) -> None:
    for variant in ("srt", "ttrl", "srt-rloo"):
        metrics = metrics_of(folder_of(varied_sweep, variant))
        assert len(metrics["on_policy/sampler_logprob_difference"]) == 4
        assert max(metrics["on_policy/sampler_logprob_difference_max"]) < 1e-4
        assert metrics["on_policy/updates_since_sampling"] == [0.0] * 4
        assert metrics["groups/count"] == [4.0] * 4
        assert metrics["groups/size"] == [4.0] * 4
        assert metrics["groups/split"] == [0.0] * 4
        kl = metrics["on_policy/kl_to_start"]
        assert kl[0] == pytest.approx(0, abs=1e-6)
        assert kl[-1] > 1e-6
        for name in ("entropy", "clip_ratio/region_mean", "completions/clipped_ratio"):
            assert len(metrics[name]) == 4
        assert len(metrics["frac_reward_zero_std"]) == 4


def small_teacher(**options: Any) -> tuple[Any, EmaTeacher]:
    from srtbench.config import TinyModel

    model, tokenizer = build_tiny(TinyModel.model_validate(MODEL))
    settings = {
        "decay_start": 0.5,
        "decay_end": 0.9,
        "temperature": 1.0,
        "max_completion_length": 4,
        "batch_size": 8,
        "seed": 0,
        "process_index": 0,
    }
    return model, EmaTeacher(model, transformers_engines(tokenizer), **(settings | options))


def small_snapshot(model: Any, tokenizer: Any, every: int | None) -> SnapshotTeacher:
    settings = {"temperature": 1.0, "max_completion_length": 4, "batch_size": 8}
    return SnapshotTeacher(
        model,
        transformers_engines(tokenizer),
        refresh_every=every,
        seed=0,
        process_index=0,
        **settings,
    )


@pytest.mark.parametrize("every", [1, 3, None])
def test_a_snapshot_is_the_policy_of_its_step(tmp_path: Path, every: int | None) -> None:
    from srtbench.config import TinyModel

    model, tokenizer = build_tiny(TinyModel.model_validate(MODEL))
    snapshot = small_snapshot(model, tokenizer, every)
    weights = [parameter.detach().clone() for parameter in model.parameters()]
    for step in range(1, 8):
        entry = SnapshotTeacherVariant.Config(refresh_every=every)
        taken = SnapshotTeacherVariant.voted_at(entry, step)
        assert (
            snapshot.policy_step == taken == (0 if every is None else (step - 1) // every * every)
        )
        for own, start in zip(snapshot._copy.parameters(), weights, strict=True):
            assert torch.allclose(own, start + taken, atol=1e-5)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(1.0)
        snapshot.follow(model, step, 7)
        if step == 5:
            snapshot.save(tmp_path)
            at_five = snapshot.policy_step
    other = small_snapshot(model, tokenizer, every)
    other.load(tmp_path)
    assert other.policy_step == at_five
    for own, start in zip(other._copy.parameters(), weights, strict=True):
        assert torch.allclose(own, start + at_five, atol=1e-5)


def test_a_copy_computes_with_its_own_weights() -> None:
    """A trainer gives the policy a forward that is a closure over the policy's; no copy has it."""
    from srtbench.config import TinyModel

    model, _ = build_tiny(TinyModel.model_validate(MODEL))
    original = model.forward
    model.forward = types.MethodType(lambda self, *args, **rest: original(*args, **rest), model)
    frozen, ids = frozen_copy(model), torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        before = frozen(ids).logits
        assert torch.equal(before, model(ids).logits)
        for parameter in model.parameters():
            parameter.mul_(2.0)
        assert torch.equal(frozen(ids).logits, before)
        assert not torch.equal(model(ids).logits, before)


@pytest.mark.slow
def test_votes_of_the_moving_teacher_are_its_own(tmp_path: Path) -> None:
    """At a rate that ruins the policy, a teacher that does not move votes on as at the start."""
    still = {"type": "ema_teacher", "decay_start": 1.0, "decay_end": 1.0}
    never = {"type": "snapshot_teacher", "refresh_every": None}
    train = CONTENT["train"] | {"steps": 8, "learning_rate": 0.1}
    file = write_sweep(tmp_path, name="still", variants=[still, never], train=train)
    assert srtbench("sweep", file, "--root", tmp_path / "runs").returncode == 0
    for run in plan_sweep(load_sweep(file)).runs:
        folder = tmp_path / "runs" / "still" / run.run_id
        policy = read_rollouts(folder / "rollouts", "train").to_pandas()
        votes = read_rollouts(folder / "votes").to_pandas()
        share = [table[table.step > 2].gold_reward.mean() for table in (policy, votes)]
        assert share[0] < 0.05 < share[1], run.variant_label


def test_the_teacher_follows_by_the_formula(tmp_path: Path) -> None:
    model, teacher = small_teacher()
    decays = [teacher.decay(step, 5) for step in range(1, 6)]
    assert decays[0] == pytest.approx(0.5)
    assert decays[2] == pytest.approx(0.7)
    assert decays[-1] == pytest.approx(0.9)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    teacher.follow(model, 1, 5)
    own = dict(teacher._copy.named_parameters())
    for name, value in start.items():
        assert torch.allclose(own[name], value + 0.5, atol=1e-6)
    teacher.save(tmp_path)
    _, other = small_teacher()
    other.load(tmp_path)
    for name, parameter in other._copy.named_parameters():
        assert torch.equal(parameter, own[name])


def test_the_teachers_votes_do_not_touch_the_global_random_state() -> None:
    model, teacher = small_teacher()
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    first = teacher.sample([[5, 6], [7]], 3)
    assert torch.equal(torch.rand(3), expected)
    assert teacher.sample([[5, 6], [7]], 3) != first, "asked again in one step, it votes anew"
    teacher.begin(model, 0)
    assert teacher.sample([[5, 6], [7]], 3) == first
    assert [len(row) for row in first] == [3, 3]
    _, elsewhere = small_teacher(process_index=1)
    assert elsewhere.sample([[5, 6], [7]], 3) != first


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["ema_teacher", "snapshot_teacher", "ttrl"])
def test_resuming_is_exact(tmp_path: Path, variant: str) -> None:
    """Stopped after the checkpoint of step 3 and continued: the same rollouts and votes.

    `ttrl` has prompts for two steps only, so it resumes in its second epoch. The snapshot that
    `snapshot_teacher` goes on with is that of step 2, which no checkpoint of the policy has.
    """
    entry: dict[str, Any] = {"type": variant}
    entry |= {
        "ttrl": {"votes": 8},
        "ema_teacher": {"decay_start": 0.2, "decay_end": 0.5},
        "snapshot_teacher": {"refresh_every": 2},
    }[variant]
    train = CONTENT["train"] | {"steps": 6}
    file = write_sweep(tmp_path, name="resume", variants=[entry], train=train)
    assert srtbench("sweep", file, "--root", tmp_path / "runs").returncode == 0
    run = plan_sweep(load_sweep(file)).runs[0]
    folder = tmp_path / "runs" / "resume" / run.run_id
    whole = {kind: read_rollouts(folder / kind) for kind in ("rollouts", "votes")}
    status = json.loads((folder / "status.json").read_text())
    stopped = write_sweep(
        tmp_path, name="resume", variants=[entry], train=train, execution={"checkpoint_every": 3}
    )
    shutil.rmtree(folder)
    script = tmp_path / "stop.py"
    script.write_text(_STOPPING)
    _run_stopping(script, stopped, tmp_path / "runs")
    partial = json.loads((folder / "status.json").read_text())
    assert (partial["checkpoint_step"], partial["state"]) == (3, "failed")
    assert srtbench("sweep", stopped, "--root", tmp_path / "runs", "--retry-failed").returncode == 0
    again = {kind: read_rollouts(folder / kind) for kind in ("rollouts", "votes")}
    assert status["state"] == "done"
    for kind, table in whole.items():
        assert again[kind].num_rows == table.num_rows
        for name in ("step", "policy_step", "completion", "pseudo_label", "train_reward"):
            assert again[kind][name].to_pylist() == table[name].to_pylist(), (kind, name)
    if variant == "ema_teacher":
        labels = whole["rollouts"]["pseudo_label"].to_pylist()
        assert np.unique([str(label) for label in labels]).size > 4


_STOPPING = """
import sys
from srtbench.train.recorder import Recorder
from srtbench.execute.worker import work

original = Recorder.on_step_end

def stop_at_five(self, args, state, control, **rest):
    original(self, args, state, control, **rest)
    if state.global_step == 5:
        raise RuntimeError("stopped by the test")
    return control

Recorder.on_step_end = stop_at_five
sys.exit(work(*sys.argv[1:]))
"""


def _run_stopping(script: Path, file: Path, root: Path) -> None:
    """Let the sweep write its configuration, then run the worker with a stop in it."""
    import os
    import subprocess
    import sys

    from srtbench.execute.base import worker_environment
    from srtbench.store import SweepStore
    from srtbench.store.configs import write_config

    plan = plan_sweep(load_sweep(file))
    store = SweepStore(root, plan.name)
    run = plan.runs[0]
    write_config(store.run(run.run_id), run, plan.execution.model_dump(mode="json"), {})
    result = subprocess.run(
        [sys.executable, str(script), str(root), plan.name, run.run_id],
        env=os.environ | worker_environment(1),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert result.returncode == 1, result.stderr
