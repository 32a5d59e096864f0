"""Gold reward: the supervised ceiling."""

import numpy as np

from srtbench.variants.base import Group, Judgement, Variant, agreement


class Gold(Variant):
    """r_i = 1[a_i = gold].

    The usual verifiable reward (RLVR). Deviations: none.
    """

    uses_gold = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(agreement(group.answer_keys, group.gold_key), group.gold_key)
