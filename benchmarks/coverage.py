"""Simulated coverage of the intervals, and accuracy of the collapse detector.

    python benchmarks/coverage.py [--simulations 1000] [--seed 0]

Prints the tables of docs/estimators.md as Markdown: the percentile bootstrap against the default
interval, coverage of the default, dating of the onset of a collapse, and false alarms. Every row
is simulated ``--simulations`` times from its own generator, seeded by ``--seed`` and the row, so
a row does not depend on the others. One thread.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import math
import time
from collections.abc import Sequence

import numpy as np

from srtbench.stats import fall_point, mean_interval

RESAMPLES = 2000
DIFFICULTY = 1.5  # spread of prompts, in logits
SCORES = (  # seeds, prompts, samples, spread of prompts, spread of seeds (logits)
    (1, 30, 8, DIFFICULTY, 0.0),
    (1, 500, 8, DIFFICULTY, 0.0),
    (2, 100, 8, DIFFICULTY, 0.1),
    (2, 100, 8, DIFFICULTY, 0.3),
    (2, 100, 8, DIFFICULTY, 1.0),
    (3, 100, 8, DIFFICULTY, 0.3),
    (5, 30, 4, DIFFICULTY, 0.3),
    (5, 100, 8, DIFFICULTY, 0.0),
    (5, 100, 8, DIFFICULTY, 0.4),
    (5, 500, 4, DIFFICULTY, 0.2),
    (10, 50, 8, DIFFICULTY, 1.0),
    (5, 100, 8, 0.0, 0.0),
)
FALLS = (  # evaluations the fall takes, evaluations, prompts
    (1, 12, 40),
    (1, 100, 40),
    (1, 100, 400),
    (4, 20, 40),
    (4, 20, 100),
    (10, 40, 40),
    (10, 40, 100),
    (10, 40, 400),
    (25, 100, 40),
    (25, 100, 100),
)
HEALTHY = (("saturate", (4, 6, 10, 20, 60)), ("drift", (4, 6, 10, 20, 60)), ("dip", (10, 20, 60)))
LOW_LEVEL = 0.3  # accuracy of the flat runs whose noise may look like a fall


def generator(seed: int, *row: float) -> np.random.Generator:
    """A generator of its own for every row; spreads and levels enter in hundredths."""
    return np.random.default_rng([seed, *(round(100 * value) for value in row)])


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    print(f"\n{title}\n\n| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |", flush=True)


def share(hits: Sequence[bool]) -> str:
    return f"{np.mean(hits):.1%}" if len(hits) else "-"


def few_seeds(simulations: int, seed: int) -> list[list[object]]:
    """One normal score per seed: percentile bootstrap of the mean against the default."""
    rows: list[list[object]] = []
    for seeds in (3, 5, 10):
        rng = generator(seed, seeds)
        percentile, default = [], []
        for _ in range(simulations):
            scores = rng.normal(0.7, 0.1, size=seeds)
            means = scores[rng.integers(seeds, size=(RESAMPLES, seeds))].mean(axis=1)
            low, high = np.quantile(means, (0.025, 0.975))
            percentile.append(low <= 0.7 <= high)
            interval = mean_interval(scores)
            default.append(interval.low <= 0.7 <= interval.high)
        rows.append([seeds, share(percentile), share(default)])
    return rows


def expected_accuracy(spread: float) -> float:
    """Mean of the logistic of a normal with mean 0.5, by Gauss-Hermite quadrature."""
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    return float(weight @ (1 / (1 + np.exp(-(0.5 + spread * z)))) / weight.sum())


def default_coverage(simulations: int, seed: int) -> list[list[object]]:
    """Binomial scores, difficulty varying by prompt and skill by seed."""
    rows: list[list[object]] = []
    for seeds, prompts, samples, of_prompts, of_seeds in SCORES:
        rng = generator(seed, seeds, prompts, samples, of_prompts, of_seeds)
        truth = expected_accuracy(math.hypot(of_prompts, of_seeds))
        covered = []
        for _ in range(simulations):
            logit = 0.5 + of_prompts * rng.normal(size=(1, prompts))
            logit = logit + of_seeds * rng.normal(size=(seeds, 1))
            interval = mean_interval(rng.binomial(samples, 1 / (1 + np.exp(-logit))) / samples)
            covered.append(interval.low <= truth <= interval.high)
        spread = of_seeds if seeds > 1 else "-"
        rows.append([seeds, prompts, samples, of_prompts, spread, share(covered)])
    return rows


def run_curve(
    length: int, onset: int | None = None, width: int = 1, top: float = 0.8, bottom: float = 0.02
) -> np.ndarray:
    """Expected accuracy: a saturating rise, then a straight fall over ``width`` evaluations."""
    t = np.arange(length)
    curve = top - (top - 0.5) * np.exp(-t / 4)
    if onset is None:
        return curve
    knee = onset - 1
    ramp = curve[knee] - (curve[knee] - bottom) * (t - knee) / width
    return np.where(t > knee, np.maximum(ramp, bottom), curve)


def onsets(simulations: int, seed: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for width, length, prompts in FALLS:
        rng = generator(seed, width, length, prompts)
        close, covered, widths = [], [], []
        for _ in range(simulations):
            onset = int(rng.integers(2, length - max(2, width)))
            accuracy = rng.binomial(prompts, run_curve(length, onset, width)) / prompts
            fall = fall_point(accuracy)
            if fall is not None:
                close.append(abs(fall.index - onset) <= 1)
                covered.append(fall.low_index <= onset <= fall.high_index)
                widths.append(fall.high_index - fall.low_index)
        mean_width = f"{np.mean(widths):.1f}" if widths else "-"
        found = f"{len(close) / simulations:.1%}"
        rows.append([width, length, prompts, found, share(close), share(covered), mean_width])
    return rows


def healthy_curve(shape: str, length: int, rng: np.random.Generator) -> np.ndarray:
    curve = run_curve(length)
    if shape == "drift":
        return curve - 0.05 * np.arange(length) / length
    if shape == "dip":
        start = int(rng.integers(2, max(3, length - 7)))
        curve[start : start + 4] = 0.02
    return curve


def false_alarms(simulations: int, seed: int) -> list[list[object]]:
    rows: list[list[object]] = []
    for kind, (shape, lengths) in enumerate(HEALTHY):
        for prompts in (32, 200):
            alarms = 0
            for length in lengths:
                rng = generator(seed, kind, prompts, length)
                for _ in range(simulations):
                    curve = healthy_curve(shape, length, rng)
                    alarms += fall_point(rng.binomial(prompts, curve) / prompts) is not None
            spans = ", ".join(map(str, lengths))
            rows.append([shape, spans, prompts, "no", alarms, simulations * len(lengths)])
    for length in (6, 8, 12, 20):
        for known in (False, True):
            rng = generator(seed, LOW_LEVEL, length)
            noise = math.sqrt(LOW_LEVEL * (1 - LOW_LEVEL) / 32) if known else None
            runs = [rng.binomial(32, LOW_LEVEL, size=length) / 32 for _ in range(simulations)]
            alarms = sum(fall_point(run, noise=noise) is not None for run in runs)
            given = "yes" if known else "no"
            rows.append([f"flat at {LOW_LEVEL}", length, 32, given, alarms, simulations])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--simulations", type=int, default=1000, help="runs per table row")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    n, seed = args.simulations, args.seed
    start = time.process_time()
    head: tuple[str, ...] = ("seeds", "percentile bootstrap", "`mean_interval`")
    table("Few seeds, nominal 95%", head, few_seeds(n, seed))
    head = ("seeds", "prompts", "samples", "spread of prompts", "spread of seeds", "covers")
    table("The default, nominal 95%", head, default_coverage(n, seed))
    head = ("fall over", "evaluations", "prompts", "found", "within one", "covers", "mean width")
    table("Onset of a collapse", head, onsets(n, seed))
    head = ("curve", "evaluations", "prompts", "noise given", "false alarms", "runs")
    table("False alarms", head, false_alarms(n, seed))
    print(f"\n{n} simulations per row, seed {seed}: {time.process_time() - start:.0f} s of CPU")


if __name__ == "__main__":
    main()
