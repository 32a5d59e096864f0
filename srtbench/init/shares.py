"""Which share of the questions each split gets, so that none is empty."""

import itertools
from collections import Counter
from collections.abc import Sequence

from srtbench.config.datasets import SplitShares
from srtbench.config.words import counted
from srtbench.datasets.problems import DatasetError, Split
from srtbench.datasets.splits import split_of

FEW = 60
"""Questions below which shares are tried out, since the hash of a question may be unlucky."""

SPLITS: tuple[Split, ...] = ("train", "eval", "warm_start")
_LEAST = {"train": 1, "eval": 1, "warm_start": 2}
"""A warm start holds one question back, to check itself."""


def shares_for(prompts: Sequence[str], wanted: SplitShares) -> tuple[SplitShares, dict[str, int]]:
    """Shares near the wanted ones, and how many of the prompts each split then has.

    Raises:
        DatasetError: there are too few prompts to divide.
    """
    counts = _counts(prompts, wanted)
    if len(prompts) >= FEW and _is_enough(counts):
        return wanted, counts
    tried = [(_miss(counts, prompts, wanted), wanted, counts)] if _is_enough(counts) else []
    for train, evaluation in itertools.product(range(5, 91), repeat=2):
        if train + evaluation > 95 or (len(prompts) >= FEW and (train % 5 or evaluation % 5)):
            continue
        warm = 100 - train - evaluation
        shares = SplitShares(train=train / 100, eval=evaluation / 100, warm_start=warm / 100)
        counts = _counts(prompts, shares)
        if _is_enough(counts):
            tried.append((_miss(counts, prompts, wanted), shares, counts))
    if not tried:
        raise DatasetError(
            f"{counted(len(prompts), 'different question')} cannot be divided into some to train "
            "on, some held out to evaluate on and some for the warm start: give more rows"
        )
    _, shares, counts = min(tried, key=lambda one: one[0])
    return shares, counts


def _counts(prompts: Sequence[str], shares: SplitShares) -> dict[str, int]:
    found = Counter(split_of(prompt, shares) for prompt in prompts)
    return {split: found[split] for split in SPLITS}


def _is_enough(counts: dict[str, int]) -> bool:
    return all(counts[split] >= least for split, least in _LEAST.items())


def _miss(counts: dict[str, int], prompts: Sequence[str], wanted: SplitShares) -> float:
    """How far the counts are from the shares that are wanted."""
    shares: dict[str, float] = wanted.model_dump()
    return sum(abs(counts[split] - len(prompts) * shares[split]) for split in SPLITS)
