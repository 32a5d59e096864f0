"""Sections of a cell: presets and overrides merged, and checked to fit together."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from srtbench.config.datasets import DatasetConfig, ReasoningGymDataset
from srtbench.config.merge_rounds import ROUNDS_KEYS, keep_problems, rounds_train
from srtbench.config.misfit import Misfit, misfit
from srtbench.config.models import ModelConfig, TinyModel
from srtbench.config.sweep import SweepConfig
from srtbench.config.tasks import majority_allowed
from srtbench.config.train import (
    EVAL_PRESETS,
    TRAIN_PRESETS,
    EvalConfig,
    EvalOverride,
    PresetName,
    TrainConfig,
    TrainOverride,
)
from srtbench.config.trl_options import trl_options
from srtbench.config.variants import CurriculumConfig, CurriculumStage, VariantConfig
from srtbench.sections import deep_merge
from srtbench.variants import Facts, RoundsVariant

_T = TypeVar("_T")
_S = TypeVar("_S", bound=BaseModel)

SMALLEST_16_BIT_RATE = 1e-5
"""AdamW's steps below this learning rate are mostly rounded away in 16-bit weights."""


def merge_sections(
    config: SweepConfig,
    model: ModelConfig,
    dataset: DatasetConfig,
    variant: VariantConfig,
    answers: Facts,
    once: "Sharing | None" = None,
) -> tuple[TrainConfig, EvalConfig, list[Misfit]]:
    """The `train` and `eval` sections of a cell, and what does not fit together in them.

    Preset < sweep < model < dataset < variant.

    Args:
        answers: what the variant says of itself.
        once: of a plan, where cells whose sections say the same are merged once.
    """
    once = once or _Anew()
    preset = _preset(model, dataset)
    of_dataset = once(_overrides, dataset, once)
    train, evaluation, found = once(
        _merged, config, model, of_dataset[0], of_dataset[1], variant, answers.selecting, preset
    )
    problems = [*found]
    problems += _many_answers(dataset, variant, answers)
    dtype = "float32" if isinstance(model, TinyModel) else model.dtype
    if (
        dtype != "float32"
        and train.learning_rate < SMALLEST_16_BIT_RATE
        and train.lora is None  # adapters are float32
    ):
        problems.append(
            misfit(
                f"dtype {dtype} with learning_rate {train.learning_rate:g}: 16-bit weights hardly "
                f"move below {SMALLEST_16_BIT_RATE:g}; use dtype: float32, mixed precision is "
                "trl.bf16",
                "model.dtype",
            )
        )
    problems += _divisions(train) if answers.selecting is None else ()
    if isinstance(model, TinyModel) and dataset.split.warm_start == 0:
        problems.append(
            misfit(
                "a tiny model needs warm-start prompts: set split.warm_start above 0",
                "dataset.split.warm_start",
                "dataset.split",
            )
        )
    problems += map(misfit, answers.problems(train.num_generations))
    problems += map(_of_refill, answers.refill_problems() if train.refill else ())
    problems += _small_pool(dataset, train, evaluation, on_eval=answers.trains_on_eval_prompts)
    problems += _stop_problems(model, train, evaluation)
    problems += keep_problems(train, evaluation)
    if answers.trains_on_eval_prompts and evaluation.prompts < train.prompts_per_step:
        problems.append(
            misfit(
                f"it trains on the {evaluation.prompts} evaluation prompts (eval.prompts), fewer "
                f"than prompts_per_step = {train.prompts_per_step}",
                "eval.prompts",
                "train.prompts_per_step",
            )
        )
    return train, evaluation, problems


class Sharing(Protocol):
    """Calls that many cells share, see `srtbench.plan.once`."""

    def __call__(self, make: Callable[..., _T], /, *inputs: Any) -> _T:
        """``make(*inputs)``, or what it returned for the same objects before."""

    def same(self, section: _S) -> _S:
        """The first section that was given here and says the same."""


class _Anew:
    """Shares nothing."""

    def __call__(self, make: Callable[..., _T], /, *inputs: Any) -> _T:
        return make(*inputs)

    def same(self, section: _S) -> _S:
        return section


def _overrides(dataset: DatasetConfig, once: Sharing) -> tuple[TrainOverride, EvalOverride]:
    """What a dataset overrides: one object for all datasets that override the same."""
    return once.same(dataset.train), once.same(dataset.eval)


