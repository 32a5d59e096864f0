"""Intervals inside the range of their quantity, and p-values that agree with them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srtbench.stats import (
    SHARE,
    SHARE_DIFFERENCE,
    Interval,
    bootstrap_interval,
    clustered_interval,
    interquartile_mean,
    mean_interval,
    paired_difference,
    rate_interval,
    unpaired_difference,
)
from srtbench.stats._student_t import t_quantile

shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0]))
seed_scores = st.lists(shares, min_size=2, max_size=8)


@given(seed_scores)
def test_an_accuracy_never_leaves_0_to_1(scores: list[float]) -> None:
    found = mean_interval(scores, bounds=SHARE)
    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0


@given(
    st.integers(2, 8).flatmap(lambda n: st.tuples(*[st.lists(shares, min_size=n, max_size=n)] * 2))
)
def test_a_difference_never_leaves_minus_1_to_1_and_flips_with_its_sides(
    pair: tuple[list[float], list[float]],
) -> None:
    for difference in (paired_difference, unpaired_difference):
        found = difference(*pair, bounds=SHARE_DIFFERENCE)
        flipped = difference(*reversed(pair), bounds=SHARE_DIFFERENCE)
        assert -1.0 <= found.low <= found.estimate <= found.high <= 1.0
        assert (flipped.low, flipped.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
        assert flipped.p_value == pytest.approx(found.p_value, abs=1e-9)


@given(seed_scores, seed_scores, st.sampled_from([0.8, 0.95, 0.99]))
def test_p_is_small_exactly_where_the_interval_excludes_0(
    first: list[float], second: list[float], level: float
) -> None:
    for bounds in (None, SHARE_DIFFERENCE):
        found = [unpaired_difference(first, second, level=level, bounds=bounds)]
        if len(first) == len(second):
            found.append(paired_difference(first, second, level=level, bounds=bounds))
        for interval in found:
            assume(min(abs(interval.low), abs(interval.high)) > 1e-9)
            excludes = interval.low > 0 or interval.high < 0
            assert excludes == (interval.p_value < 1 - level)


def test_logit_limits_by_hand() -> None:
    """logit(mean) -/+ t * se / (mean (1 - mean)), taken back."""
    scores = [0.95, 0.99, 0.97]
    mean, error = np.mean(scores), np.std(scores, ddof=1) / math.sqrt(3)
    reach = t_quantile(0.975, 2) * error / (mean * (1 - mean))
    found = mean_interval(scores, bounds=(0, 1))
    for limit, sign in ((found.low, -1), (found.high, 1)):
        assert limit == pytest.approx(
            1 / (1 + math.exp(-(math.log(mean / (1 - mean)) + sign * reach)))
        )
    plain = mean_interval(scores)
    assert plain.high > 1.0 > found.high
    assert (found.estimate, found.standard_error) == (plain.estimate, plain.standard_error)


def test_a_bounded_difference_is_fishers_z() -> None:
    """tanh(atanh d -/+ t * se / (1 - d^2))."""
    differences = [0.7, 0.9, 0.95, 0.85]
    mean, error = np.mean(differences), np.std(differences, ddof=1) / 2
    reach = t_quantile(0.975, 3) * error / (1 - mean**2)
    found = paired_difference(differences, [0.0] * 4, bounds=SHARE_DIFFERENCE)
    assert found.low == pytest.approx(math.tanh(math.atanh(mean) - reach))
    assert found.high == pytest.approx(math.tanh(math.atanh(mean) + reach))


def test_in_the_middle_bounds_change_little() -> None:
    table = np.clip(np.random.default_rng(1).normal(0.5, 0.1, size=(5, 40)), 0, 1)
    plain, bounded = mean_interval(table), mean_interval(table, bounds=SHARE)
    assert (bounded.low, bounded.high) == pytest.approx((plain.low, plain.high), abs=2e-4)
    percent = mean_interval(100 * table, bounds=(0, 100))
    assert (percent.low, percent.high) == pytest.approx((100 * bounded.low, 100 * bounded.high))


@pytest.mark.parametrize("bound", [0.0, 1.0])
def test_seeds_all_at_a_bound_get_the_exact_interval_of_as_many_trials(bound: float) -> None:
    """Where nothing varies, what is known is that n units of n came out so."""

    def limits(interval: Interval) -> tuple[float, float]:
        return pytest.approx((interval.low, interval.high))  # type: ignore[return-value]

    seeds = mean_interval([bound] * 5, bounds=SHARE)
    assert limits(rate_interval(int(5 * bound), 5)) == (seeds.low, seeds.high)
    table = mean_interval(np.full((3, 50), bound), bounds=SHARE)  # seeds of one kind: prompts count
    assert limits(rate_interval(int(50 * bound), 50)) == (table.low, table.high)
    one_seed = mean_interval(np.full((1, 50), bound), bounds=SHARE)
    assert (one_seed.low, one_seed.high) == (table.low, table.high)
    samples = mean_interval(np.full((2, 10, 4), bound), over="samples", bounds=SHARE)
    assert limits(rate_interval(int(80 * bound), 80)) == (samples.low, samples.high)
    clusters = clustered_interval([bound] * 6, [1, 1, 2, 2, 3, 3], bounds=SHARE)
    assert limits(rate_interval(int(3 * bound), 3)) == (clusters.low, clusters.high)


def test_differences_all_at_a_bound() -> None:
    """Five seeds of five fell from 1 to 0: the sign test's p-value, and its interval."""
    fell = paired_difference([0.0] * 5, [1.0] * 5, bounds=SHARE_DIFFERENCE)
    assert (fell.estimate, fell.low) == (-1.0, -1.0)
    assert fell.p_value == pytest.approx(2 * 0.5**5)
    assert fell.high > 0  # 0.0625: not yet decided at 95%
    six = paired_difference([0.0] * 6, [1.0] * 6, bounds=SHARE_DIFFERENCE)
    assert six.p_value < 0.05
    assert six.high < 0


