"""EMA teacher: agreement with the votes of a slowly following copy of the policy."""

import numpy as np

from srtbench.config.variants import EmaTeacherConfig
from srtbench.variants.base import Group, Judgement, Variant, VariantContext, weights
from srtbench.votes import VotingPolicy, vote


class EmaTeacher(Variant):
    """r_i = 1[a_i = majority of k answers of the teacher], teacher = a * teacher + (1-a) * policy.

    Source: Co-rewarding-II, arXiv 2508.00410: the reference teacher is an exponential moving
    average of the policy and its majority is the pseudo-label. a follows the cosine of BYOL
    (Grill et al. 2020) from ``decay_start`` at the first step to ``decay_end`` at the last.
    Deviations: (1) as many votes as the policy has completions, unless ``votes`` says otherwise.
    (2) the teacher is not the anchor of a KL term; ``beta`` keeps its meaning.
    """

    voter = "ema_teacher"
    config: EmaTeacherConfig

    def __init__(self, config: EmaTeacherConfig, context: VariantContext):
        super().__init__(config, context)
        self._policy = VotingPolicy(**config.voting.model_dump())

    def extra_votes(self, num_generations: int) -> int:
        """Votes of the teacher."""
        return self.config.votes or num_generations

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.vote_keys, self._policy, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
