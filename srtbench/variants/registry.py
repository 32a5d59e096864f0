"""Every variant by name, and what a plan has to know of one before it trains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator

from srtbench.variants.base import Method, Teacher, Variant, VariantOptions, Voter
from srtbench.variants.ema_teacher import EmaTeacher
from srtbench.variants.entropy import Entropy
from srtbench.variants.external import ExternalOptions, resolve
from srtbench.variants.fixed_teacher import FixedTeacher
from srtbench.variants.format import Format
from srtbench.variants.gold import Gold
from srtbench.variants.incorrect import Incorrect
from srtbench.variants.lmsi import LMSI
from srtbench.variants.min_entropy_cluster import MinEntropyCluster
from srtbench.variants.no_repetition import NoRepetition
from srtbench.variants.random import Random
from srtbench.variants.rest_em import ReSTEM
from srtbench.variants.rft import RFT
from srtbench.variants.scpo import ScPO
from srtbench.variants.selection import Further, RoundsVariant
from srtbench.variants.self_certainty import SelfCertainty
from srtbench.variants.snapshot_teacher import SnapshotTeacher
from srtbench.variants.soft_majority import SoftMajority
from srtbench.variants.srt import SRT
from srtbench.variants.star import STaR
from srtbench.variants.ttrl import TTRL
from srtbench.votes import VotingPolicy

VARIANTS: dict[str, type[Variant]] = {
    "srt": SRT,
    "gold": Gold,
    "fixed_teacher": FixedTeacher,
    "random": Random,
    "format": Format,
    "incorrect": Incorrect,
    "soft_majority": SoftMajority,
    "min_entropy_cluster": MinEntropyCluster,
    "self_certainty": SelfCertainty,
    "entropy": Entropy,
    "no_repetition": NoRepetition,
    "ttrl": TTRL,
    "ema_teacher": EmaTeacher,
    "star": STaR,
    "rest_em": ReSTEM,
    "rft": RFT,
    "lmsi": LMSI,
    "scpo": ScPO,
    "snapshot_teacher": SnapshotTeacher,
}
"""`type` in a sweep file -> class. `all_of`, `weighted`, `python` and `plugin` build on these."""


class CombinationOptions(VariantOptions):
    """Parts that are judged apart and then combined."""

    parts: tuple[Any, ...] = Field(min_length=1)

    @field_validator("parts")
    @classmethod
    def _fit_together(cls, parts: tuple[Any, ...]) -> tuple[Any, ...]:
        # Classes from outside are asked when the run is planned: their place is not known yet.
        built_in = [leaf for part in parts for leaf in leaves(part, external=False)]
        for problem in _misfits(built_in):
            raise ValueError(problem)
        return parts


@dataclass(frozen=True)
class Leaf:
    """A variant that judges by itself, alone or as a part of a combination."""

    name: str
    variant: type[Variant]
    config: Any


def leaves(entry: Any, *, external: bool = True) -> Iterator[Leaf]:
    """The variants that an entry is made of: itself, or the parts of a combination at any depth.

    Args:
        external: whether to load classes from outside; else they are left out.

    Raises:
        VariantError: a class from outside cannot be loaded.
    """
    if isinstance(entry, CombinationOptions):
        for part in entry.parts:
            yield from leaves(part, external=external)
    elif not isinstance(entry, ExternalOptions):
        yield Leaf(entry.type, VARIANTS[entry.type], entry)
    elif external:
        yield Leaf(entry.class_name, *resolve(entry))


def from_outside(entry: Any) -> bool:
    """Whether an entry or a part of it is a class from outside; nothing is loaded to tell."""
    if isinstance(entry, CombinationOptions):
        return any(from_outside(part) for part in entry.parts)
    return isinstance(entry, ExternalOptions)


@dataclass(frozen=True)
class Facts:
    """What the variants of an entry answer together; see `Variant` for each answer."""

    leaves: tuple[Leaf, ...]

    @property
    def votes_on_answers(self) -> bool:
        """Whether one of them needs questions with one right answer."""
        return any(leaf.variant.votes_on_answers for leaf in self.leaves)

    @property
    def uses_gold(self) -> bool:
        """Whether one of them sees gold answers."""
        return any(leaf.variant.sees_gold(leaf.config) for leaf in self.leaves)

    @property
    def method(self) -> Method:
        """How it trains; the parts of a combination train alike."""
        return self.leaves[0].variant.method

    @property
    def selecting(self) -> type[RoundsVariant] | None:
        """The class that selects what a round fits on; None: it trains online."""
        variant = self.leaves[0].variant
        return variant if issubclass(variant, RoundsVariant) else None

    def further(self, samples: int) -> Further:
        """What a round samples of each prompt beside the ``samples`` that vote."""
        if (variant := self.selecting) is None:
            return Further()
        return variant.further(self.leaves[0].config, samples)

    @property
    def needs_token_statistics(self) -> bool:
        """Whether one of them is given token statistics."""
        return any(leaf.variant.needs_token_statistics for leaf in self.leaves)

    @property
    def voter(self) -> Voter | None:
        """Who samples further votes; at most one of them says."""
        return next((leaf.variant.voter for leaf in self.leaves if leaf.variant.voter), None)

    @property
    def model_copies(self) -> int:
        """Models of the policy's size beside policy and reference model."""
        return sum(leaf.variant.model_copies(leaf.config) for leaf in self.leaves)

    @property
    def min_share(self) -> float:
        """Least vote share of a label; 0: any will do, or none of them votes."""
        return max(self._min_shares(), default=0.0)

    @property
    def teacher(self) -> Teacher | None:
        """Who labels the prompts before training; all that need one agree on it."""
        found = (leaf.variant.teacher(leaf.config) for leaf in self.leaves)
        return next((one for one in found if one is not None), None)

    @property
    def trains_on_eval_prompts(self) -> bool:
        """Whether one of them trains on the evaluation prompts."""
        return any(leaf.variant.trains_on_eval_prompts(leaf.config) for leaf in self.leaves)

    def declared(self, num_generations: int) -> dict[str, Any]:
        """The answers that readers of a run's folder need, so that none has to load a class."""
        return {
            "uses_gold": self.uses_gold,
            "votes_on_answers": self.votes_on_answers,
            "extra_votes": self.extra_votes(num_generations),
        }

    def extra_votes(self, num_generations: int) -> int:
        """Completions per group that vote and are not trained on."""
        return sum(
            leaf.variant.extra_votes(leaf.config, num_generations)
            for leaf in self.leaves
            if leaf.variant.voter is not None
        )

    def _min_shares(self) -> Iterator[float]:
        for leaf in self.leaves:
            if isinstance(rule := getattr(leaf.config, "voting", None), VotingPolicy):
                yield rule.min_share

    def refill_problems(self) -> Iterator[str]:
        """Why there is nothing to sample further prompts for."""
        if not self.min_share:
            yield (
                "train.refill samples further prompts for those whose vote share is below the "
                "variant's voting.min_share, which is 0 here; set it, or remove train.refill"
            )
        elif len({*self._min_shares()}) > 1:
            yield "train.refill: parts that vote must agree on voting.min_share"

    def voted_at(self, step: int) -> int | None:
        """Optimiser steps of the voter when it votes on the rollouts that ``step`` trains."""
        found = (leaf.variant.voted_at(leaf.config, step) for leaf in self.leaves)
        return next((one for one in found if one is not None), None)

    def problems(self, num_generations: int) -> Iterator[str]:
        """Why they cannot judge groups of that size, or not together."""
        yield from _misfits(self.leaves)
        for leaf in self.leaves:
            if leaf.variant.voter is None:
                continue
            votes = leaf.variant.extra_votes(leaf.config, num_generations)
            if votes <= 0 or votes % num_generations:
                yield (
                    f"{leaf.name}: its votes beside the trained completions are {votes}; they must "
                    f"be a positive multiple of num_generations = {num_generations}"
                )


