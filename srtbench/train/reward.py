"""The one adapter between variants and TRL's reward functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from srtbench.rollouts import Phase
from srtbench.train.grading import Grader, gold_reward
from srtbench.variants import Group, Judgement, Variant
from srtbench.votes import vote

Gather = Callable[[list[Any]], list[Any]]
"""Local objects of each process -> those of all processes, in rank order."""


class SplitGroupError(RuntimeError):
    """The rows of one group are not all of one prompt: rewards would be wrong."""


@dataclass
class RolloutBatch:
    """Rollouts of one generation over all processes, in the order that TRL normalises them.

    Columns are lists of length prompts x samples, groups one after the other.
    """

    phase: Phase
    step: int
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.columns["prompt_id"])


class RewardAdapter:
    """A TRL reward function that judges whole groups.

    TRL calls a reward function with the rows of its own process, and a group may span processes.
    So the rows of all processes are gathered first, every process judges all groups (a vote
    costs little) and returns the rewards of its own rows. Groups are told apart by position,
    ``num_generations`` consecutive rows, which is how TRL normalises advantages, and each is
    checked to be of one prompt.

    Gold answers are in this object, not in the trainer's dataset; a variant that does not
    declare ``uses_gold`` never receives one.
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
        self._variant = variant
        self._grader = grader
        self._gold_keys = gold_keys
        self._num_generations = num_generations
        self._seed = seed
        self._gather = gather
        self._process_index = process_index
        self._end_tokens = end_tokens
        self.batch: RolloutBatch | None = None

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
        texts = [_text(completion) for completion in completions]
        graded = self._grader.grade(texts)
        local = list(
            zip(
                prompt_id,
                texts,
                map(tuple, completion_ids),
                graded.answers,
                graded.keys,
                graded.statuses,
                strict=True,
            )
        )
        rows = self._gather(local)
        rewards = self._judge(rows, trainer_state.global_step + 1)
        start = self._process_index() * len(local)
        return rewards[start : start + len(local)]

    def _judge(self, rows: list[tuple[Any, ...]], step: int) -> list[float]:
        size = self._num_generations
        if len(rows) % size:
            raise SplitGroupError(
                f"step {step}: {len(rows)} rollouts do not divide into groups of {size}; "
                "rows of another process are missing"
            )
        prompt_ids, texts, ids, answers, keys, statuses = map(list, zip(*rows, strict=True))
        columns: dict[str, list[Any]] = {
            "prompt_id": prompt_ids,
            "completion": texts,
            "completion_tokens": [len(tokens) for tokens in ids],
            "truncated": [not tokens or tokens[-1] not in self._end_tokens for tokens in ids],
            "answer": answers,
            "answer_key": keys,
            "verifier_status": statuses,
            "sample_index": list(range(size)) * (len(rows) // size),
        }
        added: dict[str, list[Any]] = {
            name: []
            for name in ("group_id", "pseudo_label", "vote_share", "train_reward", "gold_reward")
        }
        for position in range(len(rows) // size):
            part = slice(position * size, (position + 1) * size)
            if len(set(prompt_ids[part])) != 1:
                raise SplitGroupError(
                    f"step {step}: group {position} holds rows of "
                    f"{len(set(prompt_ids[part]))} prompts"
                )
            gold = self._gold_keys[prompt_ids[part][0]]
            group = Group(
                prompt_id=prompt_ids[part][0],
                group_id=f"{step}-{position}",
                completions=tuple(texts[part]),
                completion_ids=tuple(ids[part]),
                answers=tuple(answers[part]),
                answer_keys=tuple(keys[part]),
                gold_key=gold if self._variant.uses_gold else None,
            )
            judgement = self._judge_group(group, step, position)
            share = judgement.vote_share
            added["group_id"] += [group.group_id] * size
            added["pseudo_label"] += [judgement.pseudo_label] * size
            added["vote_share"] += [vote(keys[part]).share if share is None else share] * size
            added["train_reward"] += judgement.train_reward.tolist()
            added["gold_reward"] += [gold_reward(key, gold) for key in keys[part]]
        self.batch = RolloutBatch("train", step, columns | added)
        rewards: list[float] = added["train_reward"]
        return rewards

    def _judge_group(self, group: Group, step: int, position: int) -> Judgement:
        """Ask the variant; its random numbers depend on seed, step and group alone."""
        rng = np.random.default_rng([self._seed, step, position])
        judgement = self._variant.judge(group, rng)
        if judgement.train_reward.shape != (len(group.completions),):
            raise ValueError(
                f"variant {type(self._variant).__name__} returned rewards of shape "
                f"{judgement.train_reward.shape} for {len(group.completions)} completions"
            )
        return judgement


def _text(completion: Any) -> str:
    """Text of a completion: TRL passes a string, or chat messages."""
    if isinstance(completion, str):
        return completion
    return "".join(message["content"] or "" for message in completion)
