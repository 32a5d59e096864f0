"""How much a run or a shared stage has to sample."""

from collections.abc import Iterable

from srtbench.config.merge import draws
from srtbench.plan.eval_sets import set_rollouts
from srtbench.plan.generation import GenerationShape
from srtbench.plan.specs import Estimate, RunSpec
from srtbench.plan.stages import StageSpec
from srtbench.variants import facts


def estimate(spec: RunSpec | StageSpec) -> Estimate:
    """Rollouts of a run or stage, and the tokens they have at most."""
    return estimates([spec])[0] if isinstance(spec, RunSpec) else spec.estimate


def estimates(runs: Iterable[RunSpec]) -> list[Estimate]:
    """Of each run. What runs share, as those of one plan do, is estimated once."""
    runs = list(runs)  # held, so that identities stay what they are
    once: dict[tuple[int, int], Estimate] = {}
    found = []
    for run in runs:
        key = (id(run.train), id(run.variant))
        if (total := once.get(key)) is None:
            rollouts = sum(train_rollouts(run))
            once[key] = total = Estimate(rollouts, rollouts * run.train.max_completion_length)
        for one in run.eval_sets:
            key = (id(one), id(run.train))
            if (sampled := once.get(key)) is None:
                rollouts = set_rollouts(one, run)
                length = one.sampling.max_completion_length
                once[key] = sampled = Estimate(rollouts, rollouts * length)
            total += sampled
        found.append(total)
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
