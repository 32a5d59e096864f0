"""Label-free numbers of a batch of judged groups, under the names of the warehouse's views."""

import math
from collections import Counter
from collections.abc import Sequence

from srtbench.rollouts.judge import Columns, group_rows
from srtbench.stats.repetition import repeated_share

SIGNAL_COLUMNS = {
    "train_reward": "train_reward",
    "vote_share": "majority_ratio",
    "unanimous_share": "unanimous_share",
    "modal_share": "modal_share",
    "answer_entropy": "answer_entropy_nats",
    "mean_length": "completion_tokens",
    "repetition": "repetition",
    "kl": "kl",
}
"""Signal of `srtbench.stats.ALARM_RULES` -> column of the view ``run_signals`` and of
`batch_signals`."""

TEXTS = 64
ENDING = 4_000
"""Repetition is read in so many completions of a batch, spread evenly, and in so many of their last
characters."""


def batch_signals(columns: Columns) -> dict[str, float]:
    """What the views say of a step, from its judged rows; no gold is read.

    Args:
        columns: group_id, answer_key and train_reward, and where they are known completion and
            completion_tokens.

    Returns:
        Column of `SIGNAL_COLUMNS` -> mean over the batch, but for kl; what is not known is left
        out.
    """
    keys, rewards = columns["answer_key"], columns["train_reward"]
    votes = [
        Counter(keys[row] for row in rows) for rows in group_rows(columns["group_id"]).values()
    ]
    most = [max((n for key, n in own.items() if key is not None), default=0) for own in votes]
    sizes = [own.total() for own in votes]
    pooled = Counter(key for key in keys if key is not None)
    found = {
        "train_reward": mean(rewards),
        "majority_ratio": mean([top / size for top, size in zip(most, sizes, strict=True)]),
        "unanimous_share": mean([top == size for top, size in zip(most, sizes, strict=True)]),
        "modal_share": max(pooled.values(), default=0) / len(keys),
        "answer_entropy_nats": mean([_entropy_nats(own) for own in votes]),
    }
    tokens = columns.get("completion_tokens", [None])
    if None not in tokens:
        found["completion_tokens"] = mean(tokens)
    texts = columns.get("completion", [])
    some = [texts[place * len(texts) // TEXTS] for place in range(TEXTS)] if texts else []
    chosen = texts if len(texts) <= TEXTS else some
    shares = [share for text in chosen if (share := repeated_share(text[-ENDING:])) is not None]
    if shares:
        found["repetition"] = mean(shares)
    return found


def mean(values: Sequence[float]) -> float:
    """Mean of some values."""
    return math.fsum(values) / len(values)


def _entropy_nats(votes: Counter[str | None]) -> float:
    """Plug-in entropy of a group's answers, unparsable being one of them."""
    total = votes.total()
    return math.log(total) - math.fsum(n * math.log(n) for n in votes.values()) / total
