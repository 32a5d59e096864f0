"""No repetition: the share of a completion's n-grams that are distinct."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions


class NoRepetition(Variant):
    """r_i = distinct n-grams / n-grams of the completion; 1 if it is shorter than n.

    Source: the n-gram repetition penalty of Yeo et al. 2025, arXiv 2502.03373, appendix C.2, over
    lower-case words with n = 3, as its ports to GRPO use it. The release of "Spurious Rewards"
    has another one, boolean (a substring of 10 to 256 characters repeated 10 times), joined to a
    reward by "and". Meant as a part of `all_of` or `weighted`: by itself it rewards any text
    without repetition, the empty one included.
    Deviations: (1) shifted by 1 into [0, 1], which changes no advantage and lets it multiply.
    (2) ``unit: character`` counts n-grams of characters, for models that spell.
    """

    class Config(VariantOptions):
        """Share of the completion's n-grams that are distinct."""

        type: Literal["no_repetition"] = "no_repetition"
        n: int = Field(3, ge=1, description="length of an n-gram")
        unit: Literal["word", "character"] = Field("word", description="what an n-gram is made of")

    config: Config

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(np.array([self._distinct(text) for text in group.completions]))

    def _distinct(self, text: str) -> float:
        units: Sequence[str] = text.lower()
        if self.config.unit == "word":
            units = text.lower().split()
        size = self.config.n
        grams = [tuple(units[start : start + size]) for start in range(len(units) - size + 1)]
        return len(set(grams)) / len(grams) if grams else 1.0
