"""Entropy minimisation: the surer the policy of its tokens, the higher the reward."""

import numpy as np

from srtbench.variants.base import Group, Judgement, Variant
from srtbench.variants.self_certainty import lowest_where_unknown


class Entropy(Variant):
    """r_i = -(mean over the completion's tokens of the entropy of the policy, in nats).

    Source: RENT, Prabhudesai et al. 2025, arXiv 2505.22660.
    Deviations: (1) all tokens of the completion count, the end token included. (2) a completion
    whose statistic is unknown earns the group's lowest reward.
    """

    needs_token_statistics = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(lowest_where_unknown(-group.token_statistics["entropy_nats"]))
