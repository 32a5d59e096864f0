"""Self-Rewarded Training: agreement with the group's own majority."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import VOTING, Group, Judgement, Variant, VariantOptions, weights
from srtbench.variants.published import Recipe
from srtbench.votes import VotingPolicy, vote


class SRT(Variant):
    """r_i = 1[a_i = majority(a_1..a_n)]; unparsable answers neither vote nor earn.

    Source: arXiv 2505.21444, section 3. Assumes that the majority is right more often than a
    single answer. Deviations: (1) answers are compared by canonical key; the released code counts
    votes on raw strings and rewards by a grader's comparison with the winner. (2) a prompt without
    a label stays in the step with reward 0 for all, where the release masks its KL term too.
    (3) the release's ``oversampling_keep_fraction`` (sample more prompts, keep the surest) is not
    offered. (4) ``min_share`` alone leaves a prompt without a label in the step; sampling others in
    their place, appendix I.7, is ``train.refill``.
    """

    class Config(VariantOptions):
        """Agreement with the group's own majority."""

        type: Literal["srt"] = "srt"
        voting: VotingPolicy = Field(default_factory=VotingPolicy, description=VOTING)

    config: Config
    votes_on_answers = True
    published = Recipe(
        source="experiment_scripts/srt.sh of the release (section 3: mathematics)",
        prompts=16,
        samples=32,
        updates=1,
        learning_rate=1e-6,
        beta=1e-3,
        algorithm="rloo",
    )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.answer_keys, self.config.voting, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
