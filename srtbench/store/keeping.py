"""What `train.fit.keep` compares, and what it logs of it: for training, and again for the audit."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from srtbench.config.rounds import KeepRule
from srtbench.store.stopping import mean_vote_share

EPOCH, SCORE, KEPT = "keep/epoch", "keep/score", "keep/kept_epoch"
"""Metrics of the last update of an epoch, and, the third, of a fit: which epoch was kept."""


def keep_score(rule: KeepRule, own: pa.Table) -> float:
    """How good a policy is, in [0, 1]: mean vote share, or mean accuracy (avg@k).

    Args:
        own: rollouts on own prompts, those of a prompt together, equally many of each.
    """
    if rule == "vote_share":
        return mean_vote_share(own)
    return float(np.mean(own["gold_reward"].to_numpy()))


def best_epoch(scores: Sequence[float]) -> int:
    """The epoch that is kept, from 1: of equal ones the earlier."""
    return int(np.argmax(scores)) + 1
