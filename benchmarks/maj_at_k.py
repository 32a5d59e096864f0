"""Exact maj@k against the bootstrap that reinforcement-learning trainers log, in one run.

The reference draws ``--draws`` subsets with replacement per prompt and k, counts votes in a Counter
and averages: plain Python, as validation metrics in trainers do it. Timed one after the other in
this process, on the same answers. ``--reference-prompts`` times the reference on the first prompts
only and scales up; by default it runs on all.

    python benchmarks/maj_at_k.py
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

import numpy as np

from srtbench.stats import maj_at_k


def bootstrap_maj_at_k(
    keys: list[list[int]], gold: list[int], k_max: int, draws: int, seed: int
) -> np.ndarray:
    """Mean over ``draws`` resamples of whether the vote is right, (prompts, k_max)."""
    rng = random.Random(seed)
    table = np.zeros((len(keys), k_max))
    for prompt, answers in enumerate(keys):
        for k in range(1, k_max + 1):
            right = 0
            for _ in range(draws):
                votes = Counter(rng.choices(answers, k=k))
                votes.pop(-1, None)
                if votes and votes.most_common(1)[0][0] == gold[prompt]:
                    right += 1
            table[prompt, k - 1] = right / draws
    return table


def sampled_answers(prompts: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers of a half-trained policy: accuracy varies by prompt, 5% unparsable, a long tail."""
    rng = np.random.default_rng(seed)
    accuracy = rng.beta(1.2, 1.2, size=(prompts, 1))
    tail = rng.geometric(0.25, size=(prompts, samples))
    keys = np.where(rng.random((prompts, samples)) < accuracy, 0, tail)
    keys[rng.random((prompts, samples)) < 0.05] = -1
    return keys, np.zeros(prompts, dtype=np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=500)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--k-max", type=int, default=32)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--reference-prompts", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    keys, gold = sampled_answers(options.prompts, options.samples, options.seed)
    k = range(1, options.k_max + 1)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        exact = maj_at_k(keys, gold, k)
        times.append(time.perf_counter() - start)
    exact_seconds = times[0]  # the first call, caches cold; the later ones only for comparison

    timed = options.reference_prompts or options.prompts
    start = time.perf_counter()
    reference = bootstrap_maj_at_k(
        keys[:timed].tolist(), gold[:timed].tolist(), options.k_max, options.draws, options.seed
    )
    reference_seconds = (time.perf_counter() - start) * options.prompts / timed

    bias = (reference - exact[:timed]).mean(axis=0)
    print(f"{options.prompts} prompts x {options.samples} samples, k = 1..{options.k_max}")
    print(f"exact:     {exact_seconds:.4f} s (repeats {times[1]:.4f}, {times[2]:.4f})")
    scaled = "" if timed == options.prompts else f" (scaled up from {timed} prompts)"
    print(f"bootstrap: {reference_seconds:.1f} s, {options.draws} draws{scaled}")
    print(f"ratio:     {reference_seconds / exact_seconds:.0f}x")
    print(f"bootstrap minus exact, averaged over prompts: k={options.k_max} {bias[-1]:+.4f}")
    print(f"largest difference on one prompt: {np.abs(reference - exact[:timed]).max():.3f}")


if __name__ == "__main__":
    main()
