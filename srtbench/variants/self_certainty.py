"""Self-certainty: how far the policy's token distributions are from uniform."""

from __future__ import annotations

from typing import Literal

from srtbench.lazy import np
from srtbench.variants.base import FloatArray, Group, Judgement, Variant, VariantOptions
from srtbench.variants.published import Recipe


class SelfCertainty(Variant):
    """r_i = mean over the completion's tokens of KL(U || p) = logsumexp(z) - mean(z) - log V.

    Source: Intuitor, Zhao et al. 2025, arXiv 2505.19590; group-normalised there, so
    train with ``scale_rewards: group``. Assumes that sure completions are better completions.
    Deviations: (1) z are logits divided by the sampling temperature, as the policy sampled: as in
    the verl version of the release, unlike its open-r1 version. (2) the release leaves out the
    constant log V, which changes no advantage. (3) a completion whose statistic is unknown earns
    the group's lowest reward.
    """

    class Config(VariantOptions):
        """Mean self-certainty of the completion's tokens (Intuitor)."""

        type: Literal["self_certainty"] = "self_certainty"

    needs_token_statistics = True
    published = Recipe(
        source="verl-intuitor/math_intuitor.sh (open-r1 version: 7 samples)",
        prompts=128,
        samples=8,
        updates=1,
        learning_rate=3e-6,
        beta=5e-3,
        trl={"lr_scheduler_type": "cosine", "warmup_steps": 0.1, "scale_rewards": "group"},
        note="cosine with 0.1 warm-up, one epoch of MATH, own prompt",
    )

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(lowest_where_unknown(group.token_statistics["self_certainty"]))


def lowest_where_unknown(values: FloatArray) -> FloatArray:
    """The values, nan replaced by the lowest known one (0 if none is known); shape kept."""
    known = values[~np.isnan(values)]
    return np.where(np.isnan(values), known.min() if len(known) else 0.0, values)
