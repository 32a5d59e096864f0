"""Sweeps of a real tiny model, through the command line, from start to report."""

import contextlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from srtbench.config import load_sweep
from srtbench.plan import estimate, plan_sweep
from srtbench.rollouts import ROLLOUT_SCHEMA, VERIFIER_STATUSES, read_rollouts
from srtbench.store import SweepStore
from tests.micro import CONTENT, MODEL, FinishedSweep, srtbench, write_sweep


def rollouts(sweep: FinishedSweep, variant: str) -> pl.DataFrame:
    run = next(run for run in sweep.plan.runs if run.variant_label == variant)
    frame = pl.from_arrow(read_rollouts(sweep.store.run(run.run_id).rollouts_path))
    assert isinstance(frame, pl.DataFrame)
    return frame


def test_every_planned_rollout_is_logged_once(micro_sweep: FinishedSweep) -> None:
    for run in micro_sweep.plan.runs:
        table = read_rollouts(micro_sweep.store.run(run.run_id).rollouts_path)
        assert table.schema.equals(ROLLOUT_SCHEMA)
        base = run.own.prompts * run.own.sampling.samples
        assert len(table) == estimate(run).rollouts + base
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        assert frame.select("phase", "step", "group_id", "sample_index").is_duplicated().sum() == 0
        assert set(frame["run_id"]) == {run.run_id}
        assert set(frame.filter(pl.col("phase") == "eval")["step"]) == set(
            run.own.steps(run.train.steps)
        )
        assert set(frame["verifier_status"]) <= set(VERIFIER_STATUSES)


def test_srt_rewards_agreement_with_the_majority(micro_sweep: FinishedSweep) -> None:
    train = rollouts(micro_sweep, "srt").filter(pl.col("phase") == "train")
    for _, group in train.group_by("group_id"):
        keys = [key for key in group.sort("sample_index")["answer_key"] if key is not None]
        label = max(keys, key=keys.count) if keys else None
        assert set(group["pseudo_label"]) == {label}
    expected = (train["answer_key"] == train["pseudo_label"]).fill_null(False).cast(pl.Float32)
    assert (train["train_reward"] == expected).all()


def test_gold_rewards_equal_gold_and_random_rewards_do_not(micro_sweep: FinishedSweep) -> None:
    gold = rollouts(micro_sweep, "gold").filter(pl.col("phase") == "train")
    assert (gold["train_reward"] == gold["gold_reward"]).all()
    random = rollouts(micro_sweep, "random").filter(pl.col("phase") == "train")
    mean = random["train_reward"].mean()
    assert isinstance(mean, float)
    assert abs(mean - 0.5) < 4 * 0.5 / np.sqrt(len(random))


def test_the_teachers_label_of_a_prompt_never_changes(micro_sweep: FinishedSweep) -> None:
    train = rollouts(micro_sweep, "fixed_teacher").filter(pl.col("phase") == "train")
    assert (
        train.group_by("prompt_id").agg(pl.col("pseudo_label").n_unique())["pseudo_label"].max()
        == 1
    )


def test_advantages_are_those_of_unscaled_grpo(micro_sweep: FinishedSweep) -> None:
    train = rollouts(micro_sweep, "srt").filter(pl.col("phase") == "train")
    mean = pl.col("train_reward").mean().over("group_id")
    expected = train.select(pl.col("train_reward") - mean).to_series()
    assert (train["advantage"] - expected).abs().max() < 1e-6  # type: ignore[operator]


def test_token_statistics_are_logged_for_every_trained_completion(
    micro_sweep: FinishedSweep,
) -> None:
    train = rollouts(micro_sweep, "srt").filter(pl.col("phase") == "train")
    for name in ("mean_logprob", "entropy_nats", "self_certainty"):
        assert train[name].null_count() == 0
    assert train["mean_logprob"].max() <= 0  # type: ignore[operator]
    assert train["entropy_nats"].min() >= 0  # type: ignore[operator]
    assert train["self_certainty"].min() >= 0  # type: ignore[operator]


