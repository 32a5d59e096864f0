"""Limits that stay inside the range of their quantity: t intervals on the logit scale.

For a quantity in [a, b] let u = (x - a) / (b - a). The delta method gives logit u the standard
error se(u) / (u (1 - u)), the limits logit u -/+ t * that are taken back, and they lie in (a, b)
whatever the data (Agresti 2013, Categorical Data Analysis, 16.1; in the middle of the range they
are the plain t limits). For a difference in [-1, 1] it is Fisher's z, since
logit((1 + d) / 2) = 2 atanh(d).
"""

from __future__ import annotations

import math

from srtbench.stats._student_t import t_quantile, two_sided_p

Bounds = tuple[float, float]

SHARE: Bounds = (0.0, 1.0)
"""Range of accuracies, rates, shares and regrets."""
SHARE_DIFFERENCE: Bounds = (-1.0, 1.0)
"""Range of a difference of two of them."""

_AT_BOUND = 1e-12  # nearer to a bound than this, in shares of the range, is rounding


def check_bounds(bounds: Bounds | None, lowest: float, highest: float) -> None:
    """Raise ValueError unless ``bounds`` are ordered, finite, and hold ``lowest`` and ``highest``.

    Excess of less than 1e-9 of the range is rounding and allowed.
    """
    if bounds is None:
        return
    low, high = bounds
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError(f"bounds must be finite with low < high, got {bounds}")
    slack = 1e-9 * (high - low)
    if lowest < low - slack or highest > high + slack:
        raise ValueError(f"values {lowest:g} to {highest:g} leave the bounds [{low:g}, {high:g}]")


def t_limits(
    estimate: float, error: float, df: float, level: float, bounds: Bounds | None, trials: int
) -> tuple[float, float, float]:
    """Low, high and the two-sided p-value against 0 of ``estimate`` with t-distributed error.

    The p-value is below 1 - ``level`` exactly where the limits exclude 0. It is tested on the
    scale of the limits where 0 lies inside the bounds.

    At a bound the delta method says nothing. There the limits are the exact ones of ``trials``
    units that all came out at that bound (Clopper-Pearson): the least favourable case is a unit
    that is either at this bound or at the other.

    Args:
        estimate, error: estimate and its standard error, in any unit.
        df: degrees of freedom of the error.
        level: nominal coverage.
        bounds: range of the quantity; None for the plain t limits.
        trials: number of independent units, used only at a bound.
    """
    quantile = t_quantile(0.5 + level / 2.0, df)
    plain_p = 1.0 if estimate == 0.0 else 0.0
    if error > 0.0:
        plain_p = two_sided_p(estimate / error, df)
    if bounds is None:
        return estimate - quantile * error, estimate + quantile * error, plain_p
    low, high = bounds
    width = high - low
    share, zero = (estimate - low) / width, -low / width
    tested = 0.0 < zero < 1.0
    if min(share, 1.0 - share) <= _AT_BOUND:
        reach = (0.5 * (1.0 - level)) ** (1.0 / trials)
        if share > 0.5:
            p_value = min(1.0, 2.0 * zero**trials) if tested else plain_p
            return low + width * reach, high, p_value
        p_value = min(1.0, 2.0 * (1.0 - zero) ** trials) if tested else plain_p
        return low, high - width * reach, p_value
    if error == 0.0:
        return estimate, estimate, plain_p
    inner = share * (1.0 - share)
    scale = error / width / inner
    shrink, gone = math.exp(-quantile * scale), -math.expm1(-quantile * scale)
    # The logit limits as distances from the estimate, written so that nothing cancels.
    down = inner * gone / (1.0 - share + share * shrink)
    up = inner * gone / (share + (1.0 - share) * shrink)
    p_value = plain_p
    if tested:
        moved = estimate / width
        distance = math.log1p(moved / zero) - math.log1p(-moved / (1.0 - zero))
        p_value = two_sided_p(distance / scale, df)
    return max(estimate - width * down, low), min(estimate + width * up, high), p_value