def _merged(
    config: SweepConfig,
    model: ModelConfig,
    train_of_dataset: TrainOverride,
    eval_of_dataset: EvalOverride,
    variant: VariantConfig,
    selecting: type[RoundsVariant] | None,
    preset: PresetName,
) -> tuple[TrainConfig, EvalConfig, list[Misfit]]:
    """The two sections, and what does not fit within them.

    Args:
        preset: where none is named.
    """
    written = (config.train, model.train, train_of_dataset, variant.train)
    layers = [_written(section) for section in written]
    named = [layer.pop("preset") for layer in layers if "preset" in layer]
    preset = named[-1] if named else preset
    overrides = (config.eval, model.eval, eval_of_dataset, variant.eval)
    evaluation = EvalConfig(
        **deep_merge(
            EVAL_PRESETS[preset], *(one.model_dump(exclude_none=True) for one in overrides)
        )
    )
    if selecting is not None:
        train, problems = rounds_train(preset, layers, selecting)
        every = variant.eval.every or 1
        return train, evaluation.model_copy(update={"every": every}), problems
    train, problems = _online_train(preset, layers)
    return train, evaluation, problems


def _online_train(
    preset: PresetName, layers: Sequence[dict[str, Any]]
) -> tuple[TrainConfig, list[Misfit]]:
    """The section of a run of the method online, and what does not fit in it."""
    merged = deep_merge(_preset_for(preset, layers), *layers)
    updates = merged.pop("updates_per_rollout", None)
    for key in ROUNDS_KEYS:
        merged.pop(key, None)
    train = TrainConfig(**merged)
    if updates is not None:
        train = _with_updates(train, updates)
    problems = [
        misfit(
            f"train.{key} is of variants that train by rounds; this one trains online",
            f"train.{key}",
        )
        for key in ROUNDS_KEYS
        if key in layers[-1]
    ]
    problems += [
        misfit(
            f"train.trl.{key} is no option of TRL's {train.algorithm.upper()}Config",
            f"train.trl.{key}",
        )
        for layer in layers
        for key in layer.get("trl", {})
        if key not in trl_options(train.algorithm)
    ]
    return train, problems


_GROUPS = ("train.num_generations", "train.prompts_per_step")


def _of_refill(text: str) -> Misfit:
    return misfit(text, "variant.voting.min_share", "train.refill")


def _divisions(train: TrainConfig) -> Iterator[Misfit]:
    """Why the completions of a step do not divide as they must."""
    per_process, rest = divmod(train.completions_per_step, train.num_processes)
    if rest:
        yield misfit(
            f"prompts_per_step x num_generations = {train.completions_per_step} completions do "
            f"not divide by num_processes = {train.num_processes}",
            *("train.num_processes", *_GROUPS),
        )
    elif train.micro_batch_size and per_process % train.micro_batch_size:
        yield misfit(
            f"{per_process} completions per process and step do not divide by "
            f"micro_batch_size = {train.micro_batch_size}",
            *("train.micro_batch_size", *_GROUPS),
        )
    else:
        yield from _generation_shape(train, per_process)


def pool_size(dataset: DatasetConfig, train: TrainConfig) -> int:
    """Train prompts of a run, before the easiest are chosen."""
    sizes = [dataset.train_prompts, train.pool.prompts if train.pool else None]
    fresh = train.rounds is None or train.rounds.fresh_prompts
    most = train.prompts_per_step * draws(train) * (train.steps if fresh else 1)
    return min([most, *(size for size in sizes if size is not None)])


def draws(train: TrainConfig) -> int:
    """How often a rollout batch is drawn at most: once, and the further draws of `refill`."""
    return 1 + (train.refill.draws if train.refill else 0)


def stage_variant(curriculum: CurriculumConfig, stage: CurriculumStage) -> VariantConfig:
    """The variant of a curriculum's stage, with the overrides of both.

    Curriculum < stage < the stage's variant.
    """
    entries = (curriculum, stage, stage.variant)
    train = TrainOverride(**deep_merge(*(_written(entry.train) for entry in entries)))
    evaluation = EvalOverride(
        **deep_merge(*(entry.eval.model_dump(exclude_none=True) for entry in entries))
    )
    return stage.variant.model_copy(update={"train": train, "eval": evaluation})


def _written(section: TrainOverride) -> dict[str, Any]:
    """What a section says: nothing for a key left out; null only where null is a value."""
    values = section.model_dump(exclude_none=True)
    if "micro_batch_size" in section.model_fields_set:
        values["micro_batch_size"] = section.micro_batch_size
    if section.refill is not None:
        values["refill"] = section.refill.model_dump(exclude_unset=True)
    if section.pool is not None:
        values["pool"] = section.pool.model_dump(exclude_unset=True)
    values.pop("lora", None)
    if "lora" in section.model_fields_set:  # null: all weights after all
        given = section.lora
        values["lora"] = None if given is None else given.model_dump(exclude_unset=True)
    values.pop("stop", None)
    if "stop" in section.model_fields_set:
        values["stop"] = section.stop  # as a whole: two ways to stop do not merge
    return values


