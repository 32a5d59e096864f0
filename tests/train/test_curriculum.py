"""Curricula trained: runs in a row, killed, failed, repeated."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
import torch

from srtbench import open_sweep
from srtbench.engines.base import PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.load import load_policy
from srtbench.replay.audit import audit_sweep
from srtbench.replay.revote import revote_sweep
from srtbench.store import Status, SweepStore
from srtbench.train.evaluate import sample_groups
from srtbench.train.prompts import read_prompts
from srtbench.train.start import (
    start_model_path,
)
from srtbench.votes import VotingPolicy
from tests.chains import (
    AGAIN,
    CLIMB,
    assert_same_rollouts,
    copy_of,
    frame_of,
    plan_of,
    run_of,
    write_grid,
)
from tests.micro import FinishedSweep, srtbench


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as a worker has, so that sums round alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_chain_runs_in_order_and_is_told_as_one(chains: FinishedSweep) -> None:
    done = [line.split()[1].rstrip(":") for line in chains.output.splitlines() if "done" in line]
    climb = [run_of(chains.plan, "climb", level).run_id for level in (3, 4, 5)]
    assert [run_id for run_id in done if run_id in climb] == climb
    content = json.loads(chains.store.plan_path.read_text())
    wanted = {
        run.run_id: run.starts_from.run_id if run.starts_from else None for run in chains.plan.runs
    }
    assert {row["run_id"]: row["starts_from"] for row in content["runs"]} == wanted
    rows = (
        open_sweep(chains.store.path)
        .execute("SELECT run_id, starts_from, level, variant, part FROM runs")
        .fetchall()
    )
    assert {row[0]: row[1] for row in rows} == wanted
    told = {(row[2], row[3]): row[4] for row in rows}
    assert told == {
        (3, "climb"): "chain",
        (4, "climb"): "chain",
        (5, "climb"): "chain",
        (3, "again.2"): "chain",
        (3, "easy"): "pool",
        (3, "easy-gold"): "pool",
        (3, "fixed"): "pool",
    }


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(("label", "level"), [("climb", 4), ("climb", 5), ("again.2", 3)])
def test_a_stage_starts_where_the_one_before_ended(
    chains: FinishedSweep, label: str, level: int
) -> None:
    """Its evaluation at step 0 is what the kept policy writes."""
    run = run_of(chains.plan, label, level)
    assert run.starts_from is not None
    before = chains.store.run(run.starts_from.run_id)
    path = start_model_path(run, chains.store)
    last = before.checkpoint_path / f"checkpoint-{before.read_status().total_steps}"
    kept = before.path / "best" / run.starts_from.rule / "policy"
    assert path == (last if run.starts_from.rule == "last" else kept)
    prompts = read_prompts(chains.store.stage(run.own.needs.prompts).prompts_path)
    policy, tokenizer = load_policy(run.model, path)
    sampling = run.own.sampling
    engine = TransformersEngine(policy, tokenizer, run.own.sampling.batch_size)
    groups = sample_groups(
        engine,
        tokenizer,
        prompts,
        PromptFormat(chat=False),
        sampling,
        run.own.sampling.seed * 100_003,
    )
    logged = frame_of(chains.store.run(run.run_id), "eval").filter(pl.col("step") == 0)
    assert logged["prompt_id"].to_list() == [p.prompt_id for p in prompts for _ in range(4)]
    assert logged["completion"].to_list() == [one.text for group in groups for one in group]
    assert logged["completion"].n_unique() > 4


def test_the_kept_policy_is_that_of_the_best_evaluation(chains: FinishedSweep) -> None:
    run = run_of(chains.plan, "climb", 4)
    folder = chains.store.run(run.run_id)
    means = (
        frame_of(folder, "eval")
        .group_by("step")
        .agg(pl.col("gold_reward").cast(pl.Float64).mean())
        .sort("gold_reward", "step", descending=[True, False])
    )
    note = json.loads((folder.best_path("best_avg_at_k") / "best.json").read_text())
    assert note == {"step": means["step"][0], "score": pytest.approx(means["gold_reward"][0])}
    assert set(means["step"]) == {0, 4, 8, 12, 16}


def test_the_kl_of_a_stage_is_to_the_policy_that_it_starts_from(chains: FinishedSweep) -> None:
    run = run_of(chains.plan, "climb", 5)
    assert run.train.beta == 0.1
    rows = pl.read_parquet(chains.store.run(run.run_id).metrics_path)
    kl = rows.filter(pl.col("metric") == "kl").sort("step")["value"].to_list()
    assert kl[0] == pytest.approx(0, abs=1e-6)
    assert kl[-1] > 1e-6


def test_no_prompt_of_a_chain_is_trained_on_and_evaluated(chains: FinishedSweep) -> None:
    splits: dict[str, set[str]] = {"train": set(), "eval": set()}
    for level in (3, 4, 5):
        run = run_of(chains.plan, "climb", level)
        rows = pq.read_table(chains.store.run(run.run_id).prompts_path).to_pylist()
        assert {row["level"] for row in rows} == {level}
        assert {row["split"] for row in rows} == set(splits)
        for row in rows:
            splits[row["split"]].add(row["prompt"].casefold())
    assert not splits["train"] & splits["eval"]


def test_a_sweep_with_curricula_is_audited_and_voted_again(
    chains: FinishedSweep, tmp_path: Path
) -> None:
    report = audit_sweep(chains.store.path)
    assert report.breaches == []
    target, rows = revote_sweep(chains.store.path, VotingPolicy(tie="abstain"), tmp_path / "revote")
    assert {row.run_id for row in rows} == {run.run_id for run in chains.plan.runs}
    assert audit_sweep(target).breaches == []
    (started,) = (
        open_sweep(target)
        .execute("SELECT count(*) FROM runs WHERE starts_from IS NOT NULL")
        .fetchone()
    )  # type: ignore[misc]
    assert started == 3


BREAKABLE = """\
from pathlib import Path

