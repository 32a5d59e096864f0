"""The shared stages that a run needs: prompts, start model, its evaluation, its votes."""

from collections.abc import Iterator
from typing import Any

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.merge import pool_size
from srtbench.config.models import LocalModel, ModelConfig, TinyModel
from srtbench.config.train import EvalConfig, TrainConfig
from srtbench.plan.identity import content_id
from srtbench.plan.specs import StageKind, StageSpec
from srtbench.variants import Facts
from srtbench.votes import VotingPolicy


def start_stages(model: ModelConfig, dataset: DatasetConfig, length: int) -> Iterator[StageSpec]:
    """The stage that makes the start model; none if it is loaded as it is.

    Args:
        length: longest completion, in tokens.
    """
    if isinstance(model, TinyModel):
        # Levels that share a warm start share the stage: it must not depend on the level itself.
        if isinstance(dataset, ReasoningGymDataset) and dataset.warm_start_level is not None:
            dataset = dataset.model_copy(update={"level": dataset.warm_start_level})
        yield stage_of("warm_start", {}, model=model, dataset=dataset, max_completion_length=length)
    elif isinstance(model, LocalModel) and model.gguf_file:
        yield stage_of("converted_model", {}, model=model)


def prompt_stages(
    dataset: DatasetConfig, train: TrainConfig, evaluation: EvalConfig
) -> Iterator[StageSpec]:
    """The stages that draw train and eval prompts."""
    yield stage_of("train_prompts", {}, dataset=dataset, prompts=pool_size(dataset, train))
    yield stage_of("eval_prompts", {}, dataset=dataset, prompts=evaluation.prompts)


def start_model_stages(
    model: ModelConfig,
    dataset: DatasetConfig,
    answers: Facts,
    train: TrainConfig,
    evaluation: EvalConfig,
    needs: dict[StageKind, str],
) -> Iterator[StageSpec]:
    """The stages that sample from the start model: its evaluation, teacher labels, pool votes.

    Args:
        answers: what the run's variant says of itself.
        needs: ids of the stages that draw the prompts and make the start model.
    """
    length = train.max_completion_length
    kinds: tuple[StageKind, ...] = ("warm_start", "converted_model")
    start: dict[StageKind, str] = {kind: needs[kind] for kind in kinds if kind in needs}
    yield stage_of(
        "base_eval",
        start | {"eval_prompts": needs["eval_prompts"]},
        model=model,
        dataset=dataset,
        eval=evaluation.model_copy(update={"every": 1}),  # how often later is no matter here
        max_completion_length=length,
    )
    on_eval = answers.trains_on_eval_prompts
    prompts = needs["eval_prompts"] if on_eval else needs["train_prompts"]
    common: dict[str, Any] = {
        "model": model,
        "dataset": dataset,
        "prompts": evaluation.prompts if on_eval else pool_size(dataset, train),
        "batch_size": evaluation.batch_size,
        "max_completion_length": length,
    }
    sampled = start | {"train_prompts": prompts}
    teacher = answers.teacher
    if teacher is not None:
        yield stage_of(
            "teacher_labels",
            sampled,
            votes=teacher.votes or train.num_generations,
            temperature=teacher.temperature,
            voting=teacher.voting,
            **common,
        )
    if train.pool is not None and train.pool.keep < 1:
        yield stage_of(
            "pool_votes",
            sampled,
            votes=train.pool.votes or train.num_generations,
            temperature=train.temperature,
            voting=VotingPolicy(),
            **common,
        )


def stage_of(kind: StageKind, needs: dict[StageKind, str], **inputs: Any) -> StageSpec:
    """A stage with the id that its inputs give."""
    spec = StageSpec(stage_id=kind, kind=kind, needs=needs, **inputs)
    return spec.model_copy(update={"stage_id": f"{kind}-{content_id(spec)}"})
