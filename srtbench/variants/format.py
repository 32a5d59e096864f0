"""Format reward: 1 for any answer in the asked format."""

import numpy as np

from srtbench.variants.base import Group, Judgement, Variant


class Format(Variant):
    """r_i = 1 if an answer was found where the dataset's answer style asks for it.

    Source: Shao et al. 2025, "Spurious Rewards": a non-empty ``\\boxed{}``.
    Deviations: (1) with another answer style than ``boxed``, that style's place is meant.
    """

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(np.array([float(answer is not None) for answer in group.answers]))