def _small_pool(
    dataset: DatasetConfig, train: TrainConfig, evaluation: EvalConfig, *, on_eval: bool
) -> Iterator[Misfit]:
    """Why `train.pool` cannot be had, as far as a plan can tell."""
    if train.pool is None:
        return
    if on_eval and train.pool.prompts is not None:
        yield misfit(
            "train.pool.prompts says nothing where a run trains on its evaluation prompts; use "
            "eval.prompts",
            "train.pool.prompts",
        )
        return
    size = evaluation.prompts if on_eval else pool_size(dataset, train)
    kept = train.pool.kept(size)
    if kept < train.prompts_per_step:
        counted, of = ("step", "steps") if train.rounds is None else ("round", "rounds")
        yield misfit(
            f"train.pool leaves {kept} of {size} prompts, fewer than prompts_per_{counted} = "
            f"{train.prompts_per_step}: raise train.pool.prompts or train.pool.keep, or train.{of}",
            *("train.pool.keep", "train.pool.prompts", "train.pool"),
        )


def _stop_problems(
    model: ModelConfig, train: TrainConfig, evaluation: EvalConfig
) -> Iterator[Misfit]:
    """Why `train.stop` could never stop a run, or lacks what it looks at."""
    if train.stop is None:
        return
    if evaluation.every * train.stop.patience >= train.steps:
        yield misfit(
            f"train.stop: with eval.every = {evaluation.every} and patience = "
            f"{train.stop.patience} nothing can stop before step {train.steps}, the last one; "
            "evaluate more often",
            *("train.stop.patience", "train.stop"),
        )
    labelled = train.stop.labelled_prompts or 0
    if labelled > evaluation.prompts:
        yield misfit(
            f"train.stop.labelled_prompts = {labelled}, but there are {evaluation.prompts} "
            "held-out prompts (eval.prompts)",
            "train.stop.labelled_prompts",
        )
    probed = isinstance(model, TinyModel) or train.lora is not None
    if train.stop.signal == "kl" and train.beta == 0 and not probed:
        yield misfit(
            "train.stop.signal: kl is measured with train.beta above 0; at 0 only for tiny models "
            "and train.lora",
            *("train.stop.signal", "train.stop"),
        )


def _with_updates(train: TrainConfig, updates: int) -> TrainConfig:
    """TRL's words for so many optimiser steps on each batch of rollouts."""
    per_process = train.completions_per_step // train.num_processes
    accumulation = max(1, per_process // (train.micro_batch_size or per_process))
    trl = train.trl | {"steps_per_generation": updates * accumulation}
    return train.model_copy(update={"trl": trl})


def _generation_shape(train: TrainConfig, per_process: int) -> list[Misfit]:
    """A generation must end with an optimiser step; rollouts of a step have one policy."""
    accumulation = per_process // (train.micro_batch_size or per_process)
    per_generation = train.trl.get("steps_per_generation") or accumulation
    if (per_generation * train.trl.get("num_iterations", 1)) % accumulation == 0:
        return []
    return [
        misfit(
            "trl.steps_per_generation x trl.num_iterations must be a multiple of "
            f"{accumulation}, the forward passes of an optimiser step (its completions per process "
            "/ micro_batch_size)",
            *("train.trl.steps_per_generation", "train.trl.num_iterations"),
        )
    ]


def _many_answers(dataset: DatasetConfig, variant: VariantConfig, answers: Facts) -> list[Misfit]:
    """Why a vote over the answers of a task makes no sense; nothing if it does, or is wanted."""
    if not isinstance(dataset, ReasoningGymDataset) or dataset.allow_many_answers:
        return []
    unique, reason = majority_allowed(dataset.task)
    if unique or not answers.votes_on_answers:
        return []
    return [
        misfit(
            f"{variant.label} votes over answers, but {dataset.task} has many right ones "
            f"({reason}); set allow_many_answers: true on the dataset to do it all the same",
            "dataset",
        )
    ]


def _preset_for(preset: PresetName, layers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A preset, less the TRL options that another algorithm does not have."""
    values = TRAIN_PRESETS[preset]
    algorithm = next(
        (layer["algorithm"] for layer in reversed(layers) if "algorithm" in layer), None
    )
    if algorithm in (None, values["algorithm"]):
        return values
    known = trl_options(algorithm)
    return values | {"trl": {key: v for key, v in values["trl"].items() if key in known}}


def _preset(model: ModelConfig, dataset: DatasetConfig) -> PresetName:
    if isinstance(model, TinyModel):
        return "tiny"
    return "srt_reasoning_gym" if dataset.type == "reasoning_gym" else "srt_math"