def test_variants_share_one_evaluation_of_the_start_model(micro_sweep: FinishedSweep) -> None:
    starts = [
        rollouts(micro_sweep, variant)
        .filter((pl.col("phase") == "eval") & (pl.col("step") == 0))
        .drop("run_id")
        for variant in ("srt", "gold")
    ]
    assert starts[0].equals(starts[1])
    stages = [path.name for path in (micro_sweep.root / "_stages").iterdir()]
    assert len(stages) == len(micro_sweep.plan.stages)


def test_train_eval_and_warm_start_prompts_are_disjoint(micro_sweep: FinishedSweep) -> None:
    run = micro_sweep.plan.runs[0]
    prompts = pl.read_parquet(micro_sweep.store.run(run.run_id).prompts_path)
    warm = pl.read_parquet(micro_sweep.store.stage(run.needs.start_model).prompts_path)
    ids = [*prompts["prompt_id"], *warm["prompt_id"]]
    assert len(ids) == len(set(ids))
    assert set(prompts["split"]) == {"train", "eval"}
    logged = set(rollouts(micro_sweep, "srt").filter(pl.col("phase") == "train")["prompt_id"])
    assert logged <= set(prompts.filter(pl.col("split") == "train")["prompt_id"])


def test_a_run_folder_says_what_made_it(micro_sweep: FinishedSweep) -> None:
    run = micro_sweep.plan.runs[0]
    folder = micro_sweep.store.run(run.run_id)
    content = json.loads(folder.config_path.read_text())
    assert content["spec"]["train"]["trl"]["loss_type"] == "dapo", "presets are resolved"
    assert {"torch", "trl", "srtbench"} <= set(content["versions"])
    status = folder.read_status()
    assert (status.state, status.step, status.attempts) == ("done", 20, 1)
    assert [path.name for path in folder.checkpoint_path.glob("checkpoint-*")] == ["checkpoint-20"]
    metrics = pl.read_parquet(folder.metrics_path)
    assert set(metrics["step"]) == set(range(1, 21))
    assert {"loss", "entropy", "frac_reward_zero_std"} <= set(metrics["metric"])


def test_repeating_a_finished_sweep_does_nothing(micro_sweep: FinishedSweep) -> None:
    run = micro_sweep.plan.runs[0]
    before = micro_sweep.store.run(run.run_id).status_path.read_bytes()
    result = srtbench("sweep", micro_sweep.file, "--root", micro_sweep.root)
    assert result.returncode == 0
    assert "started" not in result.stdout
    assert micro_sweep.store.run(run.run_id).status_path.read_bytes() == before


def test_the_same_seed_gives_the_same_rollouts(micro_sweep: FinishedSweep, tmp_path: Path) -> None:
    """Without the statistics' last bits: batches of another size may sum in another order."""
    shutil.copytree(micro_sweep.root / "_stages", tmp_path / "runs" / "_stages")
    result = srtbench(
        "sweep", micro_sweep.file, "--root", tmp_path / "runs", "--only", "variant=srt"
    )
    assert result.returncode == 0, result.stdout + result.stderr
    run = next(run for run in micro_sweep.plan.runs if run.variant_label == "srt")
    again = read_rollouts(SweepStore(tmp_path / "runs", "micro").run(run.run_id).rollouts_path)
    assert again.equals(read_rollouts(micro_sweep.store.run(run.run_id).rollouts_path))


