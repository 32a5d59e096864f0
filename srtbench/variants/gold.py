"""Gold reward: the supervised ceiling."""

from __future__ import annotations

from typing import Literal

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions, agreement


class Gold(Variant):
    """r_i = 1[a_i = gold].

    The usual verifiable reward (RLVR). Deviations: none.
    """

    class Config(VariantOptions):
        """Agreement with the gold answer: the supervised ceiling."""

        type: Literal["gold"] = "gold"

    uses_gold = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(agreement(group.answer_keys, group.gold_key), group.gold_key)
