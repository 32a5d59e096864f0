"""Soft majority: every answer earns its vote share."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import VOTING, Group, Judgement, Variant, VariantOptions
from srtbench.votes import VotingPolicy, vote


class SoftMajority(Variant):
    """r_i = votes for a_i / votes cast; 0 for an unparsable answer.

    Source: ``soft_reward`` of SRT's released code (``self_learning.py``): the expected agreement
    with another vote of the group, self-consistency (Wang et al. 2023, arXiv 2203.11171) used as a
    graded reward; EMPO's reward without its gate.
    Deviations: (1) a rule with ``min_share`` pays nothing to answers below that share. (2) The tie
    rule decides the logged pseudo-label only. (3) Under ``unparsable: count``, where "no answer"
    wins, the group has no pseudo-label, but its answers still earn their vote shares.
    """

    class Config(VariantOptions):
        """The vote share of the answer."""

        type: Literal["soft_majority"] = "soft_majority"
        voting: VotingPolicy = Field(default_factory=VotingPolicy, description=VOTING)

    config: Config
    votes_on_answers = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        voting = self.config.voting
        outcome = vote(group.answer_keys, voting, rng)
        shares = np.array([outcome.key_share(key) for key in group.answer_keys])
        shares[shares < voting.min_share] = 0.0
        return Judgement(shares, outcome.label, outcome.share)
