"""Semantic entropy minimisation: every answer earns the share of its cluster."""

import math

import numpy as np

from srtbench.config.variants import MinEntropyClusterConfig
from srtbench.variants.base import Group, Judgement, Variant
from srtbench.votes import vote


class MinEntropyCluster(Variant):
    """r_i = |cluster of a_i| / n if low * log n <= H <= high * log n, else 0 for the whole group.

    H = -sum p_c log p_c over the clusters of equal answers, in nats. The gate leaves out prompts
    that the policy is too sure or too unsure of.
    Source: EMPO, arXiv 2504.05812, and its released code: p_c is a fraction of all n samples, an
    answer that does not parse is a cluster of its own, the gate is open by default.
    Deviations: (1) an unparsable answer earns 0, not 1/n: it is no answer. (2) the bounds are
    fractions of log n; the released code divides by the log of the number of clusters found.
    """

    config: MinEntropyClusterConfig

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
