"""Rewards derived again from what a run logged: groups, votes, rewards, advantages.

What a variant needs is in the Parquet files and in config.json, so this loads no model. It is what
`srtbench audit` checks a run with and what `srtbench revote` judges a run anew with.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from srtbench.answers.grader import Grader
from srtbench.config.variants import PythonConfig, flat_parts
from srtbench.plan import RunSpec
from srtbench.plan.identity import RUN_CONTENT, content_hash, result_content
from srtbench.plan.stages import VotesStage, read_stage
from srtbench.rollouts import read_rollouts
from srtbench.store import Folder, StoreError, SweepStore, read_json, read_plan
from srtbench.store.labels import count_votes, labels_path, read_labels
from srtbench.store.upgrade import upgrade_run, upgrade_stage
from srtbench.variants import (
    TOKEN_STATISTICS,
    Group,
    Judgement,
    TeacherLabel,
    Variant,
    VariantContext,
    build_variant,
    group_rng,
)
from srtbench.variants.external import source_sha256
from srtbench.votes import Vote, VotingPolicy, vote

FloatArray = npt.NDArray[np.float64]
Columns = dict[str, list[Any]]

EVAL_TIE_SEED = 104_729
"""Seed of the ties of evaluations that are voted again at random."""


@dataclass(frozen=True)
class LoggedRun:
    """A run that has begun: its specification and its files.

    Attributes:
        revoted: the rule under which a revote has judged the run anew; None: as it was trained.
    """

    spec: RunSpec
    folder: Folder
    store: SweepStore
    revoted: VotingPolicy | None = None

    @property
    def grader(self) -> Grader:
        """How the run's answers are found and compared."""
        return Grader(self.spec.dataset.answer_style, self.spec.dataset.answer_kind)

    @cached_property
    def prompts(self) -> dict[str, dict[str, Any]]:
        """prompt_id -> row of prompts.parquet."""
        return {
            row["prompt_id"]: row for row in pq.read_table(self.folder.prompts_path).to_pylist()
        }

    def columns(self, phase: Literal["train", "eval"]) -> Columns:
        """Logged rollouts as lists, in the order in which they were written."""
        columns: Columns = read_rollouts(self.folder.rollouts_path, phase).to_pydict()
        return columns

    @cached_property
    def votes(self) -> dict[str, Columns]:
        """group_id -> columns of the completions that voted and were not trained on."""
        table = read_rollouts(self.folder.votes_path, "train").to_pydict()
        found: dict[str, Columns] = {}
        for start, stop in runs_of(table["group_id"]):
            found[table["group_id"][start]] = {k: v[start:stop] for k, v in table.items()}
        return found

    def teacher_stage(self) -> tuple[VotesStage, Folder] | None:
        """The stage that made the run's teacher labels, if it needed one."""
        stage_id = self.spec.needs.teacher_labels
        return None if stage_id is None else self.votes_stage(stage_id)

    def votes_stage(self, stage_id: str) -> tuple[VotesStage, Folder]:
        """A shared stage that voted, and its folder.

        Raises:
            StoreError: the folder is another stage's.
        """
        folder = self.store.stage(stage_id)
        stage = read_stage(upgrade_stage(read_json(folder.config_path)["spec"]))
        if not isinstance(stage, VotesStage):
            raise StoreError(f"{folder.config_path}: {stage.kind}, but votes are wanted")
        return stage, folder

    def teacher_labels(self, rule: VotingPolicy | None = None) -> dict[str, TeacherLabel]:
        """The labels that the run was rewarded with, or the teacher's votes under another rule."""
        stage = self.teacher_stage()
        if stage is None:
            return {}
        if rule is not None:
            return teacher_votes(*stage, rule)
        return read_labels(labels_path(stage[1]))

    def variant(self, config: Any = None, rule: VotingPolicy | None = None) -> Variant:
        """The run's variant; or another entry, with the teacher's votes under another rule."""
        labels = self.teacher_labels(rule or self.revoted)
        return build_variant(config or self.spec.variant, VariantContext(labels))


