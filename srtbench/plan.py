"""A sweep as runs and shared stages: pure, and instant (no torch, no model, no data read).

A run id is a readable slug and a hash of every value that can change the run's results. Values
that cannot (names, workers, log level) stay out of it. Stages are what several runs share; each
is named by the hash of what it is computed from, so it is computed once and found again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from srtbench.config.base import slug
from srtbench.config.datasets import DatasetConfig
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.config.sweep import SweepConfig
from srtbench.config.train import (
    EvalConfig,
    ExecutionConfig,
    TrainConfig,
)
from srtbench.config.variants import (
    VariantConfig,
    VotingConfig,
    extra_votes,
    resolve_variant,
    teacher_of,
    trains_on_eval_prompts,
)
from srtbench.identity import content_hash, result_content
from srtbench.merge import merge_sections

StageKind = Literal[
    "train_prompts", "eval_prompts", "warm_start", "converted_model", "teacher_labels", "base_eval"
]


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageSpec(_Spec):
    """Work that runs share, named by the hash of its inputs."""

    stage_id: str
    kind: StageKind
    needs: dict[StageKind, str]
    model: ModelConfig | None = None
    dataset: DatasetConfig | None = None
    prompts: int = 0
    eval: EvalConfig | None = None
    votes: int = 0
    temperature: float = 1.0
    voting: VotingConfig | None = None
    batch_size: int = 0
    max_completion_length: int = 0


class RunSpec(_Spec):
    """One training run: everything a worker needs to know."""

    run_id: str
    sweep: str
    model_label: str
    dataset_label: str
    variant_label: str
    seed: int
    model: ModelConfig
    dataset: DatasetConfig
    variant: VariantConfig
    train: TrainConfig
    eval: EvalConfig
    needs: dict[StageKind, str]

    @property
    def cell(self) -> str:
        """The run without its seed."""
        return f"{self.model_label}/{self.dataset_label}/{self.variant_label}"

    @property
    def trains_on_eval_prompts(self) -> bool:
        """Whether train and eval prompts are the same on purpose, as in test-time training."""
        return trains_on_eval_prompts(self.variant)

    @property
    def eval_steps(self) -> tuple[int, ...]:
        """Steps after which the policy is evaluated; 0 is the start model."""
        steps = list(range(0, self.train.steps + 1, self.eval.every))
        if steps[-1] != self.train.steps:
            steps.append(self.train.steps)
        return tuple(steps)


@dataclass(frozen=True)
class Estimate:
    """Upper bounds on the work of a plan."""

    rollouts: int
    completion_tokens: int

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(
            self.rollouts + other.rollouts, self.completion_tokens + other.completion_tokens
        )


@dataclass(frozen=True)
class Plan:
    """What a sweep will do."""

    name: str
    runs: tuple[RunSpec, ...]
    stages: tuple[StageSpec, ...]
    execution: ExecutionConfig

    def stage(self, stage_id: str) -> StageSpec:
        """The stage of that id."""
        return next(stage for stage in self.stages if stage.stage_id == stage_id)


def plan_sweep(config: SweepConfig) -> Plan:
    """Expand a sweep file into runs and shared stages.

    Raises:
        ConfigError: merged sections that do not fit together, each named by its cell.
    """
    problems: list[Problem] = []
    stages: dict[str, StageSpec] = {}
    runs: list[RunSpec] = []
    for model in config.models:
        for dataset in config.datasets:
            for variant in config.variants:
                seeds = [
                    seed
                    for seed in config.seeds
                    if not _excluded(config, model, dataset, variant, seed)
                ]
                if not seeds:
                    continue
                cell = f"{model.label}/{dataset.label}/{variant.label}"
                train, evaluation, found = merge_sections(config, model, dataset, variant)
                problems += [Problem(f"{cell}: {message}") for message in found]
                if found:
                    continue
                model_, dataset_ = _resolved(model, config), _resolved(dataset, config)
                variant_ = resolve_variant(variant, config.folder)
                needs = {}
                for stage in _stages(model_, dataset_, variant, train, evaluation):
                    stages[stage.stage_id] = stage
                    needs[stage.kind] = stage.stage_id
                if trains_on_eval_prompts(variant):
                    needs["train_prompts"] = needs["eval_prompts"]
                settings = (train, evaluation, needs)
                runs += [
                    _run(config.name, model_, dataset_, variant_, seed, *settings) for seed in seeds
                ]
    if problems:
        raise ConfigError(config.source, problems)
    if not runs:
        raise ConfigError(config.source, [Problem("every run is excluded")])
    used = {stage_id for run in runs for stage_id in run.needs.values()}
    kept = tuple(stage for stage in stages.values() if stage.stage_id in used)
    return Plan(config.name, tuple(runs), kept, config.execution)


def estimate(spec: RunSpec | StageSpec) -> Estimate:
    """Rollouts of a run or stage, and the tokens they have at most."""
    if isinstance(spec, RunSpec):
        evaluations = len(spec.eval_steps) - 1  # the start model's is a shared stage
        rollouts = spec.train.steps * spec.train.completions_per_step
        votes = extra_votes(spec.variant, spec.train.num_generations)
        rollouts += spec.train.steps * spec.train.prompts_per_step * votes
        rollouts += evaluations * spec.eval.prompts * spec.eval.samples
        return Estimate(rollouts, rollouts * spec.train.max_completion_length)
    rollouts = 0
    if spec.kind == "base_eval" and spec.eval is not None:
        rollouts = spec.eval.prompts * spec.eval.samples
    elif spec.kind == "teacher_labels":
        rollouts = spec.prompts * spec.votes
    return Estimate(rollouts, rollouts * spec.max_completion_length)


def _resolved(section: Any, config: SweepConfig) -> Any:
    """Make the paths in a section absolute."""
    changes = {
        key: str((config.folder / Path(value).expanduser()).resolve())
        for key in ("path", "eval_path")
        if isinstance(value := getattr(section, key, None), str)
    }
    return section.model_copy(update=changes)


def _excluded(config: SweepConfig, model: Any, dataset: Any, variant: Any, seed: int) -> bool:
    values = {
        "model": model.label,
        "dataset": dataset.label,
        "variant": variant.label,
        "seed": seed,
    }
    return any(
        all(
            getattr(rule, axis) is None or value in getattr(rule, axis)
            for axis, value in values.items()
        )
        for rule in config.exclude
    )


def _stages(
    model: ModelConfig,
    dataset: DatasetConfig,
    variant: VariantConfig,
    train: TrainConfig,
    evaluation: EvalConfig,
) -> Iterator[StageSpec]:
    pool = train.steps * train.prompts_per_step
    if dataset.train_prompts is not None:
        pool = min(pool, dataset.train_prompts)
    train_prompts = _stage("train_prompts", {}, dataset=dataset, prompts=pool)
    eval_prompts = _stage("eval_prompts", {}, dataset=dataset, prompts=evaluation.prompts)
    yield train_prompts
    yield eval_prompts
    length = train.max_completion_length
    start: dict[StageKind, str] = {}
    if isinstance(model, TinyModel):
        warm = _stage("warm_start", {}, model=model, dataset=dataset, max_completion_length=length)
        yield warm
        start["warm_start"] = warm.stage_id
    elif isinstance(model, LocalModel) and model.gguf_file:
        converted = _stage("converted_model", {}, model=model)
        yield converted
        start["converted_model"] = converted.stage_id
    yield _stage(
        "base_eval",
        start | {"eval_prompts": eval_prompts.stage_id},
        model=model,
        dataset=dataset,
        eval=evaluation.model_copy(update={"every": 1}),  # how often later is no matter here
        max_completion_length=length,
    )
    teacher = teacher_of(variant)
    if teacher is not None:
        on_eval = trains_on_eval_prompts(variant)
        prompts = eval_prompts if on_eval else train_prompts
        yield _stage(
            "teacher_labels",
            start | {"train_prompts": prompts.stage_id},
            model=model,
            dataset=dataset,
            prompts=evaluation.prompts if on_eval else pool,
            votes=teacher.votes or train.num_generations,
            temperature=teacher.temperature,
            voting=teacher.voting,
            batch_size=evaluation.batch_size,
            max_completion_length=length,
        )


def _stage(kind: StageKind, needs: dict[StageKind, str], **inputs: Any) -> StageSpec:
    spec = StageSpec(stage_id=kind, kind=kind, needs=needs, **inputs)
    digest = content_hash(result_content(spec.model_dump(mode="json", exclude={"stage_id"})))
    return spec.model_copy(update={"stage_id": f"{kind}-{digest}"})


def _run(
    sweep: str,
    model: ModelConfig,
    dataset: DatasetConfig,
    variant: VariantConfig,
    seed: int,
    train: TrainConfig,
    evaluation: EvalConfig,
    needs: dict[StageKind, str],
) -> RunSpec:
    labels = (model.label, dataset.label, variant.label)
    spec = RunSpec(
        run_id="",
        sweep=sweep,
        model_label=labels[0],
        dataset_label=labels[1],
        variant_label=labels[2],
        seed=seed,
        model=model,
        dataset=dataset,
        variant=variant,
        train=train,
        eval=evaluation,
        needs=needs,
    )
    content = spec.model_dump(mode="json", include={"model", "dataset", "variant", "seed"})
    content |= spec.model_dump(mode="json", include={"train", "eval"})
    digest = content_hash(result_content(content))
    readable = "-".join(slug(label)[:32] for label in labels)
    return spec.model_copy(update={"run_id": f"{readable}-s{seed}-{digest}"})
