"""When a run ends early, and which of its evaluations it keeps: causal rules over evaluations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray
from srtbench.stats.alarms import AlarmRule, alarm_hits


@dataclass(frozen=True)
class EarlyStop:
    """What a rule has decided after the evaluations so far; both are places among them."""

    kept: int
    """The evaluation whose policy is kept."""
    stopped: int | None
    """The evaluation after which training ends; None: it goes on."""


def stop_at_alarm(values: ArrayLike, rule: AlarmRule, patience: int = 1) -> EarlyStop:
    """End at the ``patience``-th alarm in a row; keep the last evaluation before the first of them.

    The first evaluation is the start: it sets the scale of the rule and gives no alarm. Later
    values have no part in the decision, so the rule may be asked again after every evaluation.

    Args:
        values: (evaluations,) at least one; NaN where the signal is not known, which is no alarm.
        rule: see :class:`srtbench.stats.AlarmRule`.
        patience: at least 1.
    """
    signal = _evaluations(values, patience)
    rings = alarm_hits(signal, rule)
    kept, streak = 0, 0
    for place in range(1, len(signal)):
        streak = streak + 1 if rings[place] else 0
        if streak == 0:
            kept = place
        if streak == patience:
            return EarlyStop(kept, place)
    return EarlyStop(kept, None)


def stop_without_progress(scores: ArrayLike, patience: int = 1) -> EarlyStop:
    """End after ``patience`` evaluations in a row that are no better than the best before them.

    Kept is the best evaluation up to there, the earliest of equals (early stopping with patience:
    Prechelt 1998, doi 10.1007/3-540-49430-8_3, criterion UP with strips of one).

    Args:
        scores: (evaluations,) at least one, higher is better; NaN: cannot be kept. The first is
            kept where no score is known.
        patience: at least 1.
    """
    array = _evaluations(scores, patience)
    kept = 0
    for place in range(1, len(array)):
        if array[place] > array[kept] or (np.isnan(array[kept]) and not np.isnan(array[place])):
            kept = place
        elif place - kept >= patience:
            return EarlyStop(kept, place)
    return EarlyStop(kept, None)


def _evaluations(values: ArrayLike, patience: int) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError(f"need at least one evaluation in one dimension, got shape {array.shape}")
    if patience < 1:
        raise ValueError(f"patience must be at least 1, got {patience}")
    return array
