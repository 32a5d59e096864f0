"""The shared stages that a run needs to train: prompts, start model, its votes."""

from typing import Any, Protocol

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.generation import GenerationConfig
from srtbench.config.merge import pool_size
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.config.train import TrainConfig
from srtbench.plan.once import Once
from srtbench.plan.specs import EvalSetSpec, Needs, Sampling
from srtbench.plan.stages import (
    TEACHER_SEED,
    ConvertedModel,
    PoolVotes,
    StageSpec,
    TeacherLabels,
    TrainPrompts,
    WarmStart,
)
from srtbench.variants import Facts
from srtbench.votes import VotingPolicy


class Keep(Protocol):
    """What takes stages into a plan, see `srtbench.plan.build`."""

    @property
    def once(self) -> Once:
        """Work that many cells share."""

    def stage(self, kind: type[StageSpec], **inputs: Any) -> str:
        """Keep a stage of that kind; returns its id."""


def start_model_stage(
    keep: Keep, model: ModelConfig, dataset: DatasetConfig, length: int
) -> str | None:
    """The stage that makes the start model; None if it is loaded as it is.

    Args:
        length: longest completion, in tokens.
    """
    if isinstance(model, TinyModel):
        dataset = keep.once(_at_warm_level, dataset)
        return keep.stage(WarmStart, model=model, dataset=dataset, max_completion_length=length)
    if isinstance(model, LocalModel) and model.gguf_file:
        return keep.stage(ConvertedModel, model=model)
    return None


def _at_warm_level(dataset: DatasetConfig) -> DatasetConfig:
    """Levels that share a warm start share the stage: it must not depend on the level itself."""
    if isinstance(dataset, ReasoningGymDataset) and dataset.warm_start_level is not None:
        return dataset.model_copy(update={"level": dataset.warm_start_level})
    return dataset


def run_needs(
    keep: Keep,
    model: ModelConfig,
    dataset: DatasetConfig,
    answers: Facts,
    train: TrainConfig,
    own: EvalSetSpec,
    generation: GenerationConfig | None,
    *,
    start_model: str | None,
    is_later: bool,
) -> Needs:
    """The stages of a run.

    Args:
        answers: what the run's variant says of itself.
        own: the held-out prompts of its dataset.
        generation: the engine that samples; None: transformers.
        start_model: the stage that made the start model of the first run of a curriculum.
        is_later: whether the run starts from another one's policy, so nothing of the start model's.
    """
    pool, length = pool_size(dataset, train), train.max_completion_length
    on_eval = answers.trains_on_eval_prompts
    drawn = None if on_eval else keep.stage(TrainPrompts, dataset=dataset, prompts=pool)
    train_prompts = drawn or own.needs.prompts
    if is_later:
        return Needs(train_prompts=train_prompts, start_model=start_model)
    if start_model is None:
        start_model = start_model_stage(keep, model, dataset, length)
    common: dict[str, Any] = {
        "model": model,
        "dataset": dataset,
        "model_stage": start_model,
        "prompts_stage": train_prompts,
        "prompts": own.prompts if on_eval else pool,
        "generation": generation,
    }

    def votes(count: int | None, temperature: float) -> Sampling:
        return keep.once(
            Sampling,
            samples=count or train.num_generations,
            temperature=temperature,
            max_completion_length=length,
            batch_size=own.sampling.batch_size,
            seed=TEACHER_SEED,
        )

    teacher_labels = pool_votes = None
    if (teacher := answers.teacher) is not None:
        sampling = votes(teacher.votes, teacher.temperature)
        voting = teacher.voting
        teacher_labels = keep.stage(TeacherLabels, **common, sampling=sampling, voting=voting)
    if train.pool is not None and train.pool.keep < 1:
        sampling = votes(train.pool.votes, train.temperature)
        voting = keep.once(VotingPolicy)
        pool_votes = keep.stage(PoolVotes, **common, sampling=sampling, voting=voting)
    return Needs(
        train_prompts=train_prompts,
        start_model=start_model,
        teacher_labels=teacher_labels,
        pool_votes=pool_votes,
    )
