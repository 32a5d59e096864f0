"""Whether a noisy reward can teach: Youden's J of train_reward against the gold answer."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, finite_array
from srtbench.stats.intervals import Interval, build_interval
from srtbench.stats.ranges import SHARE_DIFFERENCE


def youden_j(
    train_reward: ArrayLike,
    gold_reward: ArrayLike,
    groups: ArrayLike | None = None,
    level: float = 0.95,
) -> Interval | None:
    """True positive rate minus false positive rate of a reward, with an interval over groups.

    J = mean train_reward of right completions - mean train_reward of wrong ones (Youden 1950,
    Cancer 3, 32-35). 1 is the gold reward, 0 a reward that knows nothing; below 0 it rewards wrong
    answers more often than right ones. Learning from a noisy reward rises, stalls or falls with the
    sign of J ("Rate or Fate", arXiv 2601.04411).

    Completions of one prompt share a label, so each group is one unit: with N right, M wrong
    completions and residuals r about the two means, Var J = G / (G - 1) * sum over the G groups of
    (sum of r over its right ones / N - sum of r over its wrong ones / M)^2, the linearised variance
    of a difference of ratios (Cochran 1977, Sampling Techniques, 6.3), a t quantile with G - 1
    degrees of freedom, and limits inside [-1, 1] by Fisher's z.

    Args:
        train_reward: (groups, samples) or (completions,), in 0..1. A reward on another scale has no
            rates; threshold or rescale it first.
        gold_reward: the same shape, 0 or 1.
        groups: (completions,) label of each one's group; needed where ``train_reward`` has one
            dimension, not allowed where it has two.
        level: nominal coverage, between 0 and 1.

    Returns:
        None where no completion is right or none is wrong: J is not defined then.

    Raises:
        ValueError: shapes differ, values out of range, fewer than two groups.
    """
    reward, gold, index = _completions(train_reward, gold_reward, groups)
    num_groups = int(index.max()) + 1
    if num_groups < 2:
        raise ValueError("an interval over groups needs at least two groups")
    right, wrong = gold == 1.0, gold == 0.0
    if not right.any() or not wrong.any():
        return None
    hit, alarm = float(reward[right].mean()), float(reward[wrong].mean())
    pull = np.where(right, (reward - hit) / right.sum(), -(reward - alarm) / wrong.sum())
    by_group = np.bincount(index, weights=pull, minlength=num_groups)
    variance = float(np.sum(by_group**2)) * num_groups / (num_groups - 1)
    return build_interval(
        hit - alarm,
        variance,
        num_groups - 1,
        level,
        ("groups",),
        (num_groups,),
        bounds=SHARE_DIFFERENCE,
        trials=num_groups,
    )


def _completions(
    train_reward: ArrayLike, gold_reward: ArrayLike, groups: ArrayLike | None
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Rewards as (completions,) arrays and the number of each one's group."""
    reward = finite_array(train_reward, "train_reward")
    gold = finite_array(gold_reward, "gold_reward")
    if reward.shape != gold.shape or reward.ndim not in (1, 2):
        raise ValueError(
            f"train_reward {reward.shape} and gold_reward {gold.shape} must both be "
            "(groups, samples) or (completions,)"
        )
    if (reward.ndim == 1) != (groups is not None):
        raise ValueError("give groups for (completions,) rewards, and only for them")
    if reward.min() < 0.0 or reward.max() > 1.0 or not np.isin(gold, (0.0, 1.0)).all():
        raise ValueError("train_reward must lie in 0..1 and gold_reward be 0 or 1")
    labels = np.arange(len(reward)).repeat(math.prod(reward.shape[1:]))
    if groups is not None:
        labels = np.asarray(groups)
        if labels.shape != reward.shape:
            raise ValueError(f"groups {labels.shape} and train_reward {reward.shape} differ")
    index = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    return reward.reshape(-1), gold.reshape(-1), index
