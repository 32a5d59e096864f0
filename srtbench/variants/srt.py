"""Self-Rewarded Training: agreement with the group's own majority."""

import numpy as np

from srtbench.config.variants import SRTConfig
from srtbench.variants.base import Group, Judgement, Variant, VariantContext, vote_rewards
from srtbench.votes import VotingPolicy


class SRT(Variant):
    """r_i = 1[a_i = majority(a_1..a_n)]; unparsable answers neither vote nor earn.

    Source: arXiv 2505.21444, section 3. Assumes that the majority is right more often than a
    single answer. Deviations: (1) answers are compared by canonical key, not as strings.
    """

    config: SRTConfig

    def __init__(self, config: SRTConfig, context: VariantContext):
        super().__init__(config, context)
        self._policy = VotingPolicy(**config.voting.model_dump())

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome, rewards = vote_rewards(group.answer_keys, self._policy, rng)
        return Judgement(rewards, outcome.label, outcome.share)
