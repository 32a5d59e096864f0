"""No repetition: the share of a completion's n-grams that are distinct."""

from collections.abc import Sequence

import numpy as np

from srtbench.config.variants import NoRepetitionConfig
from srtbench.variants.base import Group, Judgement, Variant


class NoRepetition(Variant):
    """r_i = distinct n-grams / n-grams of the completion; 1 if it is shorter than n.

    Source: the n-gram repetition penalty of Yeo et al. 2025, arXiv 2502.03373, appendix C.2, over
    lower-case words with n = 3, as its ports to GRPO use it. Meant as a part of `all_of` or
    `weighted`: by itself it rewards any text without repetition, the empty one included.
    Deviations: (1) shifted by 1 into [0, 1], which changes no advantage and lets it multiply.
    (2) ``unit: character`` counts n-grams of characters, for models that spell.
    """

    config: NoRepetitionConfig

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
