"""Intervals: what they say they resampled, their exact small cases, and simulated coverage."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtbench.stats import (
    Interval,
    bootstrap_interval,
    clustered_interval,
    clustered_standard_error,
    holm,
    interquartile_mean,
    mean_interval,
    paired_difference,
    probability_of_improvement,
)
from srtbench.stats._student_t import t_quantile, two_sided_p


def test_student_t_matches_published_tables() -> None:
    table = {
        (0.975, 1): 12.7062,
        (0.975, 2): 4.3027,
        (0.975, 4): 2.7764,
        (0.95, 10): 1.8125,
        (0.995, 4): 4.6041,
        (0.975, 120): 1.9799,
    }
    for (p, df), value in table.items():
        assert t_quantile(p, df) == pytest.approx(value, abs=6e-5)
        assert t_quantile(1 - p, df) == pytest.approx(-value, abs=6e-5)
        assert two_sided_p(t_quantile(p, df), df) == pytest.approx(2 * (1 - p))
    assert t_quantile(0.975, 1e9) == pytest.approx(NormalDist().inv_cdf(0.975))
    assert t_quantile(0.975, 2.5) == pytest.approx(3.57465, abs=1e-4)  # between 2 and 3 df
    assert t_quantile(0.5, 3) == 0.0
    assert two_sided_p(math.inf, 3) == 0.0


def test_seed_interval_is_the_t_interval() -> None:
    interval = mean_interval([0.8, 0.9, 0.7, 0.8])
    assert interval.estimate == pytest.approx(0.8)
    assert interval.standard_error == pytest.approx(np.std([0.8, 0.9, 0.7, 0.8], ddof=1) / 2)
    assert interval.high - interval.estimate == pytest.approx(3.182446 * interval.standard_error)
    assert (interval.resampled, interval.num_units) == (("seeds",), (4,))
    assert str(interval) == "0.800 [0.670, 0.930] (95% over 4 seeds)"


def test_levels_are_separate_and_named() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random((3, 40, 8))
    seeds = mean_interval(scores, over="seeds")
    prompts = mean_interval(scores, over=["prompts"])
    both = mean_interval(scores)
    samples = mean_interval(scores, over=("samples",))
    assert seeds.resampled == ("seeds",)
    assert prompts.resampled == ("prompts",)
    assert both.resampled == ("seeds", "prompts")
    assert both.num_units == (3, 40)
    assert samples.resampled == ("samples",)
    assert both.standard_error >= max(seeds.standard_error, prompts.standard_error)
    assert len({i.estimate for i in (seeds, prompts, both, samples)}) == 1
    one_seed = mean_interval(scores[:1])
    assert one_seed.resampled == ("prompts",)


def test_paired_difference_removes_what_is_shared() -> None:
    rng = np.random.default_rng(4)
    difficulty = rng.normal(size=(1, 200))
    first = difficulty + 0.1 + 0.05 * rng.normal(size=(5, 200))
    second = difficulty + 0.05 * rng.normal(size=(5, 200))
    paired = paired_difference(first, second)
    assert paired.low > 0.08
    assert paired.p_value < 1e-5
    assert paired.standard_error < 0.1 * mean_interval(first).standard_error
    assert paired_difference(first, first).p_value == 1.0
    flipped = paired_difference(second, first)
    assert (flipped.low, flipped.high) == pytest.approx((-paired.high, -paired.low))


def simulate(
    seeds: int, prompts: int, samples: int, seed_spread: float, rng: np.random.Generator
) -> np.ndarray:
    """Accuracies (seeds, prompts): difficulty by prompt, skill by seed, binomial samples."""
    logit = 0.5 + 1.5 * rng.normal(size=(1, prompts)) + seed_spread * rng.normal(size=(seeds, 1))
    return rng.binomial(samples, 1 / (1 + np.exp(-logit))) / samples


def expected_accuracy(seed_spread: float) -> float:
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    spread = math.hypot(1.5, seed_spread)
    return float(weight @ (1 / (1 + np.exp(-(0.5 + spread * z)))) / weight.sum())


def coverage(make: Callable[[], Interval], truth: float, repeats: int) -> float:
    intervals = [make() for _ in range(repeats)]
    return float(np.mean([i.low <= truth <= i.high for i in intervals]))


@pytest.mark.parametrize(
    ("seeds", "prompts", "samples", "seed_spread"),
    [
        (5, 100, 8, 0.4),  # few seeds that differ
        (5, 100, 8, 0.0),  # few seeds that do not
        (5, 500, 4, 0.2),  # few seeds, many prompts
        (3, 60, 8, 0.1),
        (10, 30, 4, 0.5),
        (1, 500, 8, 0.0),  # one seed, many prompts
    ],
)
def test_default_interval_covers_at_its_nominal_rate(
    seeds: int, prompts: int, samples: int, seed_spread: float
) -> None:
    rng = np.random.default_rng([seeds, prompts, samples])
    rate = coverage(
        lambda: mean_interval(simulate(seeds, prompts, samples, seed_spread, rng)),
        expected_accuracy(seed_spread),
        repeats=2000,
    )
    assert 0.93 <= rate <= 0.97


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_seed_scores_cover_at_their_nominal_rate(seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    rate = coverage(lambda: mean_interval(rng.normal(0.7, 0.1, size=seeds)), 0.7, repeats=2000)
    assert 0.93 <= rate <= 0.97


def test_paired_difference_covers_at_its_nominal_rate() -> None:
    rng = np.random.default_rng(11)

    def make() -> Interval:
        shared = rng.normal(size=(5, 1)) * 0.1 + rng.normal(size=(1, 80)) * 0.3
        effect = 0.05 + 0.03 * rng.normal(size=(5, 1)) + 0.1 * rng.normal(size=(1, 80))
        noise = 0.2 * rng.normal(size=(2, 5, 80))
        return paired_difference(shared + effect + noise[0], shared + noise[1])

    assert 0.93 <= coverage(make, 0.05, repeats=2000) <= 0.97


def test_sample_and_cluster_intervals_cover_at_their_nominal_rate() -> None:
    rng = np.random.default_rng(12)
    p = rng.random((2, 30, 1))
    rate = coverage(
        lambda: mean_interval((rng.random((2, 30, 8)) < p).astype(float), over="samples"),
        float(p.mean()),
        repeats=1500,
    )
    assert 0.93 <= rate <= 0.97
    clusters = np.repeat(np.arange(40), rng.integers(4, 9, size=40))

    def make() -> Interval:
        return clustered_interval(
            rng.normal(size=40)[clusters] + rng.normal(size=len(clusters)), clusters
        )

    assert 0.93 <= coverage(make, 0.0, repeats=2000) <= 0.97


def test_bootstrap_covers_and_reproduces_the_formula() -> None:
    rng = np.random.default_rng(13)
    truth = expected_accuracy(0.4)
    covered, ratios = [], []
    for _ in range(250):
        scores = simulate(5, 40, 8, 0.4, rng)
        boot = bootstrap_interval(scores, lambda x: float(x.mean()), rng, num_resamples=150)
        covered.append(boot.low <= truth <= boot.high)
        ratios.append(boot.standard_error / mean_interval(scores).standard_error)
    assert np.mean(covered) >= 0.92
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.05)


def test_same_seed_same_interval() -> None:
    scores = np.random.default_rng(0).random((4, 30, 6))
    for over in (None, "seeds", "prompts", "samples"):
        first, second, other = (
            bootstrap_interval(
                scores, interquartile_mean, np.random.default_rng(seed), over, num_resamples=50
            )
            for seed in (7, 7, 8)
        )
        assert first == second
        assert first != other
        assert first.num_resamples == 50
        assert first.resampled == (("seeds", "prompts") if over is None else (over,))


def test_clustered_standard_error() -> None:
    values, clusters = [1.0, 0.0, 1.0, 1.0], ["a", "b", "c", "d"]
    alone = np.std(values, ddof=1) / 2
    assert clustered_standard_error(values, clusters) == pytest.approx(alone)
    copied = clustered_standard_error(np.repeat(values, 5), np.repeat(clusters, 5))
    assert copied == pytest.approx(alone)  # copies are no new evidence
    assert clustered_interval(values, clusters).resampled == ("clusters",)


def test_interquartile_mean_drops_a_quarter_at_each_end() -> None:
    assert interquartile_mean([0.0, 1.0, 2.0, 100.0]) == 1.5
    assert interquartile_mean(np.arange(10)) == pytest.approx(np.mean(np.arange(2, 8)))
    assert interquartile_mean([[3.0]]) == 3.0


@pytest.mark.parametrize(("runs", "shift"), [(5, 0.0), (5, 1.0), (5, 2.0), (10, 0.5)])
def test_probability_of_improvement_covers(runs: int, shift: float) -> None:
    rng = np.random.default_rng(runs)
    rate = coverage(
        lambda: probability_of_improvement(rng.normal(shift, 1, runs), rng.normal(0, 1, runs)),
        NormalDist().cdf(shift / math.sqrt(2)),
        repeats=1000,
    )
    assert 0.92 <= rate <= 0.99


def test_probability_of_improvement_counts_ties_half_and_never_degenerates() -> None:
    sweep = probability_of_improvement([0.9, 0.8, 0.85], [0.5, 0.4, 0.6])
    assert sweep.estimate == 1.0
    assert sweep.high == 1.0
    assert sweep.low < 0.6  # three against three proves little
    assert probability_of_improvement([1.0, 1.0], [1.0, 1.0]).estimate == 0.5
    two_tasks = probability_of_improvement([[1.0, 0.0]] * 3, [[0.0, 1.0]] * 3)
    assert two_tasks.estimate == 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_monotone_and_never_below_the_raw_value(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    raw = np.array(p_values)
    assert np.all(adjusted >= raw)
    assert np.all(adjusted <= 1.0)
    order = np.argsort(raw, kind="stable")
    assert np.all(np.diff(adjusted[order]) >= 0)


def test_holm_by_hand() -> None:
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([0.5]), "one seed and one prompt"),
        (lambda: mean_interval([0.5, math.nan]), "NaN"),
        (lambda: mean_interval(np.zeros((2, 2, 2, 2))), "scores must be"),
        (lambda: mean_interval([1.0, 2.0], over="runs"), "over must name"),
        (lambda: mean_interval([1.0, 2.0], over=()), "over must name"),
        (lambda: mean_interval(np.zeros((1, 5)), over="seeds"), "at least two seeds"),
        (lambda: mean_interval([1.0, 2.0], level=95), "level"),
        (lambda: paired_difference(np.zeros((2, 3)), np.zeros((2, 4))), "cannot pair"),
        (lambda: clustered_standard_error([1.0, 2.0], [1, 1]), "two clusters"),
        (lambda: clustered_standard_error([1.0, 2.0], [1]), "differ in shape"),
        (lambda: holm([0.5, 1.5]), "between 0 and 1"),
        (lambda: probability_of_improvement([1.0], [1.0, 2.0]), "two on each side"),
        (lambda: probability_of_improvement(np.ones((2, 2)), np.ones((2, 3))), "tasks"),
        (lambda: t_quantile(1.0, 3), "probability"),
        (
            lambda: bootstrap_interval(
                [1.0, 2.0], np.mean, np.random.default_rng(0), num_resamples=1
            ),
            "num_resamples",
        ),
    ],
)
def test_errors_name_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
