"""Student's t distribution in numpy-free Python: the intervals need it and scipy is no dependency.

P(|T| > t) = I_x(df / 2, 1 / 2) with x = df / (df + t^2) (Abramowitz and Stegun 26.7.1).
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from srtbench.stats._beta import incomplete_beta

_NORMAL_DF = 1e7  # beyond it t and normal quantiles agree to 7 digits


def two_sided_p(t: float, df: float) -> float:
    """P(|T| > |t|) for ``df`` > 0 degrees of freedom, which need not be whole."""
    if df <= 0 or math.isnan(t):
        raise ValueError(f"need df > 0 and a number t, got df={df}, t={t}")
    if math.isinf(t):
        return 0.0
    if df > _NORMAL_DF:
        return 2.0 * NormalDist().cdf(-abs(t))
    return incomplete_beta(df / 2.0, 0.5, df / (df + t * t))


@lru_cache(maxsize=1024)
def t_quantile(probability: float, df: float) -> float:
    """The ``probability`` quantile, 0 < probability < 1, to 13 digits.

    Newton steps on P(|T| > t), convex and falling in t > 0, from the normal quantile, which is
    always nearer to 0: they climb to the root and never overshoot.
    """
    if not 0.0 < probability < 1.0 or df <= 0:
        raise ValueError(f"need 0 < probability < 1 and df > 0, got {probability} and {df}")
    tail = min(probability, 1.0 - probability)
    t = abs(NormalDist().inv_cdf(tail))
    if df <= _NORMAL_DF:
        log_scale = math.lgamma((df + 1.0) / 2.0) - math.lgamma(df / 2.0)
        scale = math.exp(log_scale) / math.sqrt(df * math.pi)
        for _ in range(500):
            density = scale * math.exp(-(df + 1.0) / 2.0 * math.log1p(t * t / df))
            step = (0.5 * two_sided_p(t, df) - tail) / density
            t += step
            if abs(step) <= 1e-13 * t:
                break
    return math.copysign(t, probability - 0.5)