import numpy as np

from srtbench.variants import Judgement, Variant


class Breakable(Variant):
    def judge(self, group, rng):
        if Path(__file__).with_name("broken").exists():
            raise RuntimeError("the reward is out of order")
        return Judgement(np.ones(len(group.answer_keys)))
"""

BROKEN = CLIMB | {
    "name": "broken",
    "stages": [
        {"level": 3, "variant": {"type": "python", "path": "mine.py:Breakable"}},
        {"level": 3, "variant": "srt"},
        {"level": 3, "variant": "srt"},
    ],
    "train": {"steps": 2},
}

# Asks for the best policy of a run that was done before anybody asked.
LATE = AGAIN | {
    "name": "late",
    "stages": [AGAIN["stages"][0], AGAIN["stages"][1] | {"start_from": "best_maj_at_k"}],
}


@dataclass(frozen=True)
class Troubled:
    """A copy of the finished sweep that was killed, repeated, and has curricula that fail."""

    file: Path
    store: SweepStore
    killed: Status
    result: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def troubled(chains: FinishedSweep, tmp_path_factory: pytest.TempPathFactory) -> Troubled:
    folder = tmp_path_factory.mktemp("troubled")
    (folder / "mine.py").write_text(BREAKABLE)
    (folder / "broken").touch()
    file = write_grid(folder, "both", [CLIMB, BROKEN, LATE])
    store = copy_of(chains, folder / "runs")
    for level in (4, 5):
        shutil.rmtree(store.run(run_of(chains.plan, "climb", level).run_id).path)
    second = store.run(run_of(chains.plan, "climb", 4).run_id)
    command = [sys.executable, "-m", "srtbench.cli", "sweep", str(file), "--root"]
    process = subprocess.Popen(
        [*command, str(store.root)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None:
        status = second.read_status()
        if status.state == "running" and status.checkpoint_step >= 4:
            os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.005)
    killed = second.read_status()
    result = srtbench("sweep", file, "--root", store.root)
    return Troubled(file, store, killed, result)


def test_a_curriculum_killed_in_its_second_stage_ends_as_if_it_was_not(
    chains: FinishedSweep, troubled: Troubled
) -> None:
    second, third = (run_of(chains.plan, "climb", level).run_id for level in (4, 5))
    assert troubled.killed.state == "running"
    assert 4 <= troubled.killed.checkpoint_step < 16
    step = troubled.killed.checkpoint_step
    assert f"{second}: started, from step {step}" in troubled.result.stdout
    for run_id in (second, third):
        assert troubled.store.run(run_id).read_status().state == "done"
        assert_same_rollouts(run_id, chains.store, troubled.store)
    notes = [
        json.loads((store.run(second).best_path("best_avg_at_k") / "best.json").read_text())
        for store in (chains.store, troubled.store)
    ]
    assert notes[0] == notes[1]


def test_a_failure_reaches_the_later_stages_and_names_the_first(troubled: Troubled) -> None:
    assert troubled.result.returncode == 1
    plan = plan_of(troubled.file)
    first, second, third = (run_of(plan, name) for name in ("broken", "broken.2", "broken.3"))
    for run, last in (
        (first, "RuntimeError: the reward is out of order"),
        (second, f"run {first.run_id}, which this one starts from, failed"),
        (third, f"run {second.run_id}, which this one starts from, failed"),
    ):
        status = troubled.store.run(run.run_id).read_status()
        assert status.state == "failed"
        assert "the reward is out of order" in (status.error or "")
        assert (status.error or "").splitlines()[-1] == last
    text = srtbench("status", troubled.store.path)
    assert text.returncode == 1
    assert f"run {first.run_id}, which this one starts from, failed" in text.stdout


def test_retry_failed_repeats_whole_chains(chains: FinishedSweep, troubled: Troubled) -> None:
    """Also the one that lacks a best policy, after what its message asks for."""
    plan = plan_of(troubled.file)
    first = run_of(plan, "climb", 3)
    assert first.keep_best == ("best_maj_at_k",)
    folder = troubled.store.run(first.run_id)
    error = troubled.store.run(run_of(plan, "late.2").run_id).read_status().error or ""
    assert f"{folder.best_path('best_maj_at_k') / 'policy'}: not there" in error
    assert f"delete the folder {folder.path} and repeat with --retry-failed" in error
    assert str(folder.path) in troubled.result.stderr

    shutil.rmtree(folder.path)
    (troubled.file.parent / "broken").unlink()
    result = srtbench("sweep", troubled.file, "--root", troubled.store.root, "--retry-failed")
    assert result.returncode == 0, result.stdout + result.stderr
    for run in plan.runs:
        assert troubled.store.run(run.run_id).read_status().state == "done"
    assert_same_rollouts(first.run_id, chains.store, troubled.store)
    assert audit_sweep(troubled.store.path).breaches == []
