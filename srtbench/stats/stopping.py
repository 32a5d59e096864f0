"""What each rule for choosing a checkpoint, labelled or not, costs in gold accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, finite_array, integer_array
from srtbench.stats.alarms import ALARM_RULES, AlarmRule, alarm_index, signal_arrays


@dataclass(frozen=True)
class StopOutcome:
    """The checkpoint a stopping rule keeps. Accuracies and regret are shares in 0..1."""

    rule: str
    step: int
    """Training step of the kept checkpoint; the likeliest one for the labelled split."""
    gold_accuracy: float
    """Its accuracy; an expectation for the labelled split."""
    regret: float
    """Best checkpoint's accuracy minus ``gold_accuracy``; never negative."""
    alarmed: bool
    """Whether the rule stopped the run; False where it ran to the end."""


def label_free_checkpoint(
    vote_share: ArrayLike, mean_length: ArrayLike, tolerance: float = 0.02
) -> int:
    """Evaluation to keep without labels: the most agreement among those of the start's length.

    The highest held-out vote share among the evaluations whose mean length is within ``tolerance``
    of the first, the earliest of equals. Vote share alone keeps rising through a collapse; a
    relative change of mean length is what gives one away. The rule and its 2% were found on runs of
    this project and wait for confirmation on others (docs/estimators.md).

    Args:
        vote_share: (evaluations,) mean share of the winning answer, 0..1; NaN where not logged.
        mean_length: (evaluations,) mean completion length in tokens, positive; NaN where not
            logged. The first logged one is the start.
        tolerance: greatest relative change of length that is kept, at least 0.

    Returns:
        Index of the evaluation. The start itself always qualifies.

    Raises:
        ValueError: shapes differ, no evaluation with both, a start of length 0 or less, or a
            negative tolerance.
    """
    share = np.asarray(vote_share, dtype=np.float64)
    length = np.asarray(mean_length, dtype=np.float64)
    if share.ndim != 1 or share.shape != length.shape:
        raise ValueError(f"vote_share {share.shape} and mean_length {length.shape} must be equal")
    if tolerance < 0.0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    logged = np.flatnonzero(np.isfinite(share) & np.isfinite(length))
    if not logged.size or length[logged[0]] <= 0.0:
        raise ValueError("need an evaluation with vote_share and a positive mean_length")
    start = float(length[logged[0]])
    steady = logged[np.abs(length[logged] - start) <= tolerance * start]
    return int(steady[share[steady].argmax()])


def kept_checkpoints(
    signals: Mapping[str, ArrayLike | None],
    num_evaluations: int,
    rules: Mapping[str, AlarmRule] = ALARM_RULES,
) -> dict[str, int]:
    """Evaluation that each label-free rule keeps, without looking at gold.

    A signal's rule keeps the last evaluation before its alarm (the first one if it rings at once),
    or the last one if it never rings. "label_free" is :func:`label_free_checkpoint`, given where
    both vote_share and mean_length were logged at one evaluation.

    Args:
        signals: name -> (evaluations,) values, NaN where missing; None entries are skipped.
        num_evaluations: their length.
        rules: alarm per signal name.

    Raises:
        ValueError: a signal of another shape or without a rule.
    """
    arrays = signal_arrays(signals, num_evaluations, rules)
    kept = {}
    for name, values in arrays.items():
        alarm = alarm_index(values, rules[name])
        kept[name] = num_evaluations - 1 if alarm is None else max(alarm - 1, 0)
    share, length = arrays.get("vote_share"), arrays.get("mean_length")
    if share is not None and length is not None:
        both = np.flatnonzero(np.isfinite(share) & np.isfinite(length))
        if both.size and length[both[0]] > 0.0:
            kept["label_free"] = label_free_checkpoint(share, length)
    return kept


