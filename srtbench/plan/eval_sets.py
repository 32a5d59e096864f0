"""Evaluation sets of a plan: their sampling, their shared stages, and how much work they are."""

from pathlib import Path

from srtbench.config.eval_sets import EvalSetEntry
from srtbench.plan.shared import Keep
from srtbench.plan.specs import EvalSetSpec, RunSpec, Sampling, SetNeeds
from srtbench.plan.stages import EvalPrompts, StartEval, prompt_count
from srtbench.sections import with_absolute_paths


def eval_set_spec(entry: EvalSetEntry, run: RunSpec, folder: Path, keep: Keep) -> EvalSetSpec:
    """An `eval_sets:` entry for one run; what it leaves out is as in the run's own evaluation.

    Its stages are kept: its prompts and, outside of later curriculum stages, its start.

    Args:
        folder: where relative paths start from.
    """
    train, evaluation = run.train, run.eval
    one = EvalSetSpec(
        label=entry.label,
        dataset=with_absolute_paths(entry.dataset(run.dataset.split), folder),
        prompts=entry.prompts,
        every=entry.every,
        sampling=Sampling(
            samples=entry.samples or evaluation.samples,
            temperature=(
                evaluation.temperature if entry.temperature is None else entry.temperature
            ),
            max_completion_length=entry.max_completion_length or train.max_completion_length,
            batch_size=entry.batch_size or evaluation.batch_size,
            seed=evaluation.seed,
        ),
        on_overlap=entry.on_overlap,
        needs=SetNeeds(prompts=""),
    )
    prompts = keep(EvalPrompts.planned(dataset=one.dataset, prompts=one.prompts, whole=True))
    start = None
    if run.starts_from is None:
        start = keep(
            StartEval.planned(
                model=run.model,
                dataset=one.dataset,
                model_stage=run.needs.start_model,
                prompts_stage=prompts,
                prompts=one.prompts,
                sampling=one.sampling,
            )
        )
    return one.model_copy(update={"needs": SetNeeds(prompts=prompts, start=start)})


def set_rollouts(one: EvalSetSpec, run: RunSpec) -> int:
    """Rollouts of a run on a set; the start model's are a shared stage, if it has one."""
    evaluations = len(one.steps(run.train.steps)) - (one.needs.start is not None)
    return evaluations * prompt_count(one.dataset, one.prompts) * one.sampling.samples
