"""How much a run or a shared stage has to sample."""

from srtbench.plan.eval_sets import prompt_count, set_rollouts
from srtbench.plan.specs import Estimate, RunSpec, StageSpec
from srtbench.variants import facts


def estimate(spec: RunSpec | StageSpec) -> Estimate:
    """Rollouts of a run or stage, and the tokens they have at most."""
    if isinstance(spec, RunSpec):
        # The start model's evaluation is a shared stage, unless it is another run's policy.
        evaluations = len(spec.eval_steps) - (spec.starts_from is None)
        rollouts = spec.train.steps * spec.train.completions_per_step
        votes = facts(spec.variant).extra_votes(spec.train.num_generations)
        rollouts += spec.train.steps * spec.train.prompts_per_step * votes
        rollouts += evaluations * spec.eval.prompts * spec.eval.samples
        found = Estimate(rollouts, rollouts * spec.train.max_completion_length)
        for one in spec.eval_sets:
            further = set_rollouts(one, spec)
            found += Estimate(further, further * one.sampling.max_completion_length)
        return found
    rollouts = 0
    if spec.kind == "base_eval" and spec.eval is not None:
        rollouts = spec.eval.prompts * spec.eval.samples
    elif spec.sampling is not None and spec.dataset is not None:
        rollouts = prompt_count(spec.dataset, spec.prompts) * spec.sampling.samples
    elif spec.kind in ("teacher_labels", "pool_votes"):
        rollouts = spec.prompts * spec.votes
    return Estimate(rollouts, rollouts * spec.max_completion_length)
