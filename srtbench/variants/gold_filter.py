"""What STaR, ReST-EM and RFT share: completions are kept if their answer is the gold one."""

from __future__ import annotations

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, agreement
from srtbench.variants.selection import RoundsVariant


class GoldFilter(RoundsVariant):
    """Keeps what agrees with the gold answer."""

    uses_gold = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """1 for an answer that is the gold one."""
        return Judgement(agreement(group.answer_keys, group.gold_key), group.gold_key)
