"""The simulations behind docs/estimators.md: coverage of intervals, dating of collapses.

    python benchmarks/coverage.py [--simulations 2000]

The seed of every row is made of its own settings, so the tables come out alike on every machine.
"""

import argparse
import math

import numpy as np

from srtbench.stats import fall_point, mean_interval

GRID = (
    (1, 30, 8, 0.0),
    (1, 500, 8, 0.0),
    (2, 100, 8, 0.3),
    (2, 100, 8, 1.0),
    (3, 100, 8, 0.3),
    (5, 30, 4, 0.3),
    (5, 100, 8, 0.0),
    (5, 100, 8, 0.4),
    (5, 500, 4, 0.2),
    (10, 50, 8, 1.0),
)
FALLS = (
    (1, 12, 40),
    (1, 100, 400),
    (4, 20, 40),
    (4, 20, 100),
    (10, 40, 40),
    (10, 40, 100),
    (10, 40, 400),
    (25, 100, 40),
    (25, 100, 100),
)


def expected_accuracy(spread: float) -> float:
    """Mean of the logistic of N(0.5, 1.5^2 + spread^2)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    logit = 0.5 + math.hypot(1.5, spread) * nodes
    return float((weights / (1 + np.exp(-logit))).sum() / weights.sum())


def default_interval(seeds: int, prompts: int, samples: int, spread: float, times: int) -> float:
    """Share of simulated sweeps whose default 95% interval holds the true accuracy."""
    rng = np.random.default_rng([seeds, prompts, samples, round(10 * spread)])
    truth, covered = expected_accuracy(spread), 0
    for _ in range(times):
        logit = 0.5 + 1.5 * rng.normal(size=(1, prompts)) + spread * rng.normal(size=(seeds, 1))
        scores = rng.binomial(samples, 1 / (1 + np.exp(-logit))) / samples
        interval = mean_interval(scores)
        covered += interval.low <= truth <= interval.high
    return covered / times


def seeds_only(seeds: int, times: int) -> tuple[float, float]:
    """Coverage over seeds alone: a percentile bootstrap's, and the default's."""
    rng = np.random.default_rng(seeds)
    bootstrap = default = 0
    for _ in range(times):
        scores = rng.normal(0.7, 0.1, size=seeds)
        means = scores[rng.integers(seeds, size=(1000, seeds))].mean(axis=1)
        low, high = np.quantile(means, (0.025, 0.975))
        bootstrap += low <= 0.7 <= high
        interval = mean_interval(scores)
        default += interval.low <= 0.7 <= interval.high
    return bootstrap / times, default / times


def dating(width: int, length: int, prompts: int, times: int) -> tuple[float, float, float]:
    """Falls dated within one evaluation; onset intervals that hold it; their mean width."""
    rng = np.random.default_rng([width, length, prompts])
    steps = np.arange(length)
    close, covered, widths = [], [], []
    for _ in range(times):
        onset = int(rng.integers(2, length - max(2, width)))
        curve = 0.8 - 0.3 * np.exp(-steps / 4)
        knee = onset - 1
        ramp = curve[knee] - (curve[knee] - 0.02) * (steps - knee) / width
        curve = np.where(steps > knee, np.maximum(ramp, 0.02), curve)
        fall = fall_point(rng.binomial(prompts, curve) / prompts)
        if fall is None:
            close.append(False)
            continue
        close.append(abs(fall.index - onset) <= 1)
        covered.append(fall.low_index <= onset <= fall.high_index)
        widths.append(fall.high_index - fall.low_index)
    return float(np.mean(close)), float(np.mean(covered)), float(np.mean(widths))


def main() -> None:
    """Print the three tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000, help="sweeps per row")
    times = parser.parse_args().simulations
    print("| seeds | percentile bootstrap | `mean_interval` |\n|---|---|---|")
    for seeds in (3, 5, 10):
        bootstrap, default = seeds_only(seeds, times)
        print(f"| {seeds} | {bootstrap:.1%} | {default:.1%} |")
    print("\n| seeds | prompts | samples | spread of seeds | covers |\n|---|---|---|---|---|")
    for seeds, prompts, samples, spread in GRID:
        rate = default_interval(seeds, prompts, samples, spread, times)
        print(f"| {seeds} | {prompts} | {samples} | {spread:g} | {rate:.1%} |")
    runs = max(1, times // 10)
    print("\n| fall over | evaluations | prompts | within one | interval covers | mean width |")
    print("|---|---|---|---|---|---|")
    for width, length, prompts in FALLS:
        close, covered, mean = dating(width, length, prompts, runs)
        print(f"| {width} | {length} | {prompts} | {close:.1%} | {covered:.1%} | {mean:.1f} |")


if __name__ == "__main__":
    main()
