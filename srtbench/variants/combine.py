"""Combinations: the product or the weighted sum of other variants' rewards."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field, model_validator

from srtbench.lazy import np
from srtbench.variants.base import FloatArray, Group, Judgement, Variant, VariantContext
from srtbench.variants.registry import CombinationOptions, facts

STD_FLOOR = 1e-4
"""Added to a standard deviation before dividing by it, as TRL does for advantages."""


class Combination(Variant):
    """Judges with every part. Label and vote share are those of the first part that has them.

    A part sees gold only if it asks for it itself. Each part has random numbers of its own, so
    adding one changes no other. What a run needs for it is what the parts need, `facts`.
    """

    def __init__(
        self, config: CombinationOptions, context: VariantContext, parts: Sequence[Variant]
    ):
        super().__init__(config, context)
        self.parts = tuple(parts)
        needs = facts(config)
        self.uses_gold, self.voter = needs.uses_gold, needs.voter
        self.needs_token_statistics = needs.needs_token_statistics

    @property
    def electorate(self) -> Variant | None:
        """The part that has a voter."""
        return next((part.electorate for part in self.parts if part.voter), None)

    @classmethod
    def extra_votes(cls, config: Any, num_generations: int) -> int:
        """Votes that the part with a voter asks for."""
        return facts(config).extra_votes(num_generations)

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Whether every part keeps it."""
        return all(
            part.keeps_prompt(prompt_id, gold_key if part.uses_gold else None)
            for part in self.parts
        )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        blind = group.without_gold()
        judgements = [
            part.judge(group if part.uses_gold else blind, own)
            for part, own in zip(self.parts, rng.spawn(len(self.parts)), strict=True)
        ]
        labels = [j.pseudo_label for j in judgements if j.pseudo_label is not None]
        shares = [j.vote_share for j in judgements if j.vote_share is not None]
        rewards = self.combine(np.stack([judgement.train_reward for judgement in judgements]))
        return Judgement(rewards, labels[0] if labels else None, shares[0] if shares else None)

    @abstractmethod
    def combine(self, rewards: FloatArray) -> FloatArray:
        """(parts, samples) -> (samples,)."""


class AllOf(Combination):
    """r_i = product of the parts' rewards: with rewards in {0, 1}, all of them must be earned.

    Deviations: none; a composition, not a published method.
    """

    class Config(CombinationOptions):
        """The product of the parts' rewards."""

        type: Literal["all_of"] = "all_of"

    def combine(self, rewards: FloatArray) -> FloatArray:
        """See the class."""
        return np.asarray(rewards.prod(axis=0))


class Weighted(Combination):
    """r_i = sum of weight_p * r_i of part p; with ``normalise: group``, of (r_i - mean) / std.

    Source of ``normalise: group``: Intuitor's released code, arXiv 2505.19590, normalises each
    reward within the group before it adds them, so that one with a large scale does not drown
    the others; raw rewards are added otherwise.
    Deviations: (1) std has n - 1 in the denominator and 1e-4 added, as TRL has for advantages; a
    part that rewards all of a group alike then counts for nothing in it.
    """

    class Config(CombinationOptions):
        """The weighted sum of the parts' rewards."""

        type: Literal["weighted"] = "weighted"
        weights: tuple[float, ...] = Field((), description="one per part; empty: all 1")
        normalise: Literal["none", "group"] = Field(
            "none", description="group: each part's rewards by mean and std of the group, first"
        )

        @model_validator(mode="after")
        def _one_weight_each(self) -> Weighted.Config:
            if self.weights and len(self.weights) != len(self.parts):
                raise ValueError(f"{len(self.parts)} parts, but {len(self.weights)} weights")
            return self

    config: Config

    def combine(self, rewards: FloatArray) -> FloatArray:
        """See the class."""
        if self.config.normalise == "group":
            centred = rewards - rewards.mean(axis=1, keepdims=True)
            rewards = centred / (rewards.std(axis=1, ddof=1, keepdims=True) + STD_FLOOR)
        factors = np.array(self.config.weights or [1.0] * len(rewards))
        return np.asarray(factors @ rewards)
