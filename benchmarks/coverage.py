"""The simulations behind docs/estimators.md: coverage of intervals, dating of collapses.

    python benchmarks/coverage.py [--simulations 2000]

The seed of every row is made of its own settings, so the tables come out alike on every machine.
"""

import argparse
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from srtbench.stats import (
    SHARE,
    SHARE_DIFFERENCE,
    Interval,
    fall_point,
    mean_interval,
    paired_difference,
    rate_interval,
    seed_split,
    unpaired_difference,
)

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
ACCURACIES = (0.02, 0.1, 0.5, 0.9, 0.98, 0.99)
SEEDS = (3, 5, 10)
SHAPES = ((128, 16, 0.4), (40, 8, 0.4), (128, 16, 1.0))
"""Prompts, samples and spread of seeds on the logit scale."""
COLLAPSE_RATES = (0.1, 0.2, 0.5, 0.9)
DIFFERENCES = ((0.52, 0.48), (0.9, 0.68), (0.98, 0.68), (0.99, 0.98), (0.5, 0.02))
PROMPT_SPREAD = 1.5


def supported(accuracy: float, seeds: int, spread: float) -> bool:
    """Whether docs/estimators.md promises 90% or more of a nominal 95%, for ``mean_interval``
    within bounds: three seeds or more, and seeds that differ by more than .4 of a logit only for
    five or more of them and away from the ends."""
    if not 0.02 <= accuracy <= 0.99 or seeds < 3:
        return False
    return spread <= 0.4 or (spread <= 1.0 and seeds >= 5 and 0.1 <= accuracy <= 0.9)


def expected_accuracy(spread: float, skill: float = 0.5) -> float:
    """Mean of the logistic of N(skill, 1.5^2 + spread^2)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    logit = skill + math.hypot(PROMPT_SPREAD, spread) * nodes
    return float((weights / (1 + np.exp(-logit))).sum() / weights.sum())


@cache
def skill_of(accuracy: float, spread: float) -> float:
    """Mean logit at which the expected accuracy is ``accuracy``, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (
            (middle, high) if expected_accuracy(spread, middle) < accuracy else (low, middle)
        )
    return low


