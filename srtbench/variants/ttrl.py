"""Test-time reinforcement learning: more votes than trained completions, on the test prompts."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import VOTING, Group, Judgement, Variant, VariantOptions, weights
from srtbench.variants.published import Recipe
from srtbench.votes import VotingPolicy, vote


class TTRL(Variant):
    """r_i = 1[a_i = majority of ``votes`` answers], of which the first ``num_generations`` train.

    Source: TTRL, Zuo et al. 2025, arXiv 2504.16084: 64 votes per prompt, the first 32 of them
    trained, the train prompts are the evaluation prompts. The further votes are sampled by the
    same policy at the same step and are logged beside the rollouts.
    Deviations: (1) votes are counted by canonical key, and reward is given by it; the release
    counts raw strings and rewards by a grader's comparison with the winner. (2) an unparsable
    answer does not vote; in the release the extractor gives "" where it finds nothing, which
    votes, can win and is then rewarded, so that collapse can set in at another time. (3) a vote
    share is of the votes cast; the release divides by all samples, which is
    ``voting: {denominator: samples}``. (4) ``votes`` is a multiple of ``num_generations``.
    """

    class Config(VariantOptions):
        """Agreement with the majority of more votes than are trained, on the evaluation prompts."""

        type: Literal["ttrl"] = "ttrl"
        votes: int = Field(64, ge=2, description="votes per prompt, a multiple of num_generations")
        trains_on_eval_prompts: bool = Field(
            True, description="train on the very prompts that are evaluated, as the method does"
        )
        voting: VotingPolicy = Field(default_factory=VotingPolicy, description=VOTING)

    config: Config
    votes_on_answers = True
    voter = "policy"
    published = Recipe(
        source="section 3.1; examples/ttrl/aime.sh of the release",
        prompts=8,
        samples=32,
        updates=8,
        learning_rate=5e-7,
        beta=1e-3,
        trl={"lr_scheduler_type": "cosine", "warmup_steps": 0.03, "scale_rewards": "group"},
        note="of 64 votes, cosine with 3% warm-up, T 1 (0.6 for models outside Qwen2.5-Math and "
        "reasoning models), 80 / 30 / 10 episodes of AIME / AMC / MATH",
    )

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        """Votes beyond the trained completions."""
        return int(config.votes - num_generations)

    @classmethod
    def trains_on_eval_prompts(cls, config: Any) -> bool:
        """As the entry says."""
        return bool(config.trains_on_eval_prompts)

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        outcome = vote(group.answer_keys + group.vote_keys, self.config.voting, rng)
        return Judgement(weights(group.answer_keys, outcome), outcome.label, outcome.share)
