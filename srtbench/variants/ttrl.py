"""Test-time reinforcement learning: more votes than trained completions, on the test prompts."""

import numpy as np

from srtbench.config.variants import TTRLConfig
from srtbench.variants.base import Group, Judgement, Variant, VariantContext, weights
from srtbench.votes import VotingPolicy, vote


class TTRL(Variant):
    """r_i = 1[a_i = majority of ``votes`` answers], of which the first ``num_generations`` train.

    Source: TTRL, Zuo et al. 2025, arXiv 2504.16084: 64 votes per prompt, 32 of them trained, the
    train prompts are the evaluation prompts. The further votes are sampled by the same policy at
    the same step and are logged beside the rollouts.
    Deviations: (1) answers are compared by canonical key. (2) the trained completions are those
    sampled first, not a random half; the samples are exchangeable. (3) ``votes`` is a multiple of
    ``num_generations``.
    """

    voter = "policy"
    config: TTRLConfig

    def __init__(self, config: TTRLConfig, context: VariantContext):
        super().__init__(config, context)
        self._policy = VotingPolicy(**config.voting.model_dump())

    def extra_votes(self, num_generations: int) -> int:
        """Votes beyond the trained completions."""
        return self.config.votes - num_generations

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.answer_keys + group.vote_keys, self._policy, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
