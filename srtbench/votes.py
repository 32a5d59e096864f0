"""Majority votes over answer keys: the one place where a pseudo-label is decided.

Source: SRT, arXiv 2505.21444, section 3 and its released code. The defaults are its rule:
unparsable answers do not vote, ties go to the answer seen first, and a group in which nothing
parses has no pseudo-label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from srtbench.lazy import np
from srtbench.sections import Section

if TYPE_CHECKING:
    import numpy.typing as npt


class VotingPolicy(Section):
    """How a group's answer keys become one pseudo-label; `voting:` in a sweep file."""

    tie: Literal["first", "random", "abstain", "split"] = Field(
        "first",
        description="who wins among equally frequent keys: the one seen first; one of them by "
        "chance; none; all of them, each with an equal part",
    )
    unparsable: Literal["exclude", "count"] = Field(
        "exclude",
        description="exclude: an unparsable answer does not vote; count: all of them vote together "
        "for 'no answer', and where that wins or ties the group has no label",
    )
    min_share: float = Field(0.0, ge=0, le=1, description="a label needs at least this vote share")
    denominator: Literal["votes", "samples"] = Field(
        "votes", description="what a vote share is a fraction of: the votes cast, or all samples"
    )


@dataclass(frozen=True)
class Vote:
    """Outcome of one group's vote.

    Attributes:
        label: the pseudo-label; None without one (nothing parses, an abstained or split tie, a
            share below the minimum).
        share: vote share of the most frequent key, in [0, 1]; 0 if no key was cast.
        counts: votes of each key, in the order in which the keys were first seen.
        winners: keys that earn reward; one key, or under ``split`` every tied key.
        total: what shares are fractions of, in votes.
    """

    label: str | None
    share: float
    counts: dict[str, int]
    winners: tuple[str, ...]
    total: int = 0

    def key_share(self, key: str | None) -> float:
        """Vote share of a key; 0 for one that nobody voted for."""
        return self.counts.get(key, 0) / self.total if key is not None and self.total else 0.0

    def weight(self, key: str | None) -> float:
        """Reward of an answer: 1 for the label, 1 / number of winners for a split tie, else 0."""
        return 1.0 / len(self.winners) if key is not None and key in self.winners else 0.0


def vote(
    keys: Sequence[str | None],
    policy: VotingPolicy | None = None,
    rng: np.random.Generator | None = None,
) -> Vote:
    """Vote over one group.

    Args:
        keys: (samples,) answer keys in sample order; None where an answer did not parse.
        policy: the rule; None: SRT's.
        rng: needed by ``tie="random"`` only.

    Raises:
        ValueError: ``tie="random"`` met a tie without an rng.
    """
    policy = policy or VotingPolicy()
    counts = dict(Counter(key for key in keys if key is not None))
    unparsable = len(keys) - sum(counts.values())
    total = len(keys)
    if policy.denominator == "votes" and policy.unparsable == "exclude":
        total -= unparsable
    if not counts:
        return Vote(None, 0.0, counts, (), total)
    top = max(counts.values())
    share = top / total
    tied = tuple(key for key, count in counts.items() if count == top)
    outvoted = policy.unparsable == "count" and unparsable >= top
    if outvoted or share < policy.min_share or (policy.tie == "abstain" and len(tied) > 1):
        return Vote(None, share, counts, (), total)
    if len(tied) == 1 or policy.tie == "first":
        return Vote(tied[0], share, counts, tied[:1], total)
    if policy.tie == "split":
        return Vote(None, share, counts, tied, total)
    if rng is None:
        raise ValueError("VotingPolicy(tie='random') needs an rng")
    winner = tied[int(rng.integers(len(tied)))]
    return Vote(winner, share, counts, (winner,), total)


def vote_groups(
    keys: Sequence[Sequence[str | None]],
    policy: VotingPolicy | None = None,
    rng: np.random.Generator | None = None,
) -> list[Vote]:
    """Vote over many groups; keys: (prompts, samples), groups may differ in size."""
    return [vote(group, policy, rng) for group in keys]


IntArray: TypeAlias = "npt.NDArray[np.int64]"
FloatArray: TypeAlias = "npt.NDArray[np.float64]"
_CELLS = 1 << 24


@dataclass(frozen=True)
class VoteTable:
    """Outcome of many groups' votes.

    Attributes:
        label: (prompts,) the pseudo-label; -1 without one.
        share: (prompts,) vote share of the most frequent key.
        weight: (prompts, samples) reward of each answer, as `Vote.weight`.
    """

    label: IntArray
    share: FloatArray
    weight: FloatArray


def vote_table(
    keys: IntArray, policy: VotingPolicy | None = None, rng: np.random.Generator | None = None
) -> VoteTable:
    """Vote over many groups of one size at once; the same outcomes as `vote_groups`.

    Args:
        keys: (prompts, samples) answer keys as integers >= 0; -1 where an answer did not parse.
        rng: needed by ``tie="random"`` only; ties draw from it in the order of the prompts.

    Raises:
        ValueError: ``keys`` is not two-dimensional; ``tie="random"`` met a tie without an rng.
    """
    keys = np.asarray(keys, dtype=np.int64)
    if keys.ndim != 2:
        raise ValueError(f"keys must be (prompts, samples), got shape {keys.shape}")
    policy = policy or VotingPolicy()
    prompts, samples = keys.shape
    rows = max(1, _CELLS // max(1, samples * samples))
    parts = [_vote_rows(keys[i : i + rows], policy, rng) for i in range(0, prompts, rows)]
    if not parts:
        return VoteTable(np.empty(0, np.int64), np.empty(0), np.empty((0, samples)))
    return VoteTable(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _vote_rows(
    keys: IntArray, policy: VotingPolicy, rng: np.random.Generator | None
) -> tuple[IntArray, FloatArray, FloatArray]:
    equal = keys[:, :, None] == keys[:, None, :]
    parsed = keys >= 0
    counts = np.where(parsed, equal.sum(axis=2), 0)
    top = counts.max(axis=1, initial=0)
    unparsable = (~parsed).sum(axis=1)
    excluded = policy.denominator == "votes" and policy.unparsable == "exclude"
    total = keys.shape[1] - (unparsable if excluded else 0)
    share = np.divide(top, total, out=np.zeros(len(keys)), where=top > 0)
    winning = parsed & (counts == top[:, None])
    seen_before = np.tril(equal, -1).any(axis=2)
    tied = (winning & ~seen_before).sum(axis=1)
    void = (top == 0) | (share < policy.min_share)
    if policy.unparsable == "count":
        void |= unparsable >= top
    if policy.tie == "abstain":
        void |= tied > 1
    winning[void] = False
    if policy.tie == "split":
        label = np.where(void | (tied > 1), -1, keys[np.arange(len(keys)), winning.argmax(axis=1)])
        return label, share, winning / np.maximum(tied, 1)[:, None]
    place = winning.argmax(axis=1)
    if policy.tie == "random":
        for row in np.flatnonzero(~void & (tied > 1)):
            if rng is None:
                raise ValueError("VotingPolicy(tie='random') needs an rng")
            firsts = np.flatnonzero(winning[row] & ~seen_before[row])
            place[row] = firsts[int(rng.integers(tied[row]))]
    label = np.where(void, -1, keys[np.arange(len(keys)), place])
    return label, share, ((keys == label[:, None]) & winning).astype(np.float64)
