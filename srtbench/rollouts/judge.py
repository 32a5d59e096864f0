"""The one loop that turns a step's completions into judged rows.

Training, the audit, a revote, evaluations and other people's trainers all judge here, so that a
reward, a vote share or a majority is decided in one place. Works on plain values: columns of
`ROLLOUT_SCHEMA` by name as lists of one length. Rows of a group share a ``group_id``; they need
not stand together, and groups may differ in size. Loads no torch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from srtbench.answers.grader import Grader, gold_reward
from srtbench.variants import TOKEN_STATISTICS, Group, Judgement, Variant, group_rng
from srtbench.votes import VotingPolicy, vote, vote_table

Columns = dict[str, list[Any]]
"""Column name -> values, all of one length."""

Key = str | None

EVAL_TIE_SEED = 104_729
"""Seed of the ties of evaluations that are voted again at random."""


def runs_of(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """(start, stop) of each stretch of equal values."""
    start = 0
    for stop in range(1, len(values) + 1):
        if stop == len(values) or values[stop] != values[start]:
            yield start, stop
            start = stop


def group_rows(group_ids: Sequence[str]) -> dict[str, list[int]]:
    """Rows of each group, in the order in which the groups are first seen."""
    found: dict[str, list[int]] = {}
    for row, group_id in enumerate(group_ids):
        found.setdefault(group_id, []).append(row)
    return found


def group_number(group_id: str) -> int | None:
    """Number of a train group among all that its step has drawn; None: its id tells of none."""
    step, _, number = group_id.rpartition("-")
    return int(number) if step.isdecimal() and number.isdecimal() and number.isascii() else None


def graded_rows(
    completions: Sequence[str],
    group_ids: Sequence[str],
    *,
    grader: Grader | None = None,
    answer_keys: Sequence[Key] | None = None,
    prompt_ids: Sequence[str] | None = None,
    completion_ids: Sequence[Sequence[int]] | None = None,
    token_statistics: Mapping[str, Sequence[float | None]] | None = None,
) -> Columns:
    """Columns that `Judge` reads, one row per completion.

    Args:
        grader: finds the answers. answer_keys: given where they are known already, and then each
            is its own answer. One of the two.
        prompt_ids: None: a group is a prompt.
        completion_ids: token ids, for variants that read them.
        token_statistics: name -> values, see `TOKEN_STATISTICS`.

    Raises:
        ValueError: neither or both of ``grader`` and ``answer_keys``, or lengths that differ.
    """
    if (grader is None) == (answer_keys is None):
        raise ValueError("give either a grader or the answer keys")
    if grader is not None:
        graded = grader.grade(completions)
        answers, keys, statuses = graded.answers, graded.keys, graded.statuses
    else:
        answers = keys = list(answer_keys or ())
        statuses = ["unparsable" if key is None else "ok" for key in keys]
    columns: Columns = {
        "prompt_id": list(group_ids if prompt_ids is None else prompt_ids),
        "group_id": list(group_ids),
        "completion": list(completions),
        "answer": answers,
        "answer_key": keys,
        "verifier_status": statuses,
        **{name: list(values) for name, values in (token_statistics or {}).items()},
    }
    if completion_ids is not None:
        columns["completion_ids"] = [tuple(ids) for ids in completion_ids]
    for name, values in columns.items():
        if len(values) != len(completions):
            raise ValueError(f"{len(completions)} completions, but {len(values)} of {name}")
    return columns


def gold_rewards(
    prompt_ids: Sequence[str], keys: Sequence[Key], gold_keys: Mapping[str, Key]
) -> list[float | None]:
    """1.0 or 0.0 per row by agreement with the gold answer; None of a prompt without one."""
    return [
        gold_reward(key, gold_keys[prompt]) if prompt in gold_keys else None
        for prompt, key in zip(prompt_ids, keys, strict=True)
    ]


@dataclass(frozen=True)
class Judged:
    """What a variant said of a step.

    Attributes:
        columns: pseudo_label, vote_share, train_reward and gold_reward, in the order of the rows.
        groups: group_id -> its judgement, vote share filled in.
        gold_keys: prompt_id -> gold key that rows were graded with.
    """

    columns: Columns
    groups: dict[str, Judgement]
    gold_keys: Mapping[str, Key]

    def of_votes(self, votes: Columns) -> Columns:
        """The same columns of completions that voted and were not trained on."""
        outcomes = [self.groups[group_id] for group_id in votes["group_id"]]
        return {
            "pseudo_label": [outcome.pseudo_label for outcome in outcomes],
            "vote_share": [outcome.vote_share for outcome in outcomes],
            "train_reward": [None] * len(outcomes),
            "gold_reward": gold_rewards(votes["prompt_id"], votes["answer_key"], self.gold_keys),
        }


@dataclass(frozen=True)
class Judge:
    """A variant that judges the rollouts of one run.

    Attributes:
        seed: the run's; a group's random numbers depend on it, the step and the group's position.
        gold_keys: prompt_id -> key of the hidden answer. Grades every row beside the variant,
            which sees a gold key only if it declares ``uses_gold``.
    """

    variant: Variant
    seed: int = 0
    gold_keys: Mapping[str, Key] = field(default_factory=dict)

    def step(
        self,
        columns: Columns,
        step: int,
        votes: Mapping[str, Sequence[Key]] | None = None,
        positions: Sequence[int] | None = None,
    ) -> Judged:
        """Judge every group of one step; a group's position is its place among them.

        Args:
            columns: prompt_id, group_id, completion, answer, answer_key; completion_ids and token
                statistics if the variant reads them.
            votes: group_id -> answer keys of completions that vote and are not trained on.
            positions: of the groups, where they are not all that were drawn.

        Raises:
            ValueError: as of `group`.
        """
        count = len(columns["group_id"])
        labels: list[Key] = [None] * count
        shares: list[float | None] = [None] * count
        rewards = np.zeros(count)
        groups = {}
        for place, (group_id, rows) in enumerate(group_rows(columns["group_id"]).items()):
            position = place if positions is None else positions[place]
            cast = (votes or {}).get(group_id, ())
            groups[group_id] = judgement = self.group(columns, rows, step, position, cast)
            rewards[rows] = judgement.train_reward
            for row in rows:
                labels[row], shares[row] = judgement.pseudo_label, judgement.vote_share
        golds = gold_rewards(columns["prompt_id"], columns["answer_key"], self.gold_keys)
        judged: Columns = {
            "pseudo_label": labels,
            "vote_share": shares,
            "train_reward": rewards.tolist(),
            "gold_reward": golds,
        }
        return Judged(judged, groups, self.gold_keys)

    def group(
        self,
        columns: Columns,
        rows: Sequence[int],
        step: int,
        position: int,
        vote_keys: Sequence[Key] = (),
    ) -> Judgement:
        """Judge the group in ``rows``; without a vote of the variant's, the share is the group's.

        Raises:
            ValueError: the variant returned rewards of another shape or that are not finite, or it
                uses gold and the prompt has no gold answer.
        """
        group = self.group_of(columns, rows, vote_keys)
        judgement = self.variant.judge(group, group_rng(self.seed, step, position))
        rewards = np.asarray(judgement.train_reward)
        name = type(self.variant).__name__
        if rewards.shape != (len(rows),):
            raise ValueError(
                f"variant {name} returned rewards of shape {rewards.shape} for {len(rows)} "
                "completions"
            )
        if not np.isfinite(rewards).all():
            raise ValueError(f"variant {name} returned a reward that is not finite")
        if judgement.vote_share is None:
            judgement = replace(judgement, vote_share=vote(group.answer_keys).share)
        return judgement

    def group_of(
        self, columns: Columns, rows: Sequence[int], vote_keys: Sequence[Key] = ()
    ) -> Group:
        """The group in ``rows`` as its variant may see it; raises as `group`."""

        def take(name: str) -> tuple[Any, ...]:
            values = columns[name]
            return tuple([values[row] for row in rows])

        prompt_id, statistics = columns["prompt_id"][rows[0]], {}
        if self.variant.needs_token_statistics:
            statistics = {
                name: np.array(take(name), dtype=np.float64)  # null -> nan
                for name in TOKEN_STATISTICS
                if name in columns
            }
        ids = take("completion_ids") if "completion_ids" in columns else ((),) * len(rows)
        group = Group(
            prompt_id=prompt_id,
            group_id=columns["group_id"][rows[0]],
            completions=take("completion"),
            completion_ids=ids,
            answers=take("answer"),
            answer_keys=take("answer_key"),
            vote_keys=tuple(vote_keys),
            token_statistics=statistics,
        )
        if not self.variant.uses_gold:
            return group
        if prompt_id not in self.gold_keys:
            name = type(self.variant).__name__
            raise ValueError(f"variant {name} uses gold, and prompt {prompt_id} has no gold")
        return group.with_gold(self.gold_keys[prompt_id])


def judge_evaluation(columns: Columns, gold_keys: Mapping[str, Key]) -> Columns:
    """pseudo_label, vote_share and gold_reward of an evaluation's graded rows."""
    golds = gold_rewards(columns["prompt_id"], columns["answer_key"], gold_keys)
    return eval_votes(columns) | {"gold_reward": golds}


