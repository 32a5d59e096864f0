"""Format reward: 1 for any answer in the asked format."""

from __future__ import annotations

from typing import Literal

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions
from srtbench.variants.published import SPURIOUS


class Format(Variant):
    """r_i = 1 if an answer was found where the dataset's answer style asks for it.

    Source: Shao et al. 2025, "Spurious Rewards": a non-empty ``\\boxed{}``.
    Deviations: (1) with another answer style than ``boxed``, that style's place is meant. (2) one
    update per rollout batch unless the run says otherwise; the source makes 8 (see `Random`).
    """

    class Config(VariantOptions):
        """1 if the completion holds a non-empty answer in the asked format."""

        type: Literal["format"] = "format"

    published = SPURIOUS

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(np.array([float(answer is not None) for answer in group.answers]))
