"""Where a curve starts to fall for good: a broken-stick change point with a profile interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from srtbench.stats._validate import FloatArray, finite_array

_PROFILE_DROP = 3.841  # 95% point of chi-squared with one degree of freedom
MIN_EVALUATIONS = 4


@dataclass(frozen=True)
class FallPoint:
    """A lasting fall. Indices count evaluations from 0."""

    index: int
    """The first evaluation past the knee, the first one already on the way down."""
    low_index: int
    """Interval: the fall began after evaluation ``low_index`` ..."""
    high_index: int
    """... and no later than evaluation ``high_index``."""
    level_before: float
    """Fitted height at the knee."""
    level_after: float
    """Fitted height at the bottom."""
    noise: float
    """Standard deviation of one evaluation about the fit."""
    drop: float
    """Peak of the running median less the end of the curve."""
    last_high_index: int
    """Last evaluation whose running median holds three quarters of ``drop`` or more."""


def fall_point(
    values: ArrayLike,
    min_drop: float = 0.1,
    min_relative_drop: float = 0.2,
    min_noise_ratio: float = 5.0,
    noise: float | None = None,
) -> FallPoint | None:
    """Find where ``values`` starts to fall for good; None if it does not, or below 4 evaluations.

    A fall is for good when the end (upper median of the last tenth, two to five evaluations) lies
    below the peak of the running median of three by all of ``min_drop``, ``min_relative_drop``
    of the peak, and ``min_noise_ratio`` noise standard deviations. A dip that recovers is no
    fall, and after several falls the last one counts.

    The knee is then the least-squares fit of a line that rises or stays level up to tau, a straight
    fall from tau to e and a level floor (broken-stick regression, Hinkley 1971, Journal of the
    American Statistical Association 66, 736-743), over every pair of evaluations tau < e around the
    last crossing of the half-way height. The interval holds every tau whose residual sum of squares
    is within 3.84 noise variances of the best, a profile likelihood under normal noise.

    Args:
        values: (evaluations,) in time order, any unit, finite.
        min_drop: least fall, in the unit of ``values``.
        min_relative_drop: least fall as a share of the peak's absolute value.
        min_noise_ratio: least fall in standard deviations of one evaluation.
        noise: that standard deviation, where it is known (e.g. ``clustered_standard_error`` of one
            evaluation's completions by prompt). By default it is estimated from the curve; below 8
            evaluations that says little, and only a fall to half the peak or less counts.

    Raises:
        ValueError: not one-dimensional, empty or not finite, or a negative threshold or noise.
    """
    curve = finite_array(values, "values", ndim=1)
    if min(min_drop, min_relative_drop, min_noise_ratio, noise or 0.0) < 0:
        raise ValueError("the least drops and the noise must not be negative")
    if len(curve) < MIN_EVALUATIONS:
        return None
    smooth = running_median(curve)
    tail = np.sort(curve[-min(max(2, -(-len(curve) // 10)), 5) :])
    end = float(tail[len(tail) // 2])
    peak = float(smooth.max())
    drop = peak - end
    if noise is None:
        noise = noise_scale(curve)
        if len(curve) < 2 * MIN_EVALUATIONS:
            min_relative_drop = max(min_relative_drop, 0.5)
    if drop <= max(min_drop, min_relative_drop * abs(peak), min_noise_ratio * noise):
        return None
    middle = 0.5 * (peak + end)
    crossing = int(np.flatnonzero(smooth >= middle)[-1])
    if crossing >= len(curve) - 1:
        return None
    # Lower than half-way, so that noise on a slow fall does not cut the stretch in two.
    below = np.flatnonzero(smooth[:crossing] < end + 0.25 * drop)
    start = int(below[-1]) + 1 if below.size else 0
    # The last high stretch has its own height: an earlier, higher peak was not the last one.
    local_peak = float(smooth[start : crossing + 1].max())
    high = smooth[start : crossing + 1] >= local_peak - max(0.1 * (local_peak - end), 2.0 * noise)
    start += int(np.flatnonzero(high)[0])
    last_high = int(np.flatnonzero(smooth >= end + 0.75 * drop)[-1])
    return _fit_knee(curve, start, crossing, noise, drop, last_high)


def running_median(values: FloatArray) -> FloatArray:
    """Median of each value and its two neighbours; the two ends are kept as they are."""
    if len(values) < 3:
        return values.copy()
    smooth = values.copy()
    smooth[1:-1] = np.median(np.stack([values[:-2], values[1:-1], values[2:]]), axis=0)
    return smooth


def noise_scale(values: FloatArray) -> float:
    """Standard deviation of one evaluation about a curve that may rise, jump or fall.

    The lesser of two estimates that a fall inflates in different ways: the median |second
    difference| / (0.6745 sqrt 6), its two largest set aside, and the residual of the best two
    constant levels. 0 for four values or fewer.
    """
    if len(values) <= 4:
        return 0.0
    bends = np.sort(np.abs(np.diff(values, n=2)))[:-2]
    smooth_noise = float(np.median(bends)) / (0.6745 * np.sqrt(6.0))
    splits = [
        float(np.sum((values[:cut] - values[:cut].mean()) ** 2))
        + float(np.sum((values[cut:] - values[cut:].mean()) ** 2))
        for cut in range(1, len(values))
    ]
    return float(min(smooth_noise, np.sqrt(min(splits) / (len(values) - 2))))


def _fit_knee(
    curve: FloatArray, start: int, crossing: int, noise: float, drop: float, last_high: int
) -> FallPoint:
    """Broken-stick fit over curve[start:], knee in start..crossing, bottom after ``crossing``."""
    window = curve[start:]
    last = len(window) - 1
    knees = np.arange(0, crossing - start + 1)
    fits = [_best_bottom(window, int(knee), crossing - start + 1) for knee in knees]
    errors = np.array([np.sum(residuals**2) for residuals, _, _ in fits])
    best = int(errors.argmin())
    residuals, height, bottom = fits[best]
    # Accuracies near 0 hardly vary: the points above the floor say how noisy the knee is.
    above = residuals[: bottom + 1]
    variance = max(
        noise**2,
        float(errors[best]) / max(last - 4, 1),
        float(np.sum(above**2)) / (bottom - 3) if bottom >= 7 else 0.0,
    )
    close = np.flatnonzero(errors <= errors[best] + _PROFILE_DROP * variance)
    return FallPoint(
        index=start + best + 1,
        low_index=start + int(close[0]),
        high_index=start + int(close[-1]) + 1,
        level_before=float(height[0]),
        level_after=float(height[1]),
        noise=float(np.sqrt(variance)),
        drop=drop,
        last_high_index=last_high,
    )


def _best_bottom(window: FloatArray, knee: int, first: int) -> tuple[FloatArray, FloatArray, int]:
    """Residuals, heights at knee and bottom, and bottom of the best fit with this knee.

    The bottom may be any evaluation from ``first`` on; more than 100 past the knee it is
    sought in steps of a tenth.
    """
    bottoms = np.arange(max(first, knee + 1), len(window))
    far = bottoms - knee > 100
    sparse = knee + np.round(100.0 * 1.1 ** np.arange(1, 60)).astype(np.int64)
    bottoms = bottoms[~far | np.isin(bottoms, sparse) | (bottoms == len(window) - 1)]
    time = np.arange(len(window), dtype=np.float64)
    floor = np.clip((time[None, :] - knee) / (bottoms[:, None] - knee), 0.0, 1.0)
    ramp = np.clip((knee - time) / max(knee, 1), 0.0, 1.0)  # 1 at the window's start, 0 from knee
    flat = np.stack([1.0 - floor, floor], axis=2)  # (bottoms, time, heights)
    loss, height = _least_squares(flat, window)
    slope = np.zeros(len(bottoms))  # height at the window's start less the height at the knee
    if knee > 0:
        rise = np.broadcast_to(ramp, floor.shape)
        sloped = np.stack([1.0 - floor, floor, rise], axis=2)
        sloped_loss, sloped_height = _least_squares(sloped, window)
        rising = sloped_height[:, 2] <= 0.0
        loss = np.where(rising, sloped_loss, loss)
        height = np.where(rising[:, None], sloped_height[:, :2], height)
        slope = np.where(rising, sloped_height[:, 2], 0.0)
    best = int(loss.argmin())
    fitted = height[best, 0] * (1.0 - floor[best]) + height[best, 1] * floor[best]
    fitted += slope[best] * ramp
    return window - fitted, height[best], int(bottoms[best])


def _least_squares(design: FloatArray, target: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residual sum of squares and coefficients for a batch of designs (batch, time, columns)."""
    gram = design.transpose(0, 2, 1) @ design
    moments = design.transpose(0, 2, 1) @ target
    solution = np.linalg.solve(gram, moments[:, :, None])
    coefficients: FloatArray = solution[:, :, 0].astype(np.float64)
    residuals = target - (design @ coefficients[:, :, None])[:, :, 0]
    loss: FloatArray = np.sum(residuals**2, axis=1)
    return loss, coefficients