def facts(entry: Any) -> Facts:
    """What the variant, or its parts, answer.

    Raises:
        VariantError: a class from outside cannot be loaded.
    """
    return Facts(tuple(leaves(entry)))


def _misfits(found: list[Leaf] | tuple[Leaf, ...]) -> Iterator[str]:
    """Why these cannot be parts of one combination."""
    by_rounds = [leaf.name for leaf in found if leaf.variant.method == "rounds"]
    if by_rounds and len(found) > 1:
        yield f"{by_rounds[0]} trains by rounds and selects for itself; it can be no part"
    asked = [leaf.variant.teacher(leaf.config) for leaf in found]
    teachers = [teacher for teacher in asked if teacher is not None]
    if any(teacher != teachers[0] for teacher in teachers):
        yield "parts with a teacher must agree on votes, temperature and voting"
    voters = [leaf.name for leaf in found if leaf.variant.voter is not None]
    if len(voters) > 1:
        yield (
            f"{' and '.join(voters)} each sample votes of their own; at most one part may, as a "
            "group has room for one electorate"
        )


def with_voting(entry: Any, voting: VotingPolicy) -> tuple[Any, bool]:
    """The entry with another voting rule wherever it has one, and whether it has one.

    A class from outside has one if it votes on answers and its ``Config`` has a field ``voting``.

    Raises:
        VariantError: a class from outside cannot be loaded.
    """
    if isinstance(entry, CombinationOptions):
        pairs = [with_voting(part, voting) for part in entry.parts]
        parts = tuple(part for part, _ in pairs)
        return entry.model_copy(update={"parts": parts}), any(votes for _, votes in pairs)
    (leaf,) = leaves(entry)
    if not leaf.variant.votes_on_answers or "voting" not in leaf.variant.Config.model_fields:
        return entry, False
    if isinstance(entry, ExternalOptions):
        options = entry.options | {"voting": voting.model_dump(mode="json")}
        return entry.model_copy(update={"options": options}), True
    return entry.model_copy(update=entry.under(voting)), True
