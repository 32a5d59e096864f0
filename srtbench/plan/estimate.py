"""How much a run or a shared stage has to sample."""

import math
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


def as_fitted(spec: RunSpec) -> RunSpec:
    """A run of rounds as if each update of its fits were a step, at most; an online run as it is.

    SFT fits all that a group may give, DPO a pair of each prompt, two completions.
    """
    train = spec.train
    if train.rounds is None:
        return spec
    fit, options = train.rounds.fit, spec.variant
    most = getattr(options, "max_per_prompt", None) or train.num_generations
    texts = max(1, len(getattr(options, "formats", ())))
    is_dpo = train.algorithm == "dpo"
    rows = 1 if is_dpo else min(most, train.num_generations) * texts
    updates = math.ceil(train.prompts_per_step * rows / fit.batch_size)
    changed = {
        "steps": train.steps * fit.epochs * updates,
        "prompts_per_step": fit.batch_size,
        "num_generations": 2 if is_dpo else 1,
        "micro_batch_size": (fit.micro_batch_size or fit.batch_size) * (2 if is_dpo else 1),
        "trl": fit.trl,
    }
    return spec.model_copy(update={"train": train.model_copy(update=changed)})


def train_rollouts(spec: RunSpec) -> tuple[int, int]:
    """Completions that a run samples to train on, each counted once, and those beside them.

    Several optimiser steps may train on one generation. With `refill`, as if every draw were made
    in full: the most there can be. Those beside only vote; in rounds they do not vote, and are as
    many as there are at most.
    """
    train = spec.train
    shape = GenerationShape.of(spec)
    drawn = len(shape.steps(train.steps)) * shape.rollouts * draws(train)
    answers = facts(spec.variant)
    beside = answers.extra_votes(train.num_generations)
    beside += answers.further(train.num_generations).most
    return drawn, drawn // train.num_generations * beside