def eval_sets(run: LoggedRun) -> Iterator[tuple[str, LoggedRun]]:
    """The evaluation sets of a run: each as a run of these prompts and evaluations alone."""
    for one in run.spec.eval_sets:
        folder, sampling = run.folder.eval_set(one.label), one.sampling
        train = run.spec.train.model_copy(
            update={"max_completion_length": sampling.max_completion_length}
        )
        evaluation = run.spec.eval.model_copy(
            update={"every": one.every or train.steps, "samples": sampling.samples}
        )
        changes = {"dataset": one.dataset, "train": train, "eval": evaluation, "eval_sets": ()}
        yield one.label, LoggedRun(run.spec.model_copy(update=changes), folder, run.store)


def open_runs(sweep_path: Path) -> tuple[dict[str, Any], list[LoggedRun]]:
    """The plan of a sweep folder, and those of its runs that have begun.

    Raises:
        FileNotFoundError: the folder holds no sweep.
    """
    plan = read_plan(sweep_path)
    store = SweepStore(sweep_path / plan.get("root", ".."), sweep_path.name)
    revote = plan.get("revote")
    rule = VotingPolicy(**revote["voting"]) if revote else None
    runs = []
    for row in plan["runs"]:
        folder = Folder(sweep_path / row["run_id"])
        if folder.config_path.is_file() and folder.prompts_path.is_file():
            content = json.loads(folder.config_path.read_text(encoding="utf-8"))
            runs.append(
                LoggedRun(RunSpec.model_validate(upgrade_run(content["spec"])), folder, store, rule)
            )
    return plan, runs


SOURCE_CHANGED = (
    "the file of the variant (or of the dataset or model) has changed since the run: their "
    "content no longer gives the run id"
)
SOURCE_UNKNOWN = (
    "the dataset's or model's file is not here, so whether the variant's file is still what the "
    "run used cannot be told"
)


def source_state(run: LoggedRun) -> Literal["same", "changed", "unknown"]:
    """Whether the Python file of the run's variant is what the run used; the run id tells.

    ``same`` for a variant without such a file.

    Raises:
        VariantError: there is no such file any more.
    """
    if not any(isinstance(part, PythonConfig) for part in flat_parts(run.spec.variant)):
        return "same"
    content = json.loads(run.folder.config_path.read_text(encoding="utf-8"))
    dump = {name: content["spec"].get(name) for name in RUN_CONTENT}
    dump["variant"] = content.get(TRAINED_VARIANT, dump["variant"])
    hashed = result_content(dump)
    hashed["variant"] = _with_sources(hashed["variant"], dump["variant"])
    if content_hash(hashed) == run.spec.run_id.rpartition("-")[2]:
        return "same"
    sections = [dump["model"], dump["dataset"]]
    sections += [one["dataset"] for one in dump.get("eval_sets") or []]
    files = [section.get(key) for section in sections for key in ("path", "eval_path")]
    return "changed" if all(Path(file).exists() for file in files if file) else "unknown"


TRAINED_VARIANT = "trained_variant"
"""Key of a revoted run's config.json: the entry that it was trained with."""


def _with_sources(hashed: dict[str, Any], section: dict[str, Any]) -> dict[str, Any]:
    """Python files by their content of this moment: what was hashed before may be remembered."""
    if section["type"] == "python":
        file, _, name = section["path"].rpartition(":")
        return hashed | {"path": f"{source_sha256(Path(file))}:{name}"}
    if section.get("parts"):
        pairs = zip(hashed["parts"], section["parts"], strict=True)
        return hashed | {"parts": [_with_sources(*pair) for pair in pairs]}
    return hashed


