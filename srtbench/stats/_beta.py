"""The regularised incomplete beta function and the exact limits of a rate that follow from it.

I_x(a, b) is Lentz's continued fraction (Numerical Recipes, 6.4), in plain Python: scipy is no
dependency.
"""

from __future__ import annotations

import math


def incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) in 0..1 for a, b > 0; P(X >= k) = I_p(k, n - k + 1) for X ~ Binomial(n, p)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(a, b, x) / a
    return 1.0 - front * _beta_fraction(b, a, 1.0 - x) / b


def exact_limits(successes: float, trials: float, level: float) -> tuple[float, float]:
    """Clopper-Pearson limits of a rate (Clopper and Pearson 1934, Biometrika 26, 404-413).

    The lower limit p has P(X >= successes | p) = (1 - level) / 2, the upper one
    P(X <= successes | p) = (1 - level) / 2. Neither count need be whole: an effective number of
    trials is allowed.
    """
    tail = (1.0 - level) / 2.0
    failures = trials - successes
    low = 0.0 if successes <= 0 else _beta_quantile(successes, failures + 1.0, tail)
    high = 1.0 if failures <= 0 else 1.0 - _beta_quantile(failures, successes + 1.0, tail)
    return low, high


def _beta_quantile(a: float, b: float, probability: float) -> float:
    """x with I_x(a, b) = ``probability``, by bisection down to neighbouring floats."""
    low, high = 0.0, 1.0
    for _ in range(1100):  # enough halvings for the smallest float there is
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if incomplete_beta(a, b, middle) < probability:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _beta_fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 + term * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + term / c
            c = c if abs(c) > tiny else tiny
            result *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return result
