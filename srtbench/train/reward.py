"""The one adapter between variants and TRL's reward functions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from srtbench.answers.grader import Grader, gold_reward
from srtbench.rollouts import Phase
from srtbench.variants import TOKEN_STATISTICS, Group, Judgement, Variant, group_rng
from srtbench.votes import vote

Gather = Callable[[list[Any]], list[Any]]
"""Local objects of each process -> those of all processes, in rank order."""


class SplitGroupError(RuntimeError):
    """The rows of one group are not all of one prompt: rewards would be wrong."""


@dataclass
class LocalExtras:
    """What a variant needs beyond the completions, for the rows of this process.

    Attributes:
        statistics: name -> (rows,) token statistics, nan where unknown.
        votes: (rows, votes per row) further completions, each its text and token ids.
    """

    statistics: dict[str, list[float]] = field(default_factory=dict)
    votes: list[list[tuple[str, list[int]]]] = field(default_factory=list)


@dataclass
class RolloutBatch:
    """Rollouts of one generation over all processes, in the order that TRL normalises them.

    Columns are lists of length prompts x samples, groups one after the other.

    Attributes:
        votes: columns of the completions that voted and were not trained on; empty: none did.
        metrics: numbers of the generation, by name.
    """

    phase: Phase
    step: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    votes: dict[str, list[Any]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["prompt_id"])


class _Graded(NamedTuple):
    text: str
    ids: tuple[int, ...]
    answer: str | None
    key: str | None
    status: str


class _Row(NamedTuple):
    prompt_id: str
    completion: _Graded
    statistics: tuple[float, ...]
    votes: tuple[_Graded, ...]


class RewardAdapter:
    """A TRL reward function that judges whole groups.

    TRL calls a reward function with the rows of its own process, and a group may span processes.
    So the rows of all processes are gathered first, every process judges all groups (a vote
    costs little) and returns the rewards of its own rows. Groups are told apart by position,
    ``num_generations`` consecutive rows, which is how TRL normalises advantages, and each is
    checked to be of one prompt.

    Gold answers are in this object, not in the trainer's dataset; a variant that does not
    declare ``uses_gold`` never receives one.

    Attributes:
        extras: what the trainer leaves here for the next call: token statistics, further votes.
        batch: rollouts of the last call.
    """

    __name__ = "train_reward"

    def __init__(
        self,
        variant: Variant,
        grader: Grader,
        gold_keys: Mapping[str, str | None],
        *,
        num_generations: int,
        seed: int,
        gather: Gather,
        process_index: Callable[[], int],
        end_tokens: frozenset[int],
    ):
        self.variant = variant
        self._grader = grader
        self._gold_keys = gold_keys
        self._num_generations = num_generations
        self._seed = seed
        self._gather = gather
        self._process_index = process_index
        self._end_tokens = end_tokens
        self.extras = LocalExtras()
        self.batch: RolloutBatch | None = None

    @property
    def votes_per_row(self) -> int:
        """Further votes that each trained completion brings to its group.

        Raises:
            ValueError: the variant's votes do not divide by the group size.
        """
        if self.variant.voter is None:
            return 0
        due = self.variant.extra_votes(self.variant.config, self._num_generations)
        votes, rest = divmod(due, self._num_generations)
        if rest or votes < 1:
            raise ValueError(
                f"variant {type(self.variant).__name__}: its votes must be a positive multiple of "
                f"num_generations = {self._num_generations}"
            )
        return votes

    def __call__(
        self,
        prompts: list[Any],
        completions: list[Any],
        completion_ids: list[list[int]],
        prompt_id: list[str],
        trainer_state: Any,
        **_: Any,
    ) -> list[float]:
        """Rewards of the local rows; the rollouts of all rows are kept in ``batch``."""
        extras, self.extras = self.extras, LocalExtras()
        count = len(prompt_id)
        unknown = [math.nan] * count
        statistics = [extras.statistics.get(name, unknown) for name in TOKEN_STATISTICS]
        votes = extras.votes or [[] for _ in range(count)]
        texts = [_text(completion) for completion in completions]
        graded = self._grade(texts, completion_ids)
        voted = iter(
            self._grade(
                [text for row in votes for text, _ in row], [ids for row in votes for _, ids in row]
            )
        )
        local = [
            _Row(name, completion, known, tuple(next(voted) for _ in cast))
            for name, completion, known, cast in zip(
                prompt_id, graded, zip(*statistics, strict=True), votes, strict=True
            )
        ]
        rewards = self._judge(self._gather(local), trainer_state.global_step + 1)
        start = self._process_index() * count
        return rewards[start : start + count]

    def _grade(self, texts: list[str], ids: Sequence[Sequence[int]]) -> list[_Graded]:
        graded = self._grader.grade(texts)
        parts = zip(
            texts, map(tuple, ids), graded.answers, graded.keys, graded.statuses, strict=True
        )
        return [_Graded(*part) for part in parts]

    def _judge(self, rows: list[_Row], step: int) -> list[float]:
        """Judge every group; rows are those of all processes."""
        size = self._num_generations
        if len(rows) % size:
            raise SplitGroupError(
                f"step {step}: {len(rows)} rollouts do not divide into groups of {size}; "
                "rows of another process are missing"
            )
        trained, voted = _Columns(self._end_tokens), _Columns(self._end_tokens)
        for position in range(len(rows) // size):
            members = rows[position * size : (position + 1) * size]
            found = {row.prompt_id for row in members}
            if len(found) != 1:
                raise SplitGroupError(
                    f"step {step}: group {position} holds rows of {len(found)} prompts"
                )
            gold = self._gold_keys[members[0].prompt_id]
            votes = [graded for row in members for graded in row.votes]
            group = self._group(members, votes, f"{step}-{position}", gold)
            judgement = self._judge_group(group, step, position)
            completions = [row.completion for row in members]
            rewards = judgement.train_reward.tolist()
            trained.add(group, completions, judgement, gold, rewards, 0)
            voted.add(group, votes, judgement, gold, [None] * len(votes), size)
        batch = RolloutBatch("train", step, trained.columns)
        if voted.columns and voted.columns["prompt_id"]:
            batch.votes = voted.columns
        batch.metrics = {
            "groups/count": float(len(rows) // size),
            "groups/size": float(size),
            "groups/split": 0.0,  # one split group raises SplitGroupError
        }
        self.batch = batch
        train_rewards: list[float] = trained.columns["train_reward"]
        return train_rewards

    def _group(
        self, members: list[_Row], votes: list[_Graded], group_id: str, gold: str | None
    ) -> Group:
        statistics = {}
        if self.variant.needs_token_statistics:
            table = np.array([row.statistics for row in members])
            statistics = {name: table[:, i] for i, name in enumerate(TOKEN_STATISTICS)}
        return Group(
            prompt_id=members[0].prompt_id,
            group_id=group_id,
            completions=tuple(row.completion.text for row in members),
            completion_ids=tuple(row.completion.ids for row in members),
            answers=tuple(row.completion.answer for row in members),
            answer_keys=tuple(row.completion.key for row in members),
            shown_gold=(gold,) if self.variant.uses_gold else (),
            vote_keys=tuple(graded.key for graded in votes),
            token_statistics=statistics,
        )

    def _judge_group(self, group: Group, step: int, position: int) -> Judgement:
        """Ask the variant; its random numbers depend on seed, step and group alone."""
        judgement = self.variant.judge(group, group_rng(self._seed, step, position))
        if judgement.train_reward.shape != (len(group.completions),):
            raise ValueError(
                f"variant {type(self.variant).__name__} returned rewards of shape "
                f"{judgement.train_reward.shape} for {len(group.completions)} completions"
            )
        if not np.isfinite(judgement.train_reward).all():
            raise ValueError(
                f"variant {type(self.variant).__name__} returned a reward that is not finite"
            )
        return judgement


class _Columns:
    """Columns of rollouts, filled group by group."""

    def __init__(self, end_tokens: frozenset[int]):
        self.columns: dict[str, list[Any]] = {}
        self._end_tokens = end_tokens

    def add(
        self,
        group: Group,
        completions: Sequence[_Graded],
        judgement: Judgement,
        gold: str | None,
        rewards: Sequence[float | None],
        first_index: int,
    ) -> None:
        """Append one group's completions; ``first_index`` is the first one's sample_index."""
        rows = len(completions)
        share = judgement.vote_share
        share = vote(group.answer_keys).share if share is None else share
        added: dict[str, Sequence[Any]] = {
            "prompt_id": [group.prompt_id] * rows,
            "group_id": [group.group_id] * rows,
            "sample_index": range(first_index, first_index + rows),
            "completion": [graded.text for graded in completions],
            "completion_tokens": [len(graded.ids) for graded in completions],
            "truncated": [
                not graded.ids or graded.ids[-1] not in self._end_tokens for graded in completions
            ],
            "answer": [graded.answer for graded in completions],
            "answer_key": [graded.key for graded in completions],
            "verifier_status": [graded.status for graded in completions],
            "pseudo_label": [judgement.pseudo_label] * rows,
            "vote_share": [share] * rows,
            "train_reward": rewards,
            "gold_reward": [gold_reward(graded.key, gold) for graded in completions],
        }
        for name, values in added.items():
            self.columns.setdefault(name, []).extend(values)


def _text(completion: Any) -> str:
    """Text of a completion: TRL passes a string, or chat messages."""
    if isinstance(completion, str):
        return completion
    return "".join(message["content"] or "" for message in completion)