def test_equal_scores_inside_the_range_have_no_width() -> None:
    found = mean_interval([0.5] * 4, bounds=SHARE)
    assert (found.low, found.high) == (0.5, 0.5)
    assert paired_difference([0.5] * 4, [0.5] * 4, bounds=SHARE_DIFFERENCE).p_value == 1.0


def test_bootstrap_stays_inside_too() -> None:
    rng = np.random.default_rng(2)
    scores = rng.binomial(8, 0.97, size=(4, 30)) / 8
    plain, bounded = (
        bootstrap_interval(
            scores, interquartile_mean, np.random.default_rng(0), num_resamples=50, bounds=bounds
        )
        for bounds in (None, SHARE)
    )
    assert plain.estimate == bounded.estimate
    assert bounded.high <= 1.0


def welch_by_resampling(scores: list[np.ndarray], level: float, rng: np.random.Generator) -> float:
    """Half width of a Welch interval: its t quantile found by simulating the two chi-squares."""
    errors = [np.var(s, ddof=1) / len(s) for s in scores]
    dfs = [len(s) - 1 for s in scores]
    df = sum(errors) ** 2 / sum(e**2 / d for e, d in zip(errors, dfs, strict=True))
    draws = np.abs(rng.standard_t(df, size=400_000))
    return float(np.quantile(draws, level)) * math.sqrt(sum(errors))


def test_unpaired_difference_is_welchs() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.normal(0.6, 0.1, size=4), rng.normal(0.4, 0.02, size=7)
    found = unpaired_difference(first, second)
    assert found.estimate == pytest.approx(first.mean() - second.mean())
    assert found.high - found.estimate == pytest.approx(
        welch_by_resampling([first, second], 0.95, rng), rel=0.02
    )
    assert found.num_units == (4,)
    equal = unpaired_difference(first, first + 0.1)
    assert equal.degrees_of_freedom == pytest.approx(6)


def test_unpaired_difference_takes_levels_both_sides_have() -> None:
    rng = np.random.default_rng(4)
    many, one = rng.random((5, 30)), rng.random((1, 40))
    assert unpaired_difference(many, one).resampled == ("prompts",)
    assert unpaired_difference(many, one).num_units == (30,)
    assert unpaired_difference(many, many).resampled == ("seeds", "prompts")
    assert unpaired_difference(many, many[:3], over="seeds").num_units == (3,)


@pytest.mark.parametrize(("high", "low"), [(0.99, 0.98), (0.9, 0.6), (0.5, 0.02)])
def test_unpaired_difference_covers(high: float, low: float) -> None:
    rng = np.random.default_rng(5)

    def runs(accuracy: float) -> np.ndarray:
        skill = math.log(accuracy / (1 - accuracy)) + 0.3 * rng.normal(size=5)
        return rng.binomial(512, 1 / (1 + np.exp(-skill))) / 512

    def truth(accuracy: float) -> float:
        z, weight = np.polynomial.hermite_e.hermegauss(60)
        logit = math.log(accuracy / (1 - accuracy))
        return float(weight @ (1 / (1 + np.exp(-(logit + 0.3 * z)))) / weight.sum())

    difference = truth(high) - truth(low)
    covered = [
        found.low <= difference <= found.high
        for found in (
            unpaired_difference(runs(high), runs(low), bounds=SHARE_DIFFERENCE) for _ in range(1000)
        )
    ]
    assert 0.92 <= np.mean(covered) <= 0.985


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.5, 1.2], bounds=SHARE), "leave the bounds"),
        (lambda: mean_interval([0.5, 0.6], bounds=(1, 0)), "low < high"),
        (lambda: mean_interval([0.5, 0.6], bounds=(0, math.inf)), "finite"),
        (lambda: paired_difference([2.0, 3.0], [0.0, 0.0], bounds=SHARE_DIFFERENCE), "leave"),
        (lambda: unpaired_difference([0.5], [0.5, 0.6]), "two seeds or two prompts"),
        (lambda: unpaired_difference([0.5, 0.6], [0.5], over="seeds"), "at least two seeds"),
        (lambda: unpaired_difference([0.5, 2.6], [0.5, 0.6], bounds=SHARE_DIFFERENCE), "leave"),
        (
            lambda: bootstrap_interval(
                [0.5, 0.7], lambda x: 2.0, np.random.default_rng(0), bounds=SHARE
            ),
            "leave",
        ),
    ],
)
def test_errors_name_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
