"""Entropy minimisation: the surer the policy of its tokens, the higher the reward."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions
from srtbench.variants.published import Recipe
from srtbench.variants.self_certainty import lowest_where_unknown


class Entropy(Variant):
    """r_i = -(mean over the completion's tokens of the entropy of the policy, in nats).

    All tokens of the completion count, the end token included.
    Source: RENT, Prabhudesai et al. 2025, arXiv 2505.22660, and its released code.
    Deviations: (1) the release's AIME recipe has a format term: a completion without an answer
    earns -7.0 in place of its entropy. This is the part without it, and no combination with
    ``format`` gives the same. (2) a completion whose statistic is unknown earns the group's lowest
    reward.
    """

    class Config(VariantOptions):
        """Minus the mean entropy of the completion's tokens (RENT)."""

        type: Literal["entropy"] = "entropy"
        trains_on_eval_prompts: bool = Field(
            False,
            description="train on the very prompts that are evaluated, as the released AIME "
            "recipe does",
        )

    needs_token_statistics = True
    published = Recipe(
        source="exps/aime.yaml and grpo.yaml of the release, whose train set is its test set",
        prompts=30,
        samples=5,
        updates=1,
        learning_rate=1e-6,
        beta=1e-3,
        trl={"scale_rewards": "group"},
        options={"trains_on_eval_prompts": True},
        note="trains on the test set",
    )

    @classmethod
    def trains_on_eval_prompts(cls, config: Any) -> bool:
        """As the entry says."""
        return bool(config.trains_on_eval_prompts)

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(lowest_where_unknown(-group.token_statistics["entropy_nats"]))