def eval_votes(columns: Columns, policy: VotingPolicy | None = None) -> Columns:
    """Majority and vote share of each group of evaluations, per row.

    Args:
        columns: step, group_id, answer_key, and eval_set where there are several; the rows of a
            group stand together, and so do those of an evaluation.
        policy: the rule; None: the default. A random tie draws from numbers that depend on the
            step and on the group's place in its evaluation.
    """
    keys, groups = columns["answer_key"], list(runs_of(columns["group_id"]))
    sizes = {stop - start for start, stop in groups}
    if len(sizes) == 1 and (policy is None or policy.tie != "random"):
        return _votes_at_once(keys, sizes.pop(), policy)
    steps = columns["step"]
    places = list(zip(steps, columns.get("eval_set", steps), strict=True))
    found: Columns = {"pseudo_label": [], "vote_share": []}
    position = 0
    for start, stop in groups:
        position = position + 1 if start and places[start] == places[start - 1] else 0
        rng = np.random.default_rng([EVAL_TIE_SEED, steps[start], position])
        outcome = vote(keys[start:stop], policy, rng)
        found["pseudo_label"] += [outcome.label] * (stop - start)
        found["vote_share"] += [outcome.share] * (stop - start)
    return found


def _votes_at_once(keys: Sequence[Key], size: int, policy: VotingPolicy | None) -> Columns:
    """The same for groups of one size, without random ties: many times faster."""
    numbers: dict[Key, int] = {None: -1}
    for key in keys:
        numbers.setdefault(key, len(numbers) - 1)
    names: list[Key] = [*(key for key in numbers if key is not None), None]
    table = vote_table(np.array([numbers[key] for key in keys]).reshape(-1, size), policy)
    return {
        "pseudo_label": [names[label] for label in table.label for _ in range(size)],
        "vote_share": np.repeat(table.share, size).tolist(),
    }