def runs_of(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """(start, stop) of each stretch of equal values."""
    start = 0
    for stop in range(1, len(values) + 1):
        if stop == len(values) or values[stop] != values[start]:
            yield start, stop
            start = stop


def make_group(
    columns: Columns, part: slice, variant: Variant, gold: str | None, votes: Columns | None
) -> Group:
    """The group in the rows ``part``, as the variant saw it; token ids are not logged."""
    statistics = {}
    if variant.needs_token_statistics:
        statistics = {
            name: np.array(columns[name][part], dtype=np.float64) for name in TOKEN_STATISTICS
        }
    keys = tuple(columns["answer_key"][part])
    return Group(
        prompt_id=columns["prompt_id"][part.start],
        group_id=columns["group_id"][part.start],
        completions=tuple(columns["completion"][part]),
        completion_ids=((),) * len(keys),
        answers=tuple(columns["answer"][part]),
        answer_keys=keys,
        gold_key=gold if variant.uses_gold else None,
        vote_keys=tuple(votes["answer_key"]) if votes else (),
        token_statistics=statistics,
    )


def eval_vote(
    keys: Sequence[str | None], rule: VotingPolicy | None, step: int, position: int
) -> Vote:
    """The majority of the ``position``-th group of an evaluation; None: by the default rule."""
    return vote(keys, rule, np.random.default_rng([EVAL_TIE_SEED, step, position]))


def judge_again(variant: Variant, group: Group, seed: int, step: int, position: int) -> Judgement:
    """The judgement of a group, with the random numbers that it had in training.

    The vote share is filled in where the variant did not vote, as in the log.
    """
    judgement = variant.judge(group, group_rng(seed, step, position))
    if judgement.vote_share is not None:
        return judgement
    share = vote(group.answer_keys).share
    return Judgement(judgement.train_reward, judgement.pseudo_label, share)


def advantages(rewards: FloatArray, spec: RunSpec) -> FloatArray | None:
    """Advantages that TRL 1.16 gives to the rewards of one generation; None if not derivable.

    They are not where something unlogged enters: RLOO's KL penalty (beta > 0), or options that
    change the rewards first.

    Args:
        rewards: (groups, samples).

    Returns:
        (groups, samples).
    """
    options = spec.train.trl
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    samples = rewards.shape[1]
    if spec.train.algorithm == "rloo":
        if (
            spec.train.beta
            or options.get("normalize_advantages")
            or options.get("reward_clip_range")
        ):
            return None
        return np.asarray(centred * samples / (samples - 1))
    if options.get("multi_objective_aggregation", "sum_then_normalize") != "sum_then_normalize":
        return None
    scale = options.get("scale_rewards", "group")
    scale = {True: "group", False: "none"}.get(scale, scale)
    if scale == "none":
        return np.asarray(centred)
    spread = rewards.std(ddof=1) if scale == "batch" else rewards.std(axis=1, ddof=1, keepdims=True)
    return np.asarray(centred / (spread + 1e-4))


def advantage_tolerance(rewards: FloatArray, spec: RunSpec) -> FloatArray:
    """How far rounding may take an advantage, (groups, samples).

    TRL computes in float32; where rewards are scaled, a group of equal rewards divides its rounding
    error by 1e-4, so that 5.9 leaves advantages of up to about 0.01.
    """
    error = 4 * np.finfo(np.float32).eps * (1 + np.abs(rewards).max(axis=1, keepdims=True))
    if spec.train.algorithm == "grpo" and spec.train.trl.get("scale_rewards", True) not in (
        "none",
        False,
    ):
        error = error / (rewards.std(axis=1, ddof=1, keepdims=True) + 1e-4)
    return np.asarray(np.broadcast_to(error + 1e-5, rewards.shape))


def teacher_votes(
    stage: VotesStage, folder: Folder, policy: VotingPolicy
) -> dict[str, TeacherLabel]:
    """A stage's labels, voted again from its logged completions."""
    table = read_rollouts(folder.rollouts_path, "eval", ["prompt_id", "answer_key"]).to_pydict()
    return count_votes(table["prompt_id"], table["answer_key"], stage.sampling.samples, policy)
