"""Runs of a sweep that have begun: their specification, their rollouts, what they were given."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from srtbench.answers.grader import Grader
from srtbench.config.eval_sets import OWN
from srtbench.plan import EvalSetSpec, RunSpec
from srtbench.plan.stages import VotesStage
from srtbench.rollouts import read_rollouts
from srtbench.rollouts.judge import Columns, Judge, runs_of
from srtbench.store.configs import read_run_spec, read_stage_spec
from srtbench.store.files import StoreError
from srtbench.store.folders import Folder, SweepStore
from srtbench.store.labels import count_votes, labels_path, read_labels
from srtbench.store.plan_file import read_plan
from srtbench.store.prompts import read_prompt_table
from srtbench.variants import TeacherLabel, Variant, VariantContext, build_variant
from srtbench.votes import VotingPolicy

Prompts = dict[str, dict[str, Any]]
"""prompt_id -> row of prompts.parquet."""


@dataclass(frozen=True)
class LoggedSet:
    """An evaluation set of a run.

    Attributes:
        rows: rows of prompts.parquet, those of the set alone.
        rollouts: its evaluations, as `ROLLOUT_SCHEMA`.
    """

    spec: EvalSetSpec
    rows: Sequence[dict[str, Any]]
    rollouts: pa.Table

    @property
    def is_further(self) -> bool:
        """Whether it is not the held-out prompts of the run's dataset."""
        return self.spec.label != OWN

    @cached_property
    def prompts(self) -> Prompts:
        """Its prompts by their ids."""
        return {row["prompt_id"]: row for row in self.rows}

    @property
    def where(self) -> str:
        """What stands before a place in a message; nothing for own prompts."""
        return f"eval set {self.spec.label}: " if self.is_further else ""

    @property
    def grader(self) -> Grader:
        """How the set's answers are found and compared."""
        return Grader(self.spec.dataset.answer_style, self.spec.dataset.answer_kind)

    @cached_property
    def columns(self) -> Columns:
        """The evaluations as lists."""
        columns: Columns = self.rollouts.to_pydict()
        return columns


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
    def last_step(self) -> int:
        """The step with which it ends: the last one planned, or an earlier one by `train.stop`."""
        status, planned = self.folder.read_status(), self.spec.train.steps
        return planned if status.stopped is None else min(status.checkpoint_step, planned)

    @cached_property
    def prompt_rows(self) -> list[dict[str, Any]]:
        """Rows of prompts.parquet: prompts to train on, and those of every evaluation set."""
        rows: list[dict[str, Any]] = read_prompt_table(self.folder).to_pylist()
        return rows

    @property
    def own_rows(self) -> list[dict[str, Any]]:
        """Those of the run's own dataset, to train on and held out."""
        return [row for row in self.prompt_rows if row["eval_set"] in (None, OWN)]

    @cached_property
    def prompts(self) -> Prompts:
        """Prompts of the run's own dataset, to train on and held out."""
        return {row["prompt_id"]: row for row in self.own_rows}

    @cached_property
    def gold_keys(self) -> dict[str, str | None]:
        """prompt_id -> key of the hidden answer."""
        return {prompt_id: row["gold_key"] for prompt_id, row in self.prompts.items()}

    @property
    def learnt(self) -> frozenset[str]:
        """Ids of the prompts that it may train on."""
        split = "eval" if self.spec.trains_on_eval_prompts else "train"
        return frozenset(name for name, row in self.prompts.items() if row["split"] == split)

    def train_columns(self) -> Columns:
        """Rollouts that it trained on as lists, in the order in which they were written."""
        columns: Columns = read_rollouts(self.folder.rollouts_path, "train").to_pydict()
        return columns

    def further_columns(self) -> Columns:
        """Completions of its rounds that did not vote, as lists, in the order of writing."""
        columns: Columns = read_rollouts(self.folder.further_path, "train").to_pydict()
        return columns

    def dropped_columns(self) -> Columns:
        """Rollouts of groups that it sampled and did not train on; empty: it does not refill."""
        columns: Columns = read_rollouts(self.folder.dropped_path, "train").to_pydict()
        return columns

    def evaluations(self) -> dict[str, LoggedSet]:
        """Its evaluation sets by their labels, the own prompts first."""
        table = read_rollouts(self.folder.rollouts_path, "eval")
        return {
            one.label: LoggedSet(
                one,
                [row for row in self.prompt_rows if row["eval_set"] == one.label],
                table.filter(pc.equal(table["eval_set"], one.label)),
            )
            for one in self.spec.eval_sets
        }

    def unknown_sets(self) -> list[str]:
        """What evaluations are labelled with that is no evaluation set of the run."""
        found = read_rollouts(self.folder.rollouts_path, "eval", ["eval_set"])["eval_set"]
        known = {one.label for one in self.spec.eval_sets}
        return sorted({str(label) for label in found.unique().to_pylist()} - known)

    @cached_property
    def votes(self) -> dict[str, Columns]:
        """group_id -> columns of the completions that voted and were not trained on."""
        table = read_rollouts(self.folder.votes_path, "train").to_pydict()
        found: dict[str, Columns] = {}
        for start, stop in runs_of(table["group_id"]):
            found[table["group_id"][start]] = {k: v[start:stop] for k, v in table.items()}
        return found

    @cached_property
    def vote_keys(self) -> dict[str, list[str | None]]:
        """group_id -> answer keys of those."""
        return {group_id: columns["answer_key"] for group_id, columns in self.votes.items()}

    def judge(self, variant: Variant) -> Judge:
        """Judges rollouts of the run with the random numbers that it had in training."""
        return Judge(variant, self.spec.seed, self.gold_keys)

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
        stage = read_stage_spec(folder)
        if not isinstance(stage, VotesStage):
            raise StoreError(f"{folder.config_path}: spec: {stage.kind}, but votes are wanted")
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


@dataclass(frozen=True)
class LoggedSweep:
    """A sweep folder that was read.

    Attributes:
        path: the folder. plan: content of its plan.json.
        runs: runs of the plan that have begun and can be read.
        damaged: run id -> what is wrong with the file that says what the run is, in one line.
    """

    path: Path
    plan: dict[str, Any]
    runs: list[LoggedRun]
    damaged: dict[str, str]


def open_runs(sweep_path: Path) -> LoggedSweep:
    """The plan of a sweep folder, and those of its runs that have begun.

    Raises:
        FileNotFoundError: the folder holds no sweep. StoreError: its plan.json is damaged.
    """
    plan = read_plan(sweep_path)
    store = SweepStore.of(sweep_path, plan)
    revote = plan.get("revote")
    rule = VotingPolicy(**revote["voting"]) if revote else None
    found = LoggedSweep(sweep_path, plan, [], {})
    for row in plan["runs"]:
        folder = Folder(sweep_path / row["run_id"])
        if folder.config_path.is_file() and folder.prompts_path.is_file():
            try:
                spec = read_run_spec(folder)
                if revote and not row.get("eval_sets"):  # version 1 voted again on own prompts only
                    spec = spec.model_copy(update={"eval_sets": (spec.own,)})
                found.runs.append(LoggedRun(spec, folder, store, rule))
            except StoreError as error:
                found.damaged[row["run_id"]] = str(error)
    return found


def teacher_votes(
    stage: VotesStage, folder: Folder, policy: VotingPolicy
) -> dict[str, TeacherLabel]:
    """A stage's labels, voted again from its logged completions."""
    table = read_rollouts(folder.rollouts_path, "eval", ["prompt_id", "answer_key"]).to_pydict()
    return count_votes(table["prompt_id"], table["answer_key"], stage.sampling.samples, policy)
