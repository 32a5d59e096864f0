"""Evaluation sets of a plan: their sampling, their shared stages, and how much work they are."""

import functools
from collections.abc import Iterator
from pathlib import Path

from srtbench.config.datasets import DatasetConfig, FileDataset
from srtbench.config.eval_sets import EvalSetEntry
from srtbench.config.train import EvalConfig, TrainConfig
from srtbench.plan.specs import EvalSetSpec, RunSpec, SetSampling, StageKind, StageSpec
from srtbench.plan.stages import stage_of
from srtbench.sections import with_absolute_paths


def eval_set_spec(
    entry: EvalSetEntry,
    own: DatasetConfig,
    folder: Path,
    train: TrainConfig,
    evaluation: EvalConfig,
) -> EvalSetSpec:
    """An `eval_sets:` entry for one run; what it leaves out is as in the run's own evaluation.

    Args:
        own: the run's dataset.
        folder: where relative paths start from.
    """
    return EvalSetSpec(
        label=entry.label,
        dataset=with_absolute_paths(entry.dataset(own.split), folder),
        prompts=entry.prompts,
        every=entry.every,
        sampling=SetSampling(
            samples=entry.samples or evaluation.samples,
            temperature=(
                evaluation.temperature if entry.temperature is None else entry.temperature
            ),
            max_completion_length=entry.max_completion_length or train.max_completion_length,
            batch_size=entry.batch_size or evaluation.batch_size,
            seed=evaluation.seed,
        ),
        on_overlap=entry.on_overlap,
        needs={},
    )


def eval_set_stages(
    one: EvalSetSpec, run: RunSpec, start: dict[StageKind, str]
) -> Iterator[StageSpec]:
    """The stages of a set: its prompts and, outside of later curriculum stages, its start.

    Args:
        start: the stage that makes the run's start model, if there is one.
    """
    prompts = stage_of("eval_set_prompts", {}, dataset=one.dataset, prompts=one.prompts or 0)
    yield prompts
    if run.starts_from is None:
        yield stage_of(
            "eval_set_start",
            start | {"eval_set_prompts": prompts.stage_id},
            model=run.model,
            dataset=one.dataset,
            prompts=one.prompts or 0,
            sampling=one.sampling,
            max_completion_length=one.sampling.max_completion_length,
        )


def set_rollouts(one: EvalSetSpec, run: RunSpec) -> int:
    """Rollouts of a run on a set; the start model's are a shared stage, if it has one."""
    evaluations = len(one.steps(run.train.steps)) - ("eval_set_start" in one.needs)
    return evaluations * prompt_count(one.dataset, one.prompts) * one.sampling.samples


def prompt_count(dataset: DatasetConfig, prompts: int | None) -> int:
    """Prompts of a set, or the rows of its file, which are no fewer; 0 if that is not known."""
    if prompts:
        return prompts
    return _rows(dataset.path) if isinstance(dataset, FileDataset) else 0


@functools.cache
def _rows(path: str) -> int:
    from srtbench.datasets.rows import count_rows

    return count_rows(Path(path))
