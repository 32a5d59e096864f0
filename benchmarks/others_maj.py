"""maj@k of other tools on the same votes: the table of the README.

    python benchmarks/others_maj.py

Exact: the chance that k of the n answers, drawn without replacement, have the right answer as their
majority, ties split. verl's rule: 1,000 bootstrap draws of k with replacement, the most frequent
answer of each draw, ties to the first drawn, unparsable answers as an answer of their own; the mean
of its being right (seed 42), written here anew. NeMo-RL votes over every subset of k; the last
column counts them.
"""

from __future__ import annotations

from collections import Counter
from math import comb

import numpy as np

from srtbench.stats import maj_at_k

DRAWS, SEED = 1000, 42


def votes(gold: int, rival: int, singles: int = 0, unparsable: int = 0) -> list[str | None]:
    """Answers of one prompt; ``gold`` of them are right."""
    others = [f"single-{number}" for number in range(singles)]
    return ["gold"] * gold + ["rival"] * rival + others + [None] * unparsable


TABLE = (
    ("gold 7, rival 5, four singles", votes(7, 5, 4), 16),
    ("gold 5, rival 6, five singles", votes(5, 6, 5), 16),
    ("gold 9, rival 7", votes(9, 7), 16),
    ("gold 2, rival 3, 11 unparsable", votes(2, 3, 0, 11), 4),
)
"""What is voted on, the answers, k."""


def bootstrap(keys: list[str | None], k: int) -> float:
    """verl's maj@k/mean."""
    rng = np.random.default_rng(SEED)
    right = 0
    for _ in range(DRAWS):
        drawn = [keys[place] for place in rng.choice(len(keys), size=k, replace=True)]
        right += Counter(drawn).most_common(1)[0][0] == "gold"
    return right / DRAWS


def rows() -> list[tuple[str, int, str, float, float, int]]:
    """Votes, k, what a plain vote over all of them says, exact, bootstrap, subsets."""
    found = []
    for name, keys, k in TABLE:
        given = Counter(key for key in keys if key is not None)
        truth = "right" if given.most_common(1)[0][0] == "gold" else "wrong"
        numbers = {name: place for place, name in enumerate(dict.fromkeys(keys)) if name}
        coded = [[numbers[key] if key else -1 for key in keys]]
        exact = float(maj_at_k(coded, [numbers["gold"]], k)[0, 0])
        found.append((name, k, truth, exact, bootstrap(keys, k), comb(len(keys), k)))
    return found


def main() -> None:
    """Print the table as Markdown."""
    print("| votes | k | plain vote | srtbench, exact | bootstrap with replacement | subsets |")
    print("|---|---|---|---|---|---|")
    for name, k, truth, exact, drawn, subsets in rows():
        print(f"| {name} | {k} | {truth} | {exact:.3f} | {drawn:.3f} | {subsets:,} |")
    print(f"\nOf 64 answers a prompt, maj@32 over every subset: {comb(64, 32):.1e} subsets.")


if __name__ == "__main__":
    main()
