"""Causal alarms on label-free signals: when each first rings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from srtbench.stats._validate import FloatArray

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class AlarmRule:
    """A causal rule: alarm at the first evaluation where the signal crosses its bound.

    With b the signal's first logged value, "level" alarms beyond ``bound`` itself, "shift" beyond
    b + ``bound`` and "ratio" beyond b * ``bound``. "relative" alarms where the signal has moved by
    more than ``bound`` * |b|, to the named ``side`` or, "outside", to either; a "ratio" outside is
    above b * ``bound`` or below b / ``bound``.
    """

    side: Literal["above", "below", "outside"]
    scale: Literal["level", "shift", "ratio", "relative"]
    bound: float


ALARM_RULES: Mapping[str, AlarmRule] = {
    "train_reward": AlarmRule("above", "level", 0.95),
    "vote_share": AlarmRule("above", "level", 0.98),
    "unanimous_share": AlarmRule("above", "level", 0.9),
    "modal_share": AlarmRule("above", "shift", 0.1),
    "answer_entropy": AlarmRule("below", "ratio", 0.25),
    "mean_length": AlarmRule("outside", "relative", 0.1),
    "repetition": AlarmRule("above", "shift", 0.2),
    "kl": AlarmRule("above", "level", 1.0),
}
"""Label-free signals and their default alarms. Conventions, not fits: change them per task.

Units: train_reward, vote_share, unanimous_share, modal_share and repetition are shares in 0..1,
answer_entropy in nats, mean_length in tokens, kl in nats per token. The length rule asks for a
relative change of a tenth: where a prompt fixes the length of its answer, runs that decay leave it
long before they double or halve; where length is free to grow, widen it.
"""


def alarm_index(values: ArrayLike, rule: AlarmRule) -> int | None:
    """First evaluation at which ``rule`` gives the alarm, or None.

    Args:
        values: (evaluations,) in time order; NaN where the signal was not logged.
        rule: the rule; see :class:`AlarmRule`.

    Raises:
        ValueError: not one-dimensional, or "outside" with scale "level" or "shift".
    """
    hits = np.flatnonzero(alarm_hits(values, rule))
    return int(hits[0]) if hits.size else None


def alarm_hits(values: ArrayLike, rule: AlarmRule) -> BoolArray:
    """Whether each evaluation crosses the bound of ``rule``, (evaluations,); see `alarm_index`."""
    signal = np.asarray(values, dtype=np.float64)
    if signal.ndim != 1:
        raise ValueError(f"values must have one dimension, got shape {signal.shape}")
    if rule.side == "outside" and rule.scale not in ("ratio", "relative"):
        raise ValueError("an alarm outside a band needs scale 'ratio' or 'relative'")
    finite = signal[np.isfinite(signal)]
    if finite.size == 0:
        return np.zeros(len(signal), dtype=bool)
    low, high = _band(rule, float(finite[0]))
    with np.errstate(invalid="ignore"):  # comparisons with NaN are False, as wanted
        hits: BoolArray = (signal < low) | (signal > high)
    return hits


def _band(rule: AlarmRule, start: float) -> tuple[float, float]:
    """Values between which ``rule`` is silent, for a signal that begins at ``start``."""
    reach = rule.bound * abs(start)
    low, high = {
        "level": (rule.bound, rule.bound),
        "shift": (start + rule.bound, start + rule.bound),
        "ratio": (start * rule.bound, start * rule.bound),
        "relative": (start - reach, start + reach),
    }[rule.scale]
    if rule.side == "outside":
        return (start / rule.bound, high) if rule.scale == "ratio" else (low, high)
    return (low, math.inf) if rule.side == "below" else (-math.inf, high)


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
