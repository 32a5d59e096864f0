"""Soft majority: every answer earns its vote share."""

import numpy as np

from srtbench.config.variants import SoftMajorityConfig
from srtbench.variants.base import Group, Judgement, Variant, VariantContext
from srtbench.votes import VotingPolicy, vote


class SoftMajority(Variant):
    """r_i = votes for a_i / votes cast; 0 for an unparsable answer.

    Source: the expected agreement with another vote of the group, self-consistency (Wang et al.
    2023, arXiv 2203.11171) used as a graded reward; EMPO's reward without its gate.
    Deviations: (1) a rule with ``min_share`` pays nothing to answers below that share. (2) The tie
    rule decides the logged pseudo-label only. (3) Under ``unparsable: count``, where "no answer"
    wins, the group has no pseudo-label, but its answers still earn their vote shares.
    """

    config: SoftMajorityConfig

    def __init__(self, config: SoftMajorityConfig, context: VariantContext):
        super().__init__(config, context)
        self._policy = VotingPolicy(**config.voting.model_dump())

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.answer_keys, self._policy, rng)
        shares = np.array([outcome.key_share(key) for key in group.answer_keys])
        shares[shares < self._policy.min_share] = 0.0
        return Judgement(shares, outcome.label, outcome.share)
