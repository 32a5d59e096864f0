"""Combinations: the product or the weighted sum of other variants' rewards."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from srtbench.config.variants import AllOfConfig, WeightedConfig
from srtbench.variants.base import (
    FloatArray,
    Group,
    Judgement,
    Variant,
    VariantContext,
    VariantError,
)


class Combination(Variant):
    """Judges with every part. Label and vote share are those of the first part that has them.

    A part sees gold only if it asks for it itself. Each part has random numbers of its own, so
    adding one changes no other.

    Raises:
        VariantError: two parts sample votes of their own; a group has room for one electorate.
    """

    def __init__(
        self,
        config: AllOfConfig | WeightedConfig,
        context: VariantContext,
        parts: Sequence[Variant],
    ):
        super().__init__(config, context)
        self.parts = tuple(parts)
        self.uses_gold = any(part.uses_gold for part in self.parts)
        self.needs_token_statistics = any(part.needs_token_statistics for part in self.parts)
        voters = [part for part in self.parts if part.voter]
        if len(voters) > 1:
            raise VariantError(f"{config.type}: at most one part may sample votes of its own")
        self._electorate = voters[0].electorate if voters else None
        self.voter = voters[0].voter if voters else None

    @property
    def electorate(self) -> Variant | None:
        """The part that has a voter."""
        return self._electorate

    def extra_votes(self, num_generations: int) -> int:
        """Votes that the part with a voter asks for."""
        return self._electorate.extra_votes(num_generations) if self._electorate else 0

    def keeps_prompt(self, prompt_id: str, gold_key: str | None) -> bool:
        """Whether every part keeps it."""
        return all(
            part.keeps_prompt(prompt_id, gold_key if part.uses_gold else None)
            for part in self.parts
        )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        blind = replace(group, gold_key=None)
        judgements = [
            part.judge(group if part.uses_gold else blind, own)
            for part, own in zip(self.parts, rng.spawn(len(self.parts)), strict=True)
        ]
        labels = [j.pseudo_label for j in judgements if j.pseudo_label is not None]
        shares = [j.vote_share for j in judgements if j.vote_share is not None]
        rewards = self.combine(np.stack([judgement.train_reward for judgement in judgements]))
        return Judgement(rewards, labels[0] if labels else None, shares[0] if shares else None)

    def combine(self, rewards: FloatArray) -> FloatArray:
        """(parts, samples) -> (samples,)."""
        raise NotImplementedError


class AllOf(Combination):
    """r_i = product of the parts' rewards: with rewards in {0, 1}, all of them must be earned.

    Deviations: none; a composition, not a published method.
    """

    def combine(self, rewards: FloatArray) -> FloatArray:
        """See the class."""
        return np.asarray(rewards.prod(axis=0))


class Weighted(Combination):
    """r_i = sum of weight_p * r_i of part p.

    Deviations: none; a composition, not a published method.
    """

    config: WeightedConfig

    def combine(self, rewards: FloatArray) -> FloatArray:
        """See the class."""
        factors = np.array(self.config.weights or [1.0] * len(rewards))
        return np.asarray(factors @ rewards)
