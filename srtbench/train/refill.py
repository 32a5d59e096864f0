"""Sampling until the batch is full: further prompts, and what was drawn of a generation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from srtbench.plan.refill import RefillRule
from srtbench.store import read_json, write_json
from srtbench.train.reward import RolloutBatch

_NOTE = "refill.json"

Columns = dict[str, list[Any]]


class PromptStream:
    """Places of prompts in an order without end: each epoch another permutation of all of them.

    The order depends on the seed alone, so that the number of prompts taken says where it goes on.

    Args:
        count: prompts that there are. shuffle: else each epoch is in the given order.
    """

    def __init__(self, count: int, seed: int, *, shuffle: bool = True):
        self._count = count
        self._seed = seed
        self._shuffle = shuffle
        self._epoch: tuple[int, list[int]] = (-1, [])
        self.taken = 0

    def take(self, count: int) -> list[int]:
        """The next places."""
        found = [self._at(number) for number in range(self.taken, self.taken + count)]
        self.taken += count
        return found

    def _at(self, number: int) -> int:
        epoch, place = divmod(number, self._count)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return self._epoch[1][place]

    def _order(self, epoch: int) -> list[int]:
        if not self._shuffle:
            return list(range(self._count))
        generator = torch.Generator().manual_seed(self._seed)
        for _ in range(epoch):
            torch.randperm(self._count, generator=generator)
        order: list[int] = torch.randperm(self._count, generator=generator).tolist()
        return order

    def save(self, checkpoint: Path) -> None:
        """Note in a checkpoint folder how many prompts were taken."""
        write_json(checkpoint / _NOTE, {"prompts_taken": self.taken})

    def load(self, checkpoint: Path) -> None:
        """Go on from a checkpoint folder."""
        self.taken = int(read_json(checkpoint / _NOTE)["prompts_taken"])


@dataclass(frozen=True)
class Sampled:
    """One sampled completion, as another process can train on it.

    Attributes:
        prompt: place of its prompt in the training set. prompt_tokens: how long that is.
        token_ids, logprobs: as TRL sampled them; logprobs None: not known.
        statistics: token statistics by name, where the variant needs them before the rewards.
    """

    prompt: int
    prompt_tokens: int
    token_ids: list[int]
    logprobs: Any
    statistics: dict[str, float]


@dataclass
class Drawn:
    """All groups that a generation has drawn, the same on every process.

    Attributes:
        judged: their columns, group by group. votes: those of their further votes.
        sampled: (completions,) in the order of ``judged``.
        shares: (groups,) vote shares.
    """

    rule: RefillRule
    size: int
    judged: Columns = field(default_factory=dict)
    votes: Columns = field(default_factory=dict)
    sampled: list[Sampled] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    draws: int = 0

    @property
    def missing(self) -> int:
        """Groups that the next draw samples; 0: the generation is whole."""
        return self.rule.next(self.shares, self.draws)

    def add(self, batch: RolloutBatch, sampled: Sequence[Sampled]) -> None:
        """Take in one draw; ``sampled``: those of all processes, in the order of the batch."""
        for own, found in ((self.judged, batch.columns), (self.votes, batch.votes)):
            for name, values in found.items():
                own.setdefault(name, []).extend(values)
        for name in sampled[0].statistics:
            values = [one.statistics[name] for one in sampled]
            known = [value if value == value else None for value in values]
            self.judged.setdefault(name, []).extend(known)
        self.sampled += sampled
        self.shares += batch.columns["vote_share"][:: self.size]
        self.draws += 1

    def rows(self) -> list[int]:
        """The completions that are trained on, place by place."""
        return [row for group in self.rule.kept(self.shares) for row in self._of(group)]

    def batch(self, like: RolloutBatch) -> RolloutBatch:
        """The generation as it is trained and logged; ``like``: one of its draws."""
        kept = self.rule.kept(self.shares)
        left = [n for n in range(len(self.shares)) if n not in {*kept}]
        found = RolloutBatch(like.phase, like.step, self._columns(kept), self.votes)
        found.dropped = self._columns(left)
        if found.dropped:  # nothing was rewarded; ``advantage`` and the like are null too
            found.dropped["train_reward"] = [None] * len(found.dropped["train_reward"])
        found.voted_at = like.voted_at
        found.metrics = like.metrics | {
            "groups/count": float(len(kept)),
            "groups/drawn": float(len(self.shares)),
        }
        return found

    def _columns(self, groups: Sequence[int]) -> Columns:
        if not groups:
            return {}
        rows = [row for group in groups for row in self._of(group)]
        return {name: [values[row] for row in rows] for name, values in self.judged.items()}

    def _of(self, group: int) -> Iterator[int]:
        yield from range(group * self.size, (group + 1) * self.size)
