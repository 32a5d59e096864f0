"""Evaluation sets of a plan: their sampling, their shared stages, and how much work they are."""

from pathlib import Path

from srtbench.config.datasets import DatasetConfig, SplitShares
from srtbench.config.eval_sets import OWN, EvalSetEntry
from srtbench.config.generation import GenerationConfig
from srtbench.config.models import ModelConfig
from srtbench.config.train import EvalConfig
from srtbench.plan.shared import Keep
from srtbench.plan.specs import EvalSetSpec, RunSpec, Sampling, SetNeeds
from srtbench.plan.stages import EvalPrompts, StartEval, prompt_count
from srtbench.sections import with_absolute_paths


def own_set(dataset: DatasetConfig, evaluation: EvalConfig, length: int, keep: Keep) -> EvalSetSpec:
    """The held-out prompts of a run's dataset, as its `eval:` section says.

    Args:
        length: longest completion, in tokens.
    """
    return EvalSetSpec(
        label=OWN,
        dataset=dataset,
        prompts=evaluation.prompts,
        every=evaluation.every,
        sampling=Sampling.of(evaluation, length),
        on_overlap="error",
        needs=SetNeeds(
            prompts=keep.stage(EvalPrompts, dataset=dataset, prompts=evaluation.prompts)
        ),
    )


def further_set(
    entry: EvalSetEntry, own: EvalSetSpec, shares: SplitShares, folder: Path, keep: Keep
) -> EvalSetSpec:
    """An `eval_sets:` entry for one run; what it leaves out is as in the run's own evaluation.

    Args:
        shares: how the run's own dataset is divided.
        folder: where relative paths start from.
    """
    given = {name: getattr(entry, name) for name in Sampling.model_fields if name != "seed"}
    dataset = keep.once(_set_dataset, entry, shares, folder)
    return EvalSetSpec(
        label=entry.label,
        dataset=dataset,
        prompts=entry.prompts,
        every=entry.every,
        sampling=own.sampling.model_copy(
            update={name: value for name, value in given.items() if value is not None}
        ),
        on_overlap=entry.on_overlap,
        needs=SetNeeds(
            prompts=keep.stage(EvalPrompts, dataset=dataset, prompts=entry.prompts, whole=True)
        ),
    )


def _set_dataset(entry: EvalSetEntry, shares: SplitShares, folder: Path) -> DatasetConfig:
    return with_absolute_paths(entry.dataset(shares), folder)


def with_start(
    one: EvalSetSpec,
    model: ModelConfig,
    start_model: str | None,
    generation: GenerationConfig | None,
    keep: Keep,
) -> EvalSetSpec:
    """The set with the stage that evaluates the start model on it."""
    stage = keep.stage(
        StartEval,
        model=model,
        dataset=one.dataset,
        model_stage=start_model,
        prompts_stage=one.needs.prompts,
        prompts=one.prompts,
        sampling=one.sampling,
        generation=generation,
    )
    needs = one.needs.model_copy(update={"start": stage})
    return one.model_copy(update={"needs": needs})


def evaluations(one: EvalSetSpec, run: RunSpec) -> int:
    """How often a run samples on a set; its start is a shared stage, if it has one.

    With `train.fit.keep` own prompts are sampled after each epoch of each fit, and the evaluation
    of the epoch that is kept is that of its round.
    """
    start = one.needs.start is None
    if run.keep is not None and run.train.rounds is not None and one.label == OWN:
        return run.train.steps * run.train.rounds.fit.epochs + start
    return len(one.steps(run.train.steps)) - 1 + start


def set_rollouts(one: EvalSetSpec, run: RunSpec) -> int:
    """Rollouts of a run on a set."""
    return evaluations(one, run) * prompt_count(one.dataset, one.prompts) * one.sampling.samples
