"""Self-certainty: how far the policy's token distributions are from uniform."""

import numpy as np

from srtbench.variants.base import FloatArray, Group, Judgement, Variant


class SelfCertainty(Variant):
    """r_i = mean over the completion's tokens of KL(U || p) = logsumexp(z) - mean(z) - log V.

    Source: Intuitor, Zhao et al. 2025, arXiv 2505.19590; group-normalised there, so
    train with ``scale_rewards: group``. Assumes that sure completions are better completions.
    Deviations: (1) z are logits divided by the sampling temperature, as the policy sampled.
    (2) a completion whose statistic is unknown earns the group's lowest reward.
    """

    needs_token_statistics = True

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement(lowest_where_unknown(group.token_statistics["self_certainty"]))


def lowest_where_unknown(values: FloatArray) -> FloatArray:
    """The values, nan replaced by the lowest known one (0 if none is known); shape kept."""
    known = values[~np.isnan(values)]
    return np.where(np.isnan(values), known.min() if len(known) else 0.0, values)
