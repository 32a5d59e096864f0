"""The one adapter between variants and TRL's reward functions."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from srtbench.answers.grader import Grader
from srtbench.rollouts import Phase
from srtbench.rollouts.judge import Columns, Judge, graded_rows
from srtbench.rollouts.texts import completion_text
from srtbench.variants import TOKEN_STATISTICS, Variant

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
        voted_at: optimiser steps that their policy had done; None: it is none of one step.
    """

    statistics: dict[str, list[float]] = field(default_factory=dict)
    votes: list[list[tuple[str, list[int]]]] = field(default_factory=list)
    voted_at: int | None = None


@dataclass
class RolloutBatch:
    """Rollouts of one generation over all processes, in the order that TRL normalises them.

    Columns are lists of length prompts x samples, groups one after the other.

    Attributes:
        votes: columns of the completions that voted and were not trained on; empty: none did.
        voted_at: optimiser steps that their policy had done; None: it is none of one step.
        dropped: columns of the groups that were sampled and not trained on; empty: none were.
        metrics: numbers of the generation, by name.
    """

    phase: Phase
    step: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    votes: dict[str, list[Any]] = field(default_factory=dict)
    voted_at: int | None = None
    dropped: dict[str, list[Any]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["prompt_id"])


class _Row(NamedTuple):
    """A trained completion and the further votes that it brings, as rows; to be gathered."""

    columns: dict[str, Any]
    votes: list[dict[str, Any]]


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
        ready: what the next call answers where its rows are judged already.
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
        self.ready: RolloutBatch | None = None

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
        self.batch, self.ready = self.ready, None
        if self.batch is None:
            ids, step = completion_ids, trainer_state.global_step + 1
            self.batch = self.judged(prompt_id, completions, ids, step)
        start = self._process_index() * len(prompt_id)
        rewards: list[float] = self.batch.columns["train_reward"]
        return rewards[start : start + len(prompt_id)]

    def judged(
        self,
        prompt_id: list[str],
        completions: list[Any],
        completion_ids: list[list[int]],
        step: int,
        first: int = 0,
    ) -> RolloutBatch:
        """The rollouts of all processes, judged; collective.

        Args:
            prompt_id, completions, completion_ids: of the rows of this process.
            first: number of the first group among those of the step.
        """
        extras, self.extras = self.extras, LocalExtras()
        unknown = [math.nan] * len(prompt_id)
        statistics = {name: extras.statistics.get(name, unknown) for name in TOKEN_STATISTICS}
        cast = extras.votes or [[] for _ in prompt_id]
        texts = [completion_text(completion) for completion in completions]
        trained = self._rows(prompt_id, texts, completion_ids, statistics)
        votes = iter(
            self._rows(
                [name for name, row in zip(prompt_id, cast, strict=True) for _ in row],
                [text for row in cast for text, _ in row],
                [ids for row in cast for _, ids in row],
                {},
            )
        )
        local = [
            _Row(row, [next(votes) for _ in own]) for row, own in zip(trained, cast, strict=True)
        ]
        batch = self._judge(self._gather(local), step, first)
        batch.voted_at = extras.voted_at
        return batch

    def _rows(
        self,
        prompt_ids: Sequence[str],
        texts: Sequence[str],
        ids: Sequence[Sequence[int]],
        statistics: Mapping[str, Sequence[float]],
    ) -> list[dict[str, Any]]:
        """Graded completions of this process, a row each; groups are known once all are here."""
        columns = graded_rows(
            texts,
            prompt_ids,
            grader=self._grader,
            completion_ids=ids,
            token_statistics=statistics,
        )
        columns["completion_tokens"] = [len(one) for one in ids]
        columns["truncated"] = [not one or one[-1] not in self._end_tokens for one in ids]
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def _judge(self, rows: list[_Row], step: int, first_group: int) -> RolloutBatch:
        """Judge every group; rows are those of all processes."""
        size = self._num_generations
        trained = [row.columns for row in rows]
        self._check_groups(trained, step)
        voted: list[dict[str, Any]] = []
        for number, row in enumerate(rows):
            position, index = divmod(number, size)
            group = {"group_id": f"{step}-{first_group + position}"}
            row.columns.update(group, sample_index=index)
            first = size + index * len(row.votes)
            for place, one in enumerate(row.votes, start=first):
                one.update(group, sample_index=place)
            voted += row.votes
        columns, votes = _columns(trained), _columns(voted)
        keys: dict[str, list[str | None]] = {}
        for one in voted:
            keys.setdefault(one["group_id"], []).append(one["answer_key"])
        judge = Judge(self.variant, self._seed, self._gold_keys)
        positions = range(first_group, first_group + len(rows) // size)
        judged = judge.step(columns, step, keys, positions)
        batch = RolloutBatch("train", step, _logged(columns | judged.columns))
        if voted:
            batch.votes = _logged(votes | judged.of_votes(votes))
        batch.metrics = {
            "groups/count": float(len(rows) // size),
            "groups/size": float(size),
            "groups/split": 0.0,  # one split group raises SplitGroupError
        }
        return batch

    def _check_groups(self, rows: Sequence[Mapping[str, Any]], step: int) -> None:
        size = self._num_generations
        if len(rows) % size:
            raise SplitGroupError(
                f"step {step}: {len(rows)} rollouts do not divide into groups of {size}; "
                "rows of another process are missing"
            )
        for first in range(0, len(rows), size):
            found = {row["prompt_id"] for row in rows[first : first + size]}
            if len(found) != 1:
                raise SplitGroupError(
                    f"step {step}: group {first // size} holds rows of {len(found)} prompts"
                )


def _columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}


def _logged(columns: Columns) -> Columns:
    """Without what only a variant reads; the trainer adds the token statistics of the loss."""
    unlogged = {"completion_ids", *TOKEN_STATISTICS}
    return {name: values for name, values in columns.items() if name not in unlogged}
