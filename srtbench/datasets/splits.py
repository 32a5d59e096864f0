"""Which split a question belongs to: a function of its text alone, so splits cannot overlap."""

import hashlib
from collections.abc import Sequence
from itertools import islice

from srtbench.config.datasets import SplitShares
from srtbench.config.sameness import normalise
from srtbench.datasets.problems import DatasetError, Problem, Split

__all__ = ["check_disjoint", "excerpt", "listing", "normalise", "split_of"]

_SALT = "srtbench split 1\n"  # another salt is another division of every dataset


def split_of(question: str, shares: SplitShares) -> Split:
    """The one split that ``question`` belongs to, by the hash of its normalised text."""
    digest = hashlib.sha256((_SALT + normalise(question)).encode()).digest()
    place = int.from_bytes(digest[:6], "big") / 2**48  # exact in a float, in [0, 1)
    if place < shares.train:
        return "train"
    # A share of 0 gets nothing, whatever the rounding of the sum.
    if place < shares.train + shares.eval or shares.warm_start == 0:
        return "eval"
    return "warm_start"


def check_disjoint(**problems_by_split: Sequence[Problem]) -> None:
    """Check that no prompt is in two splits, up to case, spacing and Unicode forms.

    Raises:
        DatasetError: prompts are; the message counts them and names the first few.
    """
    owner: dict[str, str] = {}
    shared: list[str] = []
    for split, problems in problems_by_split.items():
        for key, problem in {normalise(p.prompt): p for p in problems}.items():
            if owner.setdefault(key, split) != split:
                text = excerpt(problem.prompt)
                shared.append(f"{text} ({problem.prompt_id}) is in {owner[key]} and {split}")
    if shared:
        raise DatasetError(
            "\n".join([f"prompts in two splits: {len(shared)}", *listing(shared, limit=5)])
        )


def excerpt(text: str, limit: int = 60) -> str:
    """One short line that lets a reader find ``text``."""
    line = " ".join(text.split())
    return repr(line if len(line) <= limit else line[: limit - 3] + "...")


def listing(lines: Sequence[str], limit: int = 20) -> list[str]:
    """The first ``limit`` lines, indented, and how many are left."""
    shown = [f"  {line}" for line in islice(lines, limit)]
    return [*shown, f"  ... and {len(lines) - limit} more"] if len(lines) > limit else shown
