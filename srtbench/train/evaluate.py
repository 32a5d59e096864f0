"""Sample and grade groups outside training: evaluation, and a teacher's votes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from srtbench.answers.grader import Grader, gold_reward
from srtbench.engines.base import Completion, Engine, PromptFormat
from srtbench.plan.specs import Sampling
from srtbench.rollouts import rollout_table
from srtbench.votes import vote


@dataclass(frozen=True)
class Prompt:
    """One row of a prompts table."""

    prompt_id: str
    prompt: str
    gold_key: str | None


def sample_groups(
    engine: Engine,
    tokenizer: Any,
    prompts: Sequence[Prompt],
    format_: PromptFormat,
    sampling: Sampling,
    seed: int,
    on_group: Callable[[int], None] = lambda done: None,
) -> list[list[Completion]]:
    """Completions for each prompt, in order; ``on_group`` hears how many prompts are done."""
    groups = []
    for group in engine.sample(
        [format_.token_ids(tokenizer, prompt.prompt) for prompt in prompts],
        samples=sampling.samples,
        temperature=sampling.temperature,
        max_completion_length=sampling.max_completion_length,
        seed=seed,
    ):
        groups.append(group)
        on_group(len(groups))
    return groups


def evaluation_table(
    run_id: str,
    step: int,
    prompts: Sequence[Prompt],
    groups: Sequence[Sequence[Completion]],
    grader: Grader,
) -> pa.Table:
    """Rollouts of one evaluation, as ROLLOUT_SCHEMA.

    ``pseudo_label`` is the group's majority and ``vote_share`` its share; what only training
    knows (rewards, advantages, token statistics) is null.
    """
    rows = [
        (prompt, position, index, completion)
        for position, (prompt, group) in enumerate(zip(prompts, groups, strict=True))
        for index, completion in enumerate(group)
    ]
    graded = grader.grade([completion.text for *_, completion in rows])
    votes, start = [], 0
    for group in groups:
        votes += [vote(graded.keys[start : start + len(group)])] * len(group)
        start += len(group)
    unknown = [None] * len(rows)
    return rollout_table(
        {
            "run_id": [run_id] * len(rows),
            "phase": ["eval"] * len(rows),
            "step": [step] * len(rows),
            "prompt_id": [prompt.prompt_id for prompt, *_ in rows],
            "group_id": [f"eval-{step}-{position}" for _, position, *_ in rows],
            "sample_index": [index for *_, index, _ in rows],
            "completion": [completion.text for *_, completion in rows],
            "completion_tokens": [len(completion.token_ids) for *_, completion in rows],
            "truncated": [completion.truncated for *_, completion in rows],
            "answer": graded.answers,
            "answer_key": graded.keys,
            "pseudo_label": [outcome.label for outcome in votes],
            "vote_share": [outcome.share for outcome in votes],
            "train_reward": unknown,
            "gold_reward": [
                gold_reward(key, row[0].gold_key)
                for key, row in zip(graded.keys, rows, strict=True)
            ],
            "advantage": unknown,
            "mean_logprob": unknown,
            "self_certainty": unknown,
            "entropy_nats": unknown,
            "verifier_status": graded.statuses,
        }
    )
