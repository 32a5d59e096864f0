"""Stopping rules scored on samples that had no part in the choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, finite_array, integer_array


@dataclass(frozen=True)
class CrossFittedOutcome:
    """What a rule costs where choice and score share no sample. Shares in 0..1."""

    rule: str
    step: int
    """Training step kept most often; the earliest of equals."""
    gold_accuracy: float
    """Mean accuracy of the checkpoint kept, on the samples that did not choose it."""
    regret: float
    """Accuracy of the checkpoint that the other half of all samples calls best, minus
    ``gold_accuracy``, on the same samples. Unlike a regret read off one curve it is not biased
    upward, and may be slightly negative by chance."""


def cross_fitted_stopping(
    steps: ArrayLike,
    gold_reward: ArrayLike,
    rng: np.random.Generator,
    *,
    num_labelled: int | None = None,
    kept: Mapping[str, int] | None = None,
    num_splits: int = 200,
) -> tuple[CrossFittedOutcome, ...]:
    """Accuracy and regret of stopping rules by cross-fitting over the logged samples.

    The best of many noisy evaluations looks better than it is, and so does whatever is compared
    with it on the same samples. Here the samples of every prompt are split in two at random; one
    half chooses, the other scores, and the other way round (cross-fitting: Chernozhukov et al.
    2018, doi 10.1111/ectj.12097), averaged over ``num_splits`` splits.

    Rules: "best" is the highest mean of the choosing half over all prompts, "last" the last
    evaluation. "labelled_split" is the highest mean of the choosing half over ``num_labelled``
    prompts drawn at random; it is scored on the other prompts, or on all if there are no others.

    Args:
        steps: (evaluations,) increasing integers.
        gold_reward: (evaluations, prompts, samples) in 0..1, at least two samples; the same
            prompts in the same order at every evaluation.
        rng: source of randomness; the same state gives the same result.
        num_labelled: labelled prompts, 1 to prompts; None leaves that rule out.
        kept: rule -> evaluation it keeps, for rules that did not look at gold, such as
            :func:`srtbench.stats.kept_checkpoints`.
        num_splits: random splits, at least 1.

    Raises:
        ValueError: shapes that do not fit, steps that do not increase, rewards outside 0..1, fewer
            than two samples, or a number out of range.
    """
    step_array, cube = _inputs(steps, gold_reward)
    num_evaluations, num_prompts, num_samples = cube.shape
    fixed = {"last": num_evaluations - 1, **(kept or {})}
    if any(not 0 <= index < num_evaluations for index in fixed.values()):
        raise ValueError(f"kept must index {num_evaluations} evaluations, got {dict(fixed)}")
    if num_labelled is not None and not 1 <= num_labelled <= num_prompts:
        raise ValueError(f"num_labelled must be 1 to {num_prompts}, got {num_labelled}")
    if num_splits < 1:
        raise ValueError(f"num_splits must be at least 1, got {num_splits}")
    rules = ["best", "last", *([] if num_labelled is None else ["labelled_split"])]
    rules += [name for name in fixed if name != "last"]
    tallies = {name: _Tally(num_evaluations) for name in rules}
    for _ in range(num_splits):
        order = rng.permutation(num_samples)
        prompts = rng.permutation(num_prompts)
        halves = order[: num_samples // 2], order[num_samples // 2 :]
        for chooser, scorer in (halves, halves[::-1]):
            choice, score = cube[:, :, chooser].mean(axis=2), cube[:, :, scorer].mean(axis=2)
            whole, best = score.mean(axis=1), int(choice.mean(axis=1).argmax())
            tallies["best"].add(best, whole, best)
            for name, index in fixed.items():
                tallies[name].add(index, whole, best)
            if num_labelled is not None:
                labelled, others = prompts[:num_labelled], prompts[num_labelled:]
                scored = others if len(others) else labelled
                tallies["labelled_split"].add(
                    int(choice[:, labelled].mean(axis=1).argmax()),
                    score[:, scored].mean(axis=1),
                    int(choice[:, scored].mean(axis=1).argmax()),
                )
    return tuple(tallies[name].outcome(name, step_array) for name in rules)


class _Tally:
    """Sums over splits of one rule."""

    def __init__(self, num_evaluations: int) -> None:
        self.times = np.zeros(num_evaluations, dtype=np.int64)
        self.accuracy = 0.0
        self.regret = 0.0

    def add(self, chosen: int, score: FloatArray, best: int) -> None:
        self.times[chosen] += 1
        self.accuracy += float(score[chosen])
        self.regret += float(score[best] - score[chosen])

    def outcome(self, rule: str, steps: IntArray) -> CrossFittedOutcome:
        total = int(self.times.sum())
        return CrossFittedOutcome(
            rule, int(steps[self.times.argmax()]), self.accuracy / total, self.regret / total
        )


def _inputs(steps: ArrayLike, gold_reward: ArrayLike) -> tuple[IntArray, FloatArray]:
    step_array = integer_array(steps, "steps")
    cube = finite_array(gold_reward, "gold_reward", ndim=3)
    if step_array.shape != cube.shape[:1]:
        raise ValueError(f"steps {step_array.shape} and gold_reward {cube.shape} differ")
    if np.any(np.diff(step_array) <= 0):
        raise ValueError("steps must increase")
    if cube.min() < 0.0 or cube.max() > 1.0:
        raise ValueError("gold_reward must lie between 0 and 1")
    if cube.shape[2] < 2:
        raise ValueError("cross-fitting needs at least two samples per prompt")
    return step_array, cube