def test_a_model_that_does_not_exist_fails_that_run_only(
    micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    file = write_sweep(tmp_path, models=[MODEL, "./no-such-model"], variants=["srt"])
    shutil.copytree(micro_sweep.root / "_stages", tmp_path / "runs" / "_stages")
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 1
    assert "no-such-model' does not exist" in result.stderr + result.stdout
    plan = plan_sweep(load_sweep(file))
    store = SweepStore(tmp_path / "runs", "micro")
    states = {run.model_label: store.run(run.run_id).read_status().state for run in plan.runs}
    assert states == {"tiny": "done", "no-such-model": "failed"}

    status = srtbench("status", file, "--root", tmp_path / "runs")
    assert status.returncode == 1
    assert "failed" in status.stdout

    again = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert "started" not in again.stdout, "a failed run is left alone ..."
    retried = srtbench("sweep", file, "--root", tmp_path / "runs", "--retry-failed")
    assert "started" in retried.stdout, "... unless asked for"


@pytest.mark.parametrize(("option", "value"), [("scale_rewards", "sometimes"), ("epsilon", "hi")])
def test_a_value_that_trl_cannot_use_fails_the_run_with_the_reason(
    micro_sweep: FinishedSweep, tmp_path: Path, option: str, value: str
) -> None:
    train = CONTENT["train"] | {"trl": {option: value}}
    file = write_sweep(tmp_path, variants=["srt"], train=train)
    shutil.copytree(micro_sweep.root / "_stages", tmp_path / "runs" / "_stages")
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 1
    assert str(value) in result.stderr


def test_rloo_with_kl_and_small_batches_logs_the_same(tmp_path: Path) -> None:
    changes = {"algorithm": "rloo", "beta": 0.01, "steps": 2, "micro_batch_size": 8}
    train = CONTENT["train"] | changes
    file = write_sweep(tmp_path, variants=[{"type": "srt"}, "incorrect", "format"], train=train)
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    plan = plan_sweep(load_sweep(file))
    for run in plan.runs:
        folder = SweepStore(tmp_path / "runs", "micro").run(run.run_id)
        train_rows = read_rollouts(folder.rollouts_path, "train")
        assert len(train_rows) == 2 * 16
        assert train_rows["mean_logprob"].null_count == 0
        if run.variant_label == "incorrect":
            frame = pl.from_arrow(train_rows)
            assert isinstance(frame, pl.DataFrame)
            rewarded = frame.filter(pl.col("train_reward") == 1)
            assert rewarded["gold_reward"].sum() == 0, "a rewarded answer is a wrong one"
    # The KL is part of what RLOO compares, so its count of groups without a contrast is not ours.
    audit = srtbench("audit", tmp_path / "runs" / "micro")
    assert audit.returncode == 0, audit.stdout


def test_every_generation_is_logged_when_it_serves_several_steps(tmp_path: Path) -> None:
    train = CONTENT["train"] | {"steps": 7, "trl": {"num_iterations": 3}}
    file = write_sweep(tmp_path, variants=["srt"], train=train)
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = plan_sweep(load_sweep(file)).runs
    folder = SweepStore(tmp_path / "runs", "micro").run(run.run_id)
    steps = read_rollouts(folder.rollouts_path, "train")["step"].to_pylist()
    assert {step: steps.count(step) for step in set(steps)} == {1: 16, 4: 16, 7: 16}


def test_a_stage_that_another_sweep_computes_is_waited_for(
    micro_sweep: FinishedSweep, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    shutil.copytree(micro_sweep.root / "_stages", root / "_stages")
    run = next(run for run in micro_sweep.plan.runs if run.variant_label == "srt")
    stage = SweepStore(root, "micro").stage(run.own.needs.start)
    stage.update_status(state="running")

    command = [sys.executable, "-u", "-m", "srtbench.cli", "sweep", str(micro_sweep.file)]
    command += ["--root", str(root), "--only", "variant=srt"]
    lock = contextlib.ExitStack()
    lock.enter_context(stage.locked())
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sweep:
        assert sweep.stdout is not None
        with lock:
            said = any("in use by another process; waiting" in line for line in sweep.stdout)
            stage.update_status(state="done")
        sweep.stdout.read()
    assert said
    assert sweep.returncode == 0
