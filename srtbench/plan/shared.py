"""The shared stages that a run needs: prompts, start model, its evaluation, its votes."""

from collections.abc import Callable
from typing import Any

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.merge import pool_size
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.config.train import EvalConfig, TrainConfig
from srtbench.plan.specs import Needs, Sampling
from srtbench.plan.stages import (
    TEACHER_SEED,
    ConvertedModel,
    EvalPrompts,
    PoolVotes,
    StageSpec,
    StartEval,
    TeacherLabels,
    TrainPrompts,
    WarmStart,
)
from srtbench.variants import Facts
from srtbench.votes import VotingPolicy

Keep = Callable[[StageSpec], str]
"""Takes a stage into the plan; returns its id."""


def start_model_stage(model: ModelConfig, dataset: DatasetConfig, length: int) -> StageSpec | None:
    """The stage that makes the start model; None if it is loaded as it is.

    Args:
        length: longest completion, in tokens.
    """
    if isinstance(model, TinyModel):
        # Levels that share a warm start share the stage: it must not depend on the level itself.
        if isinstance(dataset, ReasoningGymDataset) and dataset.warm_start_level is not None:
            dataset = dataset.model_copy(update={"level": dataset.warm_start_level})
        return WarmStart.planned(model=model, dataset=dataset, max_completion_length=length)
    if isinstance(model, LocalModel) and model.gguf_file:
        return ConvertedModel.planned(model=model)
    return None


def run_needs(
    keep: Keep,
    model: ModelConfig,
    dataset: DatasetConfig,
    answers: Facts,
    train: TrainConfig,
    evaluation: EvalConfig,
    *,
    start_model: str | None,
    is_later: bool,
) -> Needs:
    """The stages of a run.

    Args:
        answers: what the run's variant says of itself.
        start_model: the stage that made the start model of the first run of a curriculum.
        is_later: whether the run starts from another one's policy, so nothing of the start model's.
    """
    pool, length = pool_size(dataset, train), train.max_completion_length
    on_eval = answers.trains_on_eval_prompts
    drawn = None if on_eval else keep(TrainPrompts.planned(dataset=dataset, prompts=pool))
    eval_prompts = keep(EvalPrompts.planned(dataset=dataset, prompts=evaluation.prompts))
    train_prompts = drawn or eval_prompts
    if is_later:
        return Needs(
            train_prompts=train_prompts, eval_prompts=eval_prompts, start_model=start_model
        )
    if start_model is None and (stage := start_model_stage(model, dataset, length)):
        start_model = keep(stage)
    common: dict[str, Any] = {"model": model, "dataset": dataset, "model_stage": start_model}
    base_eval = keep(
        StartEval.planned(
            **common,
            prompts_stage=eval_prompts,
            prompts=evaluation.prompts,
            sampling=Sampling.of(evaluation, length),
        )
    )
    common |= {
        "prompts_stage": train_prompts,
        "prompts": evaluation.prompts if on_eval else pool,
    }

    def votes(count: int | None, temperature: float) -> Sampling:
        return Sampling(
            samples=count or train.num_generations,
            temperature=temperature,
            max_completion_length=length,
            batch_size=evaluation.batch_size,
            seed=TEACHER_SEED,
        )

    teacher_labels = pool_votes = None
    if (teacher := answers.teacher) is not None:
        sampling = votes(teacher.votes, teacher.temperature)
        teacher_labels = keep(
            TeacherLabels.planned(**common, sampling=sampling, voting=teacher.voting)
        )
    if train.pool is not None and train.pool.keep < 1:
        sampling = votes(train.pool.votes, train.temperature)
        pool_votes = keep(PoolVotes.planned(**common, sampling=sampling, voting=VotingPolicy()))
    return Needs(
        train_prompts=train_prompts,
        eval_prompts=eval_prompts,
        start_model=start_model,
        base_eval=base_eval,
        teacher_labels=teacher_labels,
        pool_votes=pool_votes,
    )
