"""Curricula: runs in a row, planned, trained, killed, failed; the documentation's examples."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from srtbench import open_sweep
from srtbench.audit import audit_sweep
from srtbench.config import ConfigError, VotingConfig
from srtbench.models.load import load_policy
from srtbench.models.sampling import PromptFormat
from srtbench.plan import RunSpec, estimate
from srtbench.revote import revote_sweep
from srtbench.store import Folder, Status, SweepStore
from srtbench.train.artifacts import read_prompts
from srtbench.train.evaluate import Sampling, sample_groups
from srtbench.train.run import _prepare
from srtbench.train.start import (
    BestPolicies,
    StartError,
    evaluation_score,
    resume_step,
    start_model_path,
)
from tests.chains import (
    AGAIN,
    CLIMB,
    DATASET,
    MODEL,
    assert_same_rollouts,
    finished_parts,
    frame_of,
    plan_of,
    run_of,
    write_grid,
)
from tests.conftest import FinishedSweep
from tests.micro import CONTENT, srtbench, write_sweep

DOCUMENT = Path(__file__).parent.parent / "docs" / "curriculum.md"


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> FinishedSweep:
    return finished_parts(tmp_path_factory.getbasetemp())


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many threads as a worker has, so that sums round alike."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def copy_of(sweep: FinishedSweep, root: Path) -> SweepStore:
    shutil.copytree(sweep.root, root)
    return SweepStore(root, sweep.plan.name)


# Plans


def test_a_curriculum_is_a_chain_of_runs_at_its_levels(tmp_path: Path) -> None:
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB], seeds=[0, 1]))
    assert [(run.seed, run.dataset_label, run.variant.type) for run in plan.runs] == [
        (seed, f"spell_backward-{level}", variant)
        for seed in (0, 1)
        for level, variant in ((3, "gold"), (4, "srt"), (5, "srt"))
    ]
    first, second, third = plan.runs[:3]
    assert first.starts_from is None
    assert second.starts_from is not None
    assert third.starts_from is not None
    assert (second.starts_from.run_id, second.starts_from.rule) == (first.run_id, "last")
    assert (third.starts_from.run_id, third.starts_from.rule) == (second.run_id, "best_avg_at_k")
    assert [run.keep_best for run in (first, second, third)] == [(), ("best_avg_at_k",), ()]
    assert third.requires[-1] == second.run_id
    assert "base_eval" in first.needs
    assert "base_eval" not in second.needs, "its start is another run's policy"
    assert estimate(second).rollouts == 16 * 4 * 4 + 5 * 8 * 4, (
        "its own evaluation at step 0 counts"
    )


def test_curricula_that_begin_alike_share_those_runs(tmp_path: Path) -> None:
    """The first curriculum gives the name; what comes after starts from the shared run."""
    longer = CLIMB | {
        "name": "longer",
        "stages": [*CLIMB["stages"], {"level": 6, "variant": "srt"}],
    }
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, AGAIN, longer]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("5", "climb"),
        ("3", "again.2"),
        ("6", "longer"),
    ]
    again, longer_run = plan.runs[3:]
    assert again.starts_from is not None
    assert longer_run.starts_from is not None
    assert again.starts_from.run_id == plan.runs[0].run_id
    assert longer_run.starts_from.run_id == plan.runs[2].run_id


def test_every_curriculum_has_its_last_run_to_itself(tmp_path: Path) -> None:
    """However alike curricula, models or datasets are, none is missing in a table."""
    shorter = CLIMB | {"name": "shorter", "stages": CLIMB["stages"][:2]}
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB, CLIMB | {"name": "twin"}, shorter]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("5", "climb"),
        ("5", "twin"),
        ("4", "shorter"),
    ]
    models = [MODEL, MODEL | {"name": "other"}]
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB], models=models))
    assert [run.model_label for run in plan.runs] == ["tiny"] * 3 + ["other"] * 3


def test_a_shared_run_keeps_every_policy_that_is_asked_for(tmp_path: Path) -> None:
    rules = ["best_maj_at_k", "best_avg_at_k", "last"]
    variants = [
        AGAIN
        | {
            "name": f"c{number}",
            "stages": [AGAIN["stages"][0], AGAIN["stages"][1] | {"start_from": rule}],
        }
        for number, rule in enumerate(rules)
    ]
    plan = plan_of(write_grid(tmp_path, "c", variants))
    assert len(plan.runs) == 4
    assert plan.runs[0].keep_best == ("best_avg_at_k", "best_maj_at_k")
    without = plan_of(write_grid(tmp_path, "c", [variants[2]]))
    assert without.runs[0].run_id.rpartition("-")[2] == plan.runs[0].run_id.rpartition("-")[2], (
        "what is kept for others changes no result"
    )


def test_a_level_that_is_visited_twice_gets_a_label_of_its_own(tmp_path: Path) -> None:
    stages = [{"level": level, "variant": "srt"} for level in (3, 4, 3, 3)]
    plan = plan_of(write_grid(tmp_path, "c", [CLIMB | {"stages": stages}]))
    assert [(run.dataset_label[-1], run.variant_label) for run in plan.runs] == [
        ("3", "climb"),
        ("4", "climb"),
        ("3", "climb.2"),
        ("3", "climb.3"),
    ]


def test_overrides_go_from_dataset_to_curriculum_to_stage_to_its_variant(tmp_path: Path) -> None:
    stages = [
        {"level": 3, "variant": "srt"},
        {"level": 4, "variant": "srt", "train": {"steps": 7}, "eval": {"every": 7}},
        {
            "level": 5,
            "variant": {"type": "srt", "train": {"steps": 8, "trl": {"adam_beta2": 0.9}}},
            "train": {"steps": 7, "beta": 0.01},
        },
    ]
    curriculum = CLIMB | {"stages": stages, "train": {"steps": 6, "trl": {"adam_beta1": 0.8}}}
    dataset = DATASET | {"train": {"steps": 5, "learning_rate": 2e-3}}
    plan = plan_of(write_grid(tmp_path, "c", [curriculum], datasets=[dataset]))
    assert [run.train.steps for run in plan.runs] == [6, 7, 8]
    assert [run.train.beta for run in plan.runs] == [0.0, 0.0, 0.01]
    assert [run.eval.every for run in plan.runs] == [2, 7, 2]
    assert {run.train.learning_rate for run in plan.runs} == {2e-3}
    assert {run.train.trl["adam_beta1"] for run in plan.runs} == {0.8}
    assert plan.runs[2].train.trl["adam_beta2"] == 0.9


def test_a_policy_started_from_counts_in_the_run_id(tmp_path: Path) -> None:
    def last_id(**stage: Any) -> str:
        stages = [AGAIN["stages"][0], AGAIN["stages"][1] | stage]
        plan = plan_of(write_grid(tmp_path, "c", [AGAIN | {"stages": stages}]))
        return plan.runs[-1].run_id

    assert last_id() == last_id(start_from="last")
    assert last_id() != last_id(start_from="best_maj_at_k")


def test_a_run_of_a_curriculum_survives_json(tmp_path: Path) -> None:
    for run in plan_of(write_grid(tmp_path, "c", [CLIMB])).runs:
        assert RunSpec.model_validate_json(run.model_dump_json()) == run


def one_stage(**second: Any) -> dict[str, Any]:
    """A curriculum whose second stage is as given."""
    return AGAIN | {"stages": [AGAIN["stages"][0], {"level": 4, "variant": "srt"} | second]}


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        (one_stage(variant="fixed_teacher"), r"spell_backward-4/again: fixed_teacher labels by"),
        (
            one_stage(variant={"type": "all_of", "parts": ["format", "incorrect"]}),
            r"all_of labels by the frozen start model",
        ),
        (
            one_stage(train={"pool": {"keep": 0.5}}),
            r"spell_backward-4/again: train.pool.keep below 1 asks the start model",
        ),
        (
            AGAIN | {"stages": [AGAIN["stages"][0] | {"start_from": "last"}, AGAIN["stages"][1]]},
            r"variants\[0\]: stages\[0\].start_from: the first stage starts from the start model",
        ),
        (one_stage(variant=CLIMB), r"stages\[1\].variant: unknown type 'curriculum'; Allowed:"),
        (
            {"type": "all_of", "parts": ["srt", CLIMB]},
            r"variants\[0\].parts\[1\]: unknown type 'curriculum'",
        ),
        (
            one_stage(variant={"type": "srt", "name": "mine"}),
            r"variants\[0\]: stages\[1\].variant.name: the curriculum gives the name",
        ),
        (one_stage(start_from="best"), r"stages\[1\].start_from: 'best' is not allowed; Allowed:"),
        (
            one_stage(train={"stepz": 3}),
            r"line \d+, variants\[0\].stages\[1\].train.stepz: .* mean 'steps'",
        ),
        (
            one_stage(train={"trl": {"bf17": True}}),
            r"line \d+, variants\[0\].stages\[1\].train.trl.bf17: .* did you mean 'bf16'",
        ),
        (
            one_stage(variant={"type": "srt", "train": {"trl": {"seed": 3}}}),
            r"variants\[0\].stages\[1\].variant.train.trl.seed: .* set by srtbench",
        ),
        (
            one_stage(variant={"type": "python", "path": "mine.py:Mine"}),
            r"line \d+, variants\[0\].stages\[1\].variant.path: file 'mine.py' not found",
        ),
        (
            one_stage(
                variant={
                    "type": "all_of",
                    "parts": ["srt", {"type": "python", "path": "mine.py:Mine"}],
                }
            ),
            r"stages\[1\].variant.parts\[1\].path: file 'mine.py' not found",
        ),
        (
            AGAIN | {"stages": AGAIN["stages"][:1]},
            r"variants\[0\].stages: at least 2 entries are wanted, given: 1",
        ),
    ],
)
def test_a_curriculum_that_cannot_be_is_refused(
    tmp_path: Path, variant: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        plan_of(write_grid(tmp_path, "c", [variant]))


def test_a_wrong_stage_does_not_make_the_list_empty(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        plan_of(write_grid(tmp_path, "c", [one_stage(variant="glod")]))
    assert len(error.value.problems) == 1


def test_a_curriculum_needs_a_dataset_with_levels(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiny/swap/climb: a curriculum needs a reasoning_gym"):
        plan_of(write_sweep(tmp_path, variants=[CLIMB], train=CONTENT["train"]))


def test_a_label_that_a_second_visit_takes_is_refused(tmp_path: Path) -> None:
    mine = {"type": "srt", "name": "again.2"}
    with pytest.raises(ConfigError, match=r"again.2: two different runs have these labels"):
        plan_of(write_grid(tmp_path, "c", [AGAIN, mine]))


# Finished runs


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
    prompts = read_prompts(chains.store.stage(run.needs["eval_prompts"]).prompts_path)
    policy, tokenizer = load_policy(run.model, path)
    length = run.train.max_completion_length
    sampling = Sampling(run.eval.samples, run.eval.temperature, length, run.eval.batch_size)
    groups = sample_groups(
        policy, tokenizer, prompts, PromptFormat(chat=False), sampling, run.eval.seed * 100_003
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
    target, rows = revote_sweep(chains.store.path, VotingConfig(tie="abstain"), tmp_path / "revote")
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


# Which policy is best


def evaluation(groups: list[list[str | None]], golds: list[str]) -> pa.Table:
    rows = [
        (f"p{number}", key, float(key is not None and key == gold))
        for number, (keys, gold) in enumerate(zip(groups, golds, strict=True))
        for key in keys
    ]
    return pa.table(
        {
            "prompt_id": [row[0] for row in rows],
            "answer_key": pa.array([row[1] for row in rows], pa.string()),
            "gold_reward": pa.array([row[2] for row in rows], pa.float32()),
        }
    )


def majority_by_hand(keys: list[str | None], gold: str) -> float:
    counts = Counter(key for key in keys if key is not None)
    winners = [key for key in counts if counts[key] == max(counts.values())]
    return (gold in winners) / max(1, len(winners))


def test_scores_are_those_counted_by_hand() -> None:
    rng = np.random.default_rng(0)
    alphabet = np.array(["a", "b", "c", None], dtype=object)
    for _ in range(200):
        prompts, samples = rng.integers(1, 6), rng.integers(1, 7)
        groups = [list(rng.choice(alphabet, samples)) for _ in range(prompts)]
        golds = [str(rng.choice(["a", "b", "z"])) for _ in range(prompts)]
        table = evaluation(groups, golds)
        right = [key == gold for keys, gold in zip(groups, golds, strict=True) for key in keys]
        assert evaluation_score(table, "best_avg_at_k") == pytest.approx(np.mean(right))
        wanted = [majority_by_hand(keys, gold) for keys, gold in zip(groups, golds, strict=True)]
        assert evaluation_score(table, "best_maj_at_k") == pytest.approx(np.mean(wanted))


def test_a_tie_for_the_majority_is_split() -> None:
    table = evaluation([["a", "a", "b", "b"], ["a", "b", "c", None]], ["a", "c"])
    assert evaluation_score(table, "best_maj_at_k") == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert evaluation_score(evaluation([[None, None]], ["a"]), "best_maj_at_k") == 0


class Keeper:
    """Offers evaluations with given scores; a policy is a file that names its step."""

    def __init__(self, folder: Folder, rules: tuple[str, ...] = ("best_avg_at_k",)):
        self.folder = folder
        self.best = BestPolicies(folder, rules, self._save)
        self.step = 0

    def _save(self, path: Path) -> None:
        path.mkdir(parents=True)
        (path / "step").write_text(str(self.step))

    def offer(self, step: int, right: int, of: int = 4) -> None:
        self.step = step
        self.best.offer(step, evaluation([["a"] * right + ["b"] * (of - right)], ["a"]))

    def kept(self, rule: str = "best_avg_at_k") -> int:
        return int((self.folder.best_path(rule) / "policy" / "step").read_text())


def test_the_best_policy_is_kept_and_of_equals_the_first(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(30):
        rights = [int(right) for right in rng.integers(0, 5, size=8)]
        keeper = Keeper(Folder(tmp_path / str(number)))
        for step, right in enumerate(rights):
            keeper.offer(step, right)
            assert keeper.kept() == rights.index(max(rights[: step + 1]))
        note = keeper.folder.best_path("best_avg_at_k") / "best.json"
        assert json.loads(note.read_text()) == {
            "step": rights.index(max(rights)),
            "score": max(rights) / 4,
        }
        assert not list(keeper.folder.path.rglob("*.tmp"))


def test_a_resumed_run_goes_on_with_what_it_kept(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    before = Keeper(folder, ("best_avg_at_k", "best_maj_at_k"))
    for step, right in ((0, 1), (2, 3), (4, 2)):
        before.offer(step, right)
    shutil.rmtree(folder.best_path("best_avg_at_k") / "policy")  # killed while it was replaced
    after = Keeper(folder, ("best_avg_at_k", "best_maj_at_k"))
    after.offer(2, 3)  # the checkpoint was before it
    assert after.kept() == 2
    after.offer(4, 2)
    after.offer(6, 3)
    assert (after.kept(), after.kept("best_maj_at_k")) == (2, 2)
    after.offer(8, 4)
    assert after.kept() == 8
    assert after.kept("best_maj_at_k") == 2, "a majority of three is a majority of four"


def test_a_run_that_kept_nothing_for_a_rule_begins_anew(
    chains: FinishedSweep, tmp_path: Path
) -> None:
    """Interrupted before a curriculum asked for its best policy: that of step 0 is gone."""
    store = copy_of(chains, tmp_path / "runs")
    run = run_of(chains.plan, "climb", 3)
    folder = store.run(run.run_id)
    folder.write_status(Status(state="interrupted", checkpoint="checkpoint-4", checkpoint_step=4))
    assert resume_step(run, folder) == 4
    asked = run.model_copy(update={"keep_best": ("best_avg_at_k",)})
    assert resume_step(asked, folder) == 0
    _prepare(asked, store, folder, 0)
    assert folder.read_status().checkpoint is None
    assert not folder.checkpoint_path.exists()
    Keeper(folder).offer(0, 1)
    folder.update_status(checkpoint="checkpoint-2", checkpoint_step=2)
    assert resume_step(asked, folder) == 2


def test_a_policy_that_is_not_there_is_named(chains: FinishedSweep, tmp_path: Path) -> None:
    store = SweepStore(tmp_path, "both")
    run = run_of(chains.plan, "climb", 4)
    with pytest.raises(StartError, match=f"{tmp_path}.*climb.*: not there, and this run starts"):
        start_model_path(run, store)


# The documentation


def examples() -> dict[str, str]:
    """File name -> content of the YAML examples; each begins with a comment that names it."""
    blocks = re.findall(r"```yaml\n# (\S+\.yaml)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return dict(blocks)


@pytest.mark.parametrize("name", sorted(examples()))
def test_the_examples_of_the_documentation_are_planned(name: str, tmp_path: Path) -> None:
    for file, content in examples().items():
        (tmp_path / file).write_text(content)
    plan = plan_of(tmp_path / name)
    assert plan.runs
    if name == "climb.yaml":
        assert [run.variant_label for run in plan.runs].count("climb") == 3 * 2


def test_every_yaml_block_of_the_documentation_is_an_example() -> None:
    assert DOCUMENT.read_text().count("```yaml") == len(examples()) > 3
