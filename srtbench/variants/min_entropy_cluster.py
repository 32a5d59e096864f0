"""Semantic entropy minimisation: every answer earns the share of its cluster."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions
from srtbench.variants.published import Recipe
from srtbench.votes import vote


class MinEntropyCluster(Variant):
    """r_i = |cluster of a_i| / n if low * log n <= H <= high * log n, else 0 for the whole group.

    H = -sum p_c log p_c over the clusters of equal answers, in nats. The gate leaves out prompts
    that the policy is too sure or too unsure of.
    Source: EMPO, arXiv 2504.05812, and its released code, which comes in several versions; its own
    page warns that results differ from the preprint. As in the verl version, p_c is a fraction of
    all n samples, an answer that does not parse is a cluster of its own, and the gate is open by
    default (there it is commented out).
    Deviations: (1) an unparsable answer earns 0, as in the TRL version; the verl version gives it
    1/n, the natural-reasoning version -0.5. (2) the gate's bounds are fractions of log n; the verl
    version computes the log of the number of clusters and uses it for nothing. (3) the bounds are
    inclusive; the TRL version wants H < log n, so that a group of all-distinct answers earns 0,
    where here it earns a constant: the same advantages, another logged reward. (4) the
    natural-reasoning version's 0 for a top share below 0.2, or for an answer that copies the
    question, is not offered.
    """

    class Config(VariantOptions):
        """The share of the answer's cluster, for prompts inside an entropy gate (EMPO)."""

        type: Literal["min_entropy_cluster"] = "min_entropy_cluster"
        entropy_low: float = Field(
            0.0, ge=0, le=1, description="lower bound, as a fraction of log n"
        )
        entropy_high: float = Field(
            1.0, ge=0, le=1, description="upper bound, as a fraction of log n"
        )

        @model_validator(mode="after")
        def _ordered(self) -> MinEntropyCluster.Config:
            if self.entropy_low > self.entropy_high:
                raise ValueError("entropy_low must not be above entropy_high")
            return self

    config: Config
    votes_on_answers = True
    published = Recipe(
        source="verl version of the release (its TRL version: n = 7, lr 1e-6, KL 0)",
        samples=16,
        learning_rate=5e-7,
    )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        samples = len(group.answer_keys)
        outcome = vote(group.answer_keys)
        counts = list(outcome.counts.values())
        counts += [1] * (samples - sum(counts))
        entropy = -sum(count / samples * math.log(count / samples) for count in counts)
        scale = math.log(samples) if samples > 1 else 1.0
        inside = self.config.entropy_low <= entropy / scale + 1e-12
        inside &= entropy / scale - 1e-12 <= self.config.entropy_high
        share = max(outcome.counts.values(), default=0) / samples
        rewards = [
            outcome.counts[key] / samples if inside and key is not None else 0.0
            for key in group.answer_keys
        ]
        return Judgement(np.array(rewards), outcome.label if inside else None, share)