def labelled_split_choice(gold_accuracy: ArrayLike, num_labelled: int) -> FloatArray:
    """Chance that each checkpoint scores best on a small labelled split, (evaluations,).

    The split's accuracy at checkpoint t is Binomial(m, a_t) / m for m labelled prompts with one
    sample each, independent between checkpoints, the earliest winning ties:

        P(t) = sum_x P(X_t = x) prod_{s<t} P(X_s < x) prod_{s>t} P(X_s <= x)

    evaluated exactly. In practice one split scores all checkpoints, their errors move together and
    the choice is better than this: the regret is an upper estimate.

    Args:
        gold_accuracy: (evaluations,) true accuracies a_t in 0..1.
        num_labelled: m, at least 1.

    Raises:
        ValueError: accuracies outside 0..1 or not finite, or m < 1.
    """
    accuracy = finite_array(gold_accuracy, "gold_accuracy", ndim=1)
    if accuracy.min() < 0.0 or accuracy.max() > 1.0:
        raise ValueError("gold_accuracy must lie between 0 and 1")
    if num_labelled < 1:
        raise ValueError(f"num_labelled must be at least 1, got {num_labelled}")
    x = np.arange(num_labelled + 1)
    log_choose = np.array(
        [
            math.lgamma(num_labelled + 1) - math.lgamma(i + 1) - math.lgamma(num_labelled - i + 1)
            for i in x
        ]
    )
    inner = np.clip(accuracy, 1e-300, 1.0 - 1e-16)[:, None]
    mass = np.exp(log_choose + x * np.log(inner) + (num_labelled - x) * np.log1p(-inner))
    mass /= mass.sum(axis=1, keepdims=True)
    at_most = np.minimum(np.cumsum(mass, axis=1), 1.0)
    below = np.concatenate([np.zeros((len(accuracy), 1)), at_most[:, :-1]], axis=1)
    ones = np.ones((1, num_labelled + 1))
    earlier = np.concatenate([ones, np.cumprod(below, axis=0)[:-1]])
    later = np.concatenate([np.cumprod(at_most[::-1], axis=0)[::-1][1:], ones])
    chance = np.sum(mass * earlier * later, axis=1)
    chances: FloatArray = chance / chance.sum()
    return chances


def stopping_rules(
    steps: ArrayLike,
    gold_accuracy: ArrayLike,
    signals: Mapping[str, ArrayLike | None] | None = None,
    num_labelled: int | None = None,
    rules: Mapping[str, AlarmRule] = ALARM_RULES,
) -> tuple[StopOutcome, ...]:
    """Gold accuracy and regret of each stopping rule, "best" and "last" always first.

    Label-free rules keep what :func:`kept_checkpoints` says. "labelled_split" keeps the checkpoint
    that scores best on ``num_labelled`` labelled prompts (SRT stops early on a 1% split,
    arXiv 2505.21444); its accuracy is the exact expectation over :func:`labelled_split_choice`.
    Here choice and score rest on the same curve; :func:`srtbench.stats.cross_fitted_stopping`
    parts them.

    Args:
        steps: (evaluations,) increasing integers.
        gold_accuracy: (evaluations,) accuracies in 0..1.
        signals: name -> (evaluations,) values, NaN where missing; None entries are skipped. Names
            are those of ``rules``.
        num_labelled: size of the labelled split; None leaves that rule out.
        rules: alarm per signal name.

    Raises:
        ValueError: shapes differ, steps do not increase, or a signal has no rule.
    """
    step_array, accuracy = curve_inputs(steps, gold_accuracy)
    best = int(accuracy.argmax())
    last = len(accuracy) - 1

    def kept(rule: str, index: int, alarmed: bool) -> StopOutcome:
        value = float(accuracy[index])
        return StopOutcome(
            rule, int(step_array[index]), value, float(accuracy[best]) - value, alarmed
        )

    outcomes = [kept("best", best, best < last), kept("last", last, False)]
    if num_labelled is not None:
        chance = labelled_split_choice(accuracy, num_labelled)
        expected = min(float(chance @ accuracy), float(accuracy[best]))
        likeliest = int(chance.argmax())
        outcomes.append(
            StopOutcome(
                "labelled_split",
                int(step_array[likeliest]),
                expected,
                float(accuracy[best]) - expected,
                likeliest < last,
            )
        )
    arrays = signal_arrays(signals, len(accuracy), rules)
    for name, index in kept_checkpoints(arrays, len(accuracy), rules).items():
        rang = name in arrays and alarm_index(arrays[name], rules[name]) is not None
        outcomes.append(kept(name, index, rang or (name == "label_free" and index < last)))
    return tuple(outcomes)


def curve_inputs(steps: ArrayLike, gold_accuracy: ArrayLike) -> tuple[IntArray, FloatArray]:
    """Check steps and accuracies of one run; see :func:`stopping_rules`."""
    step_array = integer_array(steps, "steps")
    accuracy = finite_array(gold_accuracy, "gold_accuracy", ndim=1)
    if step_array.shape != accuracy.shape:
        raise ValueError(f"steps {step_array.shape} and gold_accuracy {accuracy.shape} differ")
    if np.any(np.diff(step_array) <= 0):
        raise ValueError("steps must increase")
    if accuracy.min() < 0.0 or accuracy.max() > 1.0:
        raise ValueError("gold_accuracy must lie between 0 and 1")
    return step_array, accuracy
