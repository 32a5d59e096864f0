"""How much a run or a shared stage has to sample."""

from srtbench.plan.eval_sets import set_rollouts
from srtbench.plan.generation import GenerationShape
from srtbench.plan.specs import Estimate, RunSpec
from srtbench.plan.stages import StageSpec
from srtbench.variants import facts


def estimate(spec: RunSpec | StageSpec) -> Estimate:
    """Rollouts of a run or stage, and the tokens they have at most."""
    if not isinstance(spec, RunSpec):
        return spec.estimate
    # The start model's evaluation is a shared stage, unless it is another run's policy.
    evaluations = len(spec.eval_steps) - (spec.starts_from is None)
    rollouts = sum(train_rollouts(spec)) + evaluations * spec.eval.prompts * spec.eval.samples
    found = Estimate(rollouts, rollouts * spec.train.max_completion_length)
    for one in spec.eval_sets:
        further = set_rollouts(one, spec)
        found += Estimate(further, further * one.sampling.max_completion_length)
    return found


def train_rollouts(spec: RunSpec) -> tuple[int, int]:
    """Completions that a run trains on, each counted once, and those that only vote.

    Several optimiser steps may train on one generation.
    """
    train = spec.train
    shape = GenerationShape.of(spec)
    drawn = len(shape.steps(train.steps)) * shape.rollouts
    votes = facts(spec.variant).extra_votes(train.num_generations)
    return drawn, drawn // train.num_generations * votes
