"""How much a run or a shared stage has to sample."""

from srtbench.config.merge import draws
from srtbench.plan.eval_sets import set_rollouts
from srtbench.plan.generation import GenerationShape
from srtbench.plan.specs import Estimate, RunSpec
from srtbench.plan.stages import StageSpec
from srtbench.variants import facts


def estimate(spec: RunSpec | StageSpec) -> Estimate:
    """Rollouts of a run or stage, and the tokens they have at most."""
    if not isinstance(spec, RunSpec):
        return spec.estimate
    rollouts = sum(train_rollouts(spec))
    found = Estimate(rollouts, rollouts * spec.train.max_completion_length)
    for one in spec.eval_sets:
        rollouts = set_rollouts(one, spec)
        found += Estimate(rollouts, rollouts * one.sampling.max_completion_length)
    return found


def train_rollouts(spec: RunSpec) -> tuple[int, int]:
    """Completions that a run samples to train on, each counted once, and those that only vote.

    Several optimiser steps may train on one generation. With `refill`, as if every draw were made
    in full: the most there can be.
    """
    train = spec.train
    shape = GenerationShape.of(spec)
    drawn = len(shape.steps(train.steps)) * shape.rollouts * draws(train)
    votes = facts(spec.variant).extra_votes(train.num_generations)
    return drawn, drawn // train.num_generations * votes