def draw_scores(logit: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Shares of right samples, of the shape of ``logit``."""
    scores: np.ndarray = rng.binomial(samples, 1 / (1 + np.exp(-logit))) / samples
    return scores


def covers(interval: Interval, truth: float) -> bool:
    """Whether the interval holds the truth."""
    return interval.low <= truth <= interval.high


def near_bounds(
    accuracy: float, seeds: int, prompts: int, samples: int, spread: float, times: int
) -> tuple[float, float, float, float]:
    """Coverage of (seeds, prompts) scores, plain and within bounds; the same within bounds of one
    score per seed, each on prompts of its own; how often the plain interval leaves 0..1."""
    rng = np.random.default_rng(
        [round(1000 * accuracy), seeds, prompts, samples, round(10 * spread)]
    )
    skill, found = skill_of(accuracy, spread), []
    for _ in range(times):
        talent = skill + spread * rng.normal(size=(seeds, 1))
        scores = draw_scores(talent + PROMPT_SPREAD * rng.normal(size=(1, prompts)), samples, rng)
        own = draw_scores(talent + PROMPT_SPREAD * rng.normal(size=(seeds, prompts)), samples, rng)
        plain, inside = mean_interval(scores), mean_interval(scores, bounds=SHARE)
        alone = mean_interval(own.mean(axis=1), bounds=SHARE)
        leaves = plain.low < 0 or plain.high > 1
        found.append([*(covers(i, accuracy) for i in (plain, inside, alone)), leaves])
    return tuple(np.mean(found, axis=0).tolist())


def split_seeds(rate: float, seeds: int, times: int) -> tuple[float, ...]:
    """Coverage where seeds collapse at ``rate`` to .02 and else reach .9: the plain mean, the mean
    within bounds, the collapse rate, the mean of three or more survivors, of two over seeds."""
    rng = np.random.default_rng([round(10 * rate), seeds])
    well, low = skill_of(0.9, 0.4), skill_of(0.02, 0.4)
    truth = rate * 0.02 + (1 - rate) * 0.9
    found: list[list[bool]] = [[], [], [], [], []]
    for _ in range(times):
        dead = rng.random(seeds) < rate
        talent = np.where(dead, low, well)[:, None] + 0.4 * rng.normal(size=(seeds, 1))
        scores = draw_scores(talent + PROMPT_SPREAD * rng.normal(size=(1, 128)), 16, rng)
        found[0].append(covers(mean_interval(scores), truth))
        found[1].append(covers(mean_interval(scores, bounds=SHARE), truth))
        alive = int(seeds - dead.sum())
        split = seed_split(scores, dead, over="seeds" if alive == 2 else None)
        found[2].append(covers(split.rate, rate))
        if alive > 1 and split.survivors is not None:
            found[4 if alive == 2 else 3].append(covers(split.survivors, 0.9))
    return tuple(float(np.mean(f)) if len(f) >= times / 20 else math.nan for f in found)


def exact_rate(rate: float, seeds: int) -> float:
    """Coverage of ``rate_interval``: a finite sum."""
    return math.fsum(
        math.comb(seeds, k) * rate**k * (1 - rate) ** (seeds - k)
        for k in range(seeds + 1)
        if covers(rate_interval(k, seeds), rate)
    )


def differences(first: float, second: float, seeds: int, times: int) -> tuple[float, ...]:
    """Coverage of a difference of accuracies: paired plain and within bounds, unpaired likewise.

    Paired runs share prompts and half the variance of a seed."""
    rng = np.random.default_rng([round(100 * first), round(100 * second), seeds])
    skills, found = [skill_of(a, 0.4) for a in (first, second)], []
    methods: list[tuple[Callable[..., Interval], bool]] = [
        (paired_difference, True),
        (unpaired_difference, False),
    ]
    for _ in range(times):
        row = []
        for method, paired in methods:
            shared = rng.normal(size=(seeds, 1)), rng.normal(size=(1, 128))
            sides = []
            for skill in skills:
                own = rng.normal(size=(seeds, 1))
                seed = math.sqrt(0.5) * (shared[0] + own) if paired else own
                prompt = shared[1] if paired else rng.normal(size=(1, 128))
                logit = skill + 0.4 * seed + PROMPT_SPREAD * prompt
                sides.append(draw_scores(logit, 16, rng))
            for bounds in (None, SHARE_DIFFERENCE):
                row.append(covers(method(*sides, bounds=bounds), first - second))
        found.append(row)
    return tuple(np.mean(found, axis=0).tolist())


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


def smooth_fall(scale: float, times: int) -> float:
    """Share of onset intervals that hold the evaluation by which 5% of a logistic fall is lost."""
    rng, steps, covered = np.random.default_rng(round(10 * scale)), np.arange(40), []
    for _ in range(times):
        centre = rng.uniform(15, 25)
        curve = 0.8 - 0.78 / (1 + np.exp(-(steps - centre) / scale))
        fall = fall_point(rng.binomial(100, curve) / 100)
        if fall is not None:
            onset = math.ceil(centre - scale * math.log(19))
            covered.append(fall.low_index <= onset <= fall.high_index)
    return float(np.mean(covered))


def wandering(memory: float, length: int, times: int) -> float:
    """Share of runs said to fall that wander about .7 with a standard deviation of .08."""
    rng, alarms = np.random.default_rng([round(10 * memory), length]), 0
    for _ in range(times):
        noise = rng.normal(size=length)
        for place in range(1, length):
            noise[place] = memory * noise[place - 1] + math.sqrt(1 - memory**2) * noise[place]
        alarms += fall_point(np.clip(0.7 + 0.08 * noise, 0, 1)) is not None
    return alarms / times


def percent(value: float) -> str:
    """A share as a percentage, "-" for too few cases."""
    return "-" if math.isnan(value) else f"{value:.1%}"


def print_means(times: int) -> None:
    """Coverage of the mean in the middle of the range."""
    print("| seeds | percentile bootstrap | `mean_interval` |\n|---|---|---|")
    for seeds in SEEDS:
        bootstrap, default = seeds_only(seeds, times)
        print(f"| {seeds} | {bootstrap:.1%} | {default:.1%} |")
    print("\n| seeds | prompts | samples | spread of seeds | covers |\n|---|---|---|---|---|")
    for seeds, prompts, samples, spread in GRID:
        rate = default_interval(seeds, prompts, samples, spread, times)
        print(f"| {seeds} | {prompts} | {samples} | {spread:g} | {rate:.1%} |")


def print_bounds(times: int) -> None:
    """Coverage near the bounds; a cell that the docs do not support is in brackets."""
    for seeds in SEEDS:
        print(
            f"\n{seeds} seeds\n\n| prompts x samples | spread of seeds | accuracy | plain |", end=""
        )
        print(" leaves 0..1 | bounded | one score per seed, bounded |")
        print("|---" * 7 + "|")
        for prompts, samples, spread in SHAPES:
            for accuracy in ACCURACIES:
                plain, inside, alone, leaves = near_bounds(
                    accuracy, seeds, prompts, samples, spread, times
                )
                shown = [percent(inside), percent(alone)]
                if not supported(accuracy, seeds, spread):
                    shown = [f"({text})" for text in shown]
                cells = " | ".join([percent(plain), percent(leaves), *shown])
                print(f"| {prompts} x {samples} | {spread:g} | {accuracy:g} | {cells} |")


def print_splits(times: int) -> None:
    """Coverage where some seeds collapse."""
    print(
        "\n| collapse rate | seeds | mean | mean, bounded | k of n | exact | 3+ alive | 2 alive |"
    )
    print("|---" * 8 + "|")
    for rate in COLLAPSE_RATES:
        for seeds in SEEDS:
            plain, inside, share, three, two = split_seeds(rate, seeds, times)
            shown = (plain, inside, share, exact_rate(rate, seeds), three, two)
            print(f"| {rate:g} | {seeds} | {' | '.join(percent(value) for value in shown)} |")


def print_differences(times: int) -> None:
    """Coverage of differences of two accuracies."""
    print("\n| accuracies | seeds | paired | bounded | unpaired | bounded |")
    print("|---" * 6 + "|")
    for first, second in DIFFERENCES:
        for seeds in SEEDS:
            shown = " | ".join(percent(v) for v in differences(first, second, seeds, times))
            print(f"| {first:g} - {second:g} | {seeds} | {shown} |")


def print_dates(times: int) -> None:
    """Dating of falls."""
    print("\n| fall over | evaluations | prompts | within one | interval covers | mean width |")
    print("|---|---|---|---|---|---|")
    for width, length, prompts in FALLS:
        close, covered, mean = dating(width, length, prompts, times)
        print(f"| {width} | {length} | {prompts} | {close:.1%} | {covered:.1%} | {mean:.1f} |")
    print("\n| smooth fall, scale | interval covers |\n|---|---|")
    for scale in (0.3, 0.7, 1.5, 3.0):
        print(f"| {scale:g} | {smooth_fall(scale, times):.1%} |")
    print("\n| correlation of neighbouring evaluations | 10 evaluations | 20 | 40 |")
    print("|---" * 4 + "|")
    for memory in (0.0, 0.5, 0.8):
        rates = (wandering(memory, length, times) for length in (10, 20, 40))
        print(f"| {memory:g} | {' | '.join(percent(rate) for rate in rates)} |")


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--simulations", type=int, default=2000, help="sweeps per row")
    times = parser.parse_args().simulations
    print_means(times)
    print_bounds(times)
    print_splits(times)
    print_differences(times)
    print_dates(max(1, times // 10))


if __name__ == "__main__":
    main()
