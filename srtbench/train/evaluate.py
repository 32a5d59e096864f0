"""Sample and grade groups outside training: evaluation, and a teacher's votes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from srtbench.answers.grader import Grader
from srtbench.engines.base import Completion, Engine, PromptFormat
from srtbench.plan.specs import Sampling
from srtbench.rollouts import rollout_table
from srtbench.rollouts.judge import Columns, graded_rows, judge_evaluation
from srtbench.variants import TOKEN_STATISTICS


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
    columns = graded_rows(
        [completion.text for *_, completion in rows],
        [f"eval-{step}-{position}" for _, position, *_ in rows],
        grader=grader,
        prompt_ids=[prompt.prompt_id for prompt, *_ in rows],
    )
    columns["step"] = [step] * len(rows)
    unknown: list[None] = [None] * len(rows)
    own: Columns = {
        "run_id": [run_id] * len(rows),
        "phase": ["eval"] * len(rows),
        "sample_index": [index for *_, index, _ in rows],
        "completion_tokens": [len(completion.token_ids) for *_, completion in rows],
        "truncated": [completion.truncated for *_, completion in rows],
        **dict.fromkeys(("train_reward", "advantage", *TOKEN_STATISTICS), unknown),
    }
    judged = judge_evaluation(columns, {prompt.prompt_id: prompt.gold_key for prompt in prompts})
    return rollout_table(columns | own | judged)
