"""When runs collapse, some of which were still well when their training ended."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._beta import exact_limits
from srtbench.stats._validate import FloatArray, IntArray, finite_array, probability


@dataclass(frozen=True)
class SurvivalCurve:
    """Share of runs still well after each time of an event; all arrays are (times,)."""

    times: FloatArray
    """Distinct times of events, increasing, in the unit given (training steps)."""
    survival: FloatArray
    """Kaplan-Meier estimate just after each time, in 0..1; 1 before the first."""
    low: FloatArray
    high: FloatArray
    """Pointwise limits of ``survival``, inside 0..1."""
    at_risk: IntArray
    """Runs still followed and well just before each time."""
    events: IntArray
    level: float

    def at(self, time: float) -> float:
        """Estimated share still well after ``time``."""
        place = int(np.searchsorted(self.times, time, side="right"))
        return 1.0 if place == 0 else float(self.survival[place - 1])


def kaplan_meier(times: ArrayLike, observed: ArrayLike, level: float = 0.95) -> SurvivalCurve:
    """Share of runs that have not collapsed, with runs that ended early counted while followed.

    S(t) = product over event times t_i <= t of (1 - d_i / n_i), d_i events among n_i at risk
    (Kaplan and Meier 1958, Journal of the American Statistical Association 53, 457-481). A run that
    ends at a time of an event is at risk in it. A collapse is known only to lie between two
    evaluations: pass the later one for all runs, and the curve is right at evaluations, late by at
    most one evaluation in between.

    Limits are Clopper-Pearson with an effective number of runs S (1 - S) / V, V Greenwood's
    variance (Dorey and Korn 1987, Statistics in Medicine 6, 679-687). Without early ends that
    number is n and the limits are those of ``rate_interval``; where every run still followed has
    collapsed, the number of the time before is kept.

    Args:
        times: (runs,) time of the event, or of the last evaluation of a run without one; >= 0.
        observed: (runs,) true where the event was seen.
        level: nominal pointwise coverage, between 0 and 1.

    Returns:
        The curve, with empty arrays where no event was seen.

    Raises:
        ValueError: shapes differ, no runs, negative or non-finite times.
    """
    ends = finite_array(times, "times", ndim=1)
    seen = np.asarray(observed, dtype=bool)
    if seen.shape != ends.shape:
        raise ValueError(f"times {ends.shape} and observed {seen.shape} differ in shape")
    if ends.min() < 0.0:
        raise ValueError("times must not be negative")
    probability(level, "level")
    distinct = np.unique(ends[seen])
    at_risk = np.array([np.sum(ends >= time) for time in distinct], dtype=np.int64)
    events = np.array([np.sum(seen & (ends == time)) for time in distinct], dtype=np.int64)
    survival: FloatArray = np.cumprod(1.0 - events / at_risk).astype(np.float64)
    limits, greenwood, effective = [], 0.0, 0.0
    for share, n, d in zip(survival, at_risk, events, strict=True):
        if greenwood == 0.0:
            effective = float(n)
        if n > d:
            greenwood += d / (n * (n - d))
            effective = float((1.0 - share) / (share * greenwood))
        limits.append(exact_limits(share * effective, effective, level))
    low, high = np.array(limits, dtype=np.float64).reshape(-1, 2).T
    return SurvivalCurve(distinct, survival, low, high, at_risk, events, level)
