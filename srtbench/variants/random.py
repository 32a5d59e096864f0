"""Random reward: a coin flip per completion."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from srtbench.lazy import np
from srtbench.variants.base import Group, Judgement, Variant, VariantOptions
from srtbench.variants.published import SPURIOUS


class Random(Variant):
    """r_i ~ Bernoulli(p), independent of the completion.

    Source: Shao et al. 2025, "Spurious Rewards", arXiv 2506.10947v1, p = 0.5; there p from 0.001
    to 0.7 also gains, after a random walk of different length, and p = 0 changes nothing.
    Deviations: (1) one update per rollout batch unless the run says otherwise; the source makes 8
    (64 prompts x 16, mini-batches of 128). With one update the ratio of new to old policy is 1,
    so PPO's clip never acts, and the source's own explanation of the gain is that clip: its runs
    with one update per rollout (section 4.4.2, Fig. 11) gain nothing systematic in 650 steps but
    go up or down by seed. So a run with one update tests the random walk, not the claim; set
    ``train.updates_per_rollout: 8`` (or ``recipe: published``) for that. The explanation is
    contested (arXiv 2512.16912): the log has the measured clip share, ``clip_ratio/*``.
    """

    class Config(VariantOptions):
        """A coin flip per completion."""

        type: Literal["random"] = "random"
        p: float = Field(0.5, ge=0, le=1, description="probability of reward 1")

    config: Config
    published = SPURIOUS

    def judge(self, group: Group, rng: np.random.Generator) -> Judgement:
        """See the class."""
        return Judgement((rng.random(len(group.completions)) < self.config.p).astype(np.float64))
