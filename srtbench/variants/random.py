"""Random reward: a coin flip per completion."""

import numpy as np

from srtbench.config.variants import RandomConfig
from srtbench.variants.base import Group, Judgement, Variant


class Random(Variant):
    """r_i ~ Bernoulli(p), independent of the completion.

    Source: Shao et al. 2025, "Spurious Rewards", p = 0.5. Deviations: none.
    """

    config: RandomConfig

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement((rng.random(len(group.completions)) < self.config.p).astype(np.float64))
