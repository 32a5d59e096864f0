"""When label-free signals give the alarm, and what each stopping rule costs in gold accuracy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, IntArray, finite_array, integer_array


@dataclass(frozen=True)
class AlarmRule:
    """A causal rule: alarm at the first evaluation where the signal crosses its bound.

    With b the signal's first logged value, "level" alarms beyond ``bound`` itself, "shift" beyond
    b + ``bound`` and "ratio" beyond b * ``bound``; ``side`` "outside" takes a ratio and alarms
    above b * ``bound`` and below b / ``bound``.
    """

    side: Literal["above", "below", "outside"]
    scale: Literal["level", "shift", "ratio"]
    bound: float


ALARM_RULES: Mapping[str, AlarmRule] = {
    "train_reward": AlarmRule("above", "level", 0.95),
    "vote_share": AlarmRule("above", "level", 0.98),
    "unanimous_share": AlarmRule("above", "level", 0.9),
    "modal_share": AlarmRule("above", "shift", 0.1),
    "answer_entropy": AlarmRule("below", "ratio", 0.25),
    "mean_length": AlarmRule("outside", "ratio", 2.0),
    "repetition": AlarmRule("above", "shift", 0.2),
    "kl": AlarmRule("above", "level", 1.0),
}
"""Label-free signals and their default alarms. Conventions, not fits: change them per task.

Units: train_reward, vote_share, unanimous_share, modal_share and repetition are shares in 0..1,
answer_entropy in nats, mean_length in tokens, kl in nats per token.
"""


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


def alarm_index(values: ArrayLike, rule: AlarmRule) -> int | None:
    """First evaluation at which ``rule`` gives the alarm, or None.

    Args:
        values: (evaluations,) in time order; NaN where the signal was not logged.
        rule: the rule; see :class:`AlarmRule`.

    Raises:
        ValueError: not one-dimensional, or "outside" with a scale other than "ratio".
    """
    signal = np.asarray(values, dtype=np.float64)
    if signal.ndim != 1:
        raise ValueError(f"values must have one dimension, got shape {signal.shape}")
    if rule.side == "outside" and rule.scale != "ratio":
        raise ValueError("an alarm outside a band needs scale 'ratio'")
    finite = signal[np.isfinite(signal)]
    if finite.size == 0:
        return None
    start = float(finite[0])
    bound = {"level": rule.bound, "shift": start + rule.bound, "ratio": start * rule.bound}[
        rule.scale
    ]
    with np.errstate(invalid="ignore"):  # comparisons with NaN are False, as wanted
        crossed = signal < bound if rule.side == "below" else signal > bound
        if rule.side == "outside":
            crossed |= signal < start / rule.bound
    hits = np.flatnonzero(crossed)
    return int(hits[0]) if hits.size else None


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

    A signal's rule keeps the last checkpoint before its alarm (the first one if it rings at once)
    and the last checkpoint if it never rings. "labelled_split" keeps the checkpoint that scores
    best on ``num_labelled`` labelled prompts (SRT stops early on a 1% split, arXiv 2505.21444);
    its accuracy is the exact expectation over :func:`labelled_split_choice`.

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
    for name, values in signal_arrays(signals, len(accuracy), rules).items():
        alarm = alarm_index(values, rules[name])
        outcomes.append(kept(name, last if alarm is None else max(alarm - 1, 0), alarm is not None))
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


def signal_arrays(
    signals: Mapping[str, ArrayLike | None] | None, length: int, rules: Mapping[str, AlarmRule]
) -> dict[str, FloatArray]:
    """Signals as float arrays in the order of ``rules``; those None or all NaN are left out."""
    given = dict(signals or {})
    unknown = sorted(set(given) - set(rules))
    if unknown:
        raise ValueError(f"no alarm rule for {', '.join(unknown)}; known: {', '.join(rules)}")
    arrays = {}
    for name in rules:
        if given.get(name) is None:
            continue
        array = np.asarray(given[name], dtype=np.float64)
        if array.shape != (length,):
            raise ValueError(f"signal {name} must have shape ({length},), got {array.shape}")
        if np.isfinite(array).any():
            arrays[name] = array
    return arrays
