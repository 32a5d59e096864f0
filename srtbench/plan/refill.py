"""Which further prompts take the place of those whose votes agree too little.

Source: SRT, arXiv 2505.21444, appendix I.7: prompts whose vote share is below a threshold are left
out, and others sampled until the batch is full. The trainer asks here what to draw and what to
keep, and the audit asks again.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from srtbench.plan.generation import GenerationShape
from srtbench.plan.specs import RunSpec
from srtbench.variants import facts


@dataclass(frozen=True)
class RefillRule:
    """What a generation draws and keeps; groups are numbered by draw, from 0.

    Attributes:
        min_share: a group is trained on if its vote share is at least this.
        draws: further draws that a generation may make.
        places: groups that a generation trains on.
        unit: a draw is a multiple of it, so that processes sample equally many completions.
    """

    min_share: float
    draws: int
    places: int
    unit: int = 1

    @classmethod
    def of(cls, spec: RunSpec) -> "RefillRule | None":
        """The rule of a run; None: it has none.

        Raises:
            VariantError: a class from outside cannot be loaded.
        """
        train = spec.train
        if train.refill is None:
            return None
        return cls(
            facts(spec.variant).min_share,
            train.refill.draws,
            GenerationShape.of(spec).rollouts // train.num_generations,
            train.num_processes // math.gcd(train.num_processes, train.num_generations),
        )

    def sure(self, share: float) -> bool:
        """Whether a group of that vote share is trained on."""
        return share >= self.min_share

    def next(self, shares: Sequence[float], draws: int) -> int:
        """Groups that the next draw samples; 0: there is none.

        Args:
            shares: vote shares of the groups drawn so far. draws: how many draws those were.
        """
        if not draws:
            return self.places
        missing = self.places - sum(self.sure(share) for share in shares)
        if missing <= 0 or draws > self.draws:
            return 0
        return math.ceil(missing / self.unit) * self.unit

    def drawn(self, shares: Sequence[float]) -> int:
        """Groups that a generation draws if ``shares`` are those of the first of them."""
        found = draws = 0
        while found <= len(shares) and (more := self.next(shares[:found], draws)):
            found, draws = found + more, draws + 1
        return found

    def kept(self, shares: Sequence[float]) -> list[int]:
        """The group in each place of the batch, by its number.

        A place keeps its own group if that is sure, else it gets the next sure one that was drawn
        further; its own if there is none left.
        """
        further = iter([n for n in range(self.places, len(shares)) if self.sure(shares[n])])
        return [n if self.sure(shares[n]) else next(further, n) for n in range(self.places)]
