"""Runs of a sweep that have begun: their specification, their rollouts, what they were given."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from srtbench.answers.grader import Grader
from srtbench.plan import RunSpec
from srtbench.plan.stages import VotesStage
from srtbench.rollouts import PROMPT_SCHEMA, read_rollouts, read_table
from srtbench.rollouts.judge import Columns, Judge, runs_of
from srtbench.store.configs import read_run_spec, read_stage_spec
from srtbench.store.files import StoreError
from srtbench.store.folders import Folder, SweepStore
from srtbench.store.labels import count_votes, labels_path, read_labels
from srtbench.store.plan_file import read_plan
from srtbench.variants import TeacherLabel, Variant, VariantContext, build_variant
from srtbench.votes import VotingPolicy


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
        table = read_table(self.folder.prompts_path, PROMPT_SCHEMA)
        return {row["prompt_id"]: row for row in table.to_pylist()}

    @cached_property
    def gold_keys(self) -> dict[str, str | None]:
        """prompt_id -> key of the hidden answer."""
        return {prompt_id: row["gold_key"] for prompt_id, row in self.prompts.items()}

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
        changes: dict[str, Any] = {"dataset_label": one.label}
        changes |= {"dataset": one.dataset, "train": train, "eval": evaluation, "eval_sets": ()}
        yield one.label, LoggedRun(run.spec.model_copy(update=changes), folder, run.store)


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
    store = SweepStore(sweep_path / plan.get("root", ".."), sweep_path.name)
    revote = plan.get("revote")
    rule = VotingPolicy(**revote["voting"]) if revote else None
    found = LoggedSweep(sweep_path, plan, [], {})
    for row in plan["runs"]:
        folder = Folder(sweep_path / row["run_id"])
        if folder.config_path.is_file() and folder.prompts_path.is_file():
            try:
                found.runs.append(LoggedRun(read_run_spec(folder), folder, store, rule))
            except StoreError as error:
                found.damaged[row["run_id"]] = str(error)
    return found


def teacher_votes(
    stage: VotesStage, folder: Folder, policy: VotingPolicy
) -> dict[str, TeacherLabel]:
    """A stage's labels, voted again from its logged completions."""
    table = read_rollouts(folder.rollouts_path, "eval", ["prompt_id", "answer_key"]).to_pydict()
    return count_votes(table["prompt_id"], table["answer_key"], stage.sampling.samples, policy)
