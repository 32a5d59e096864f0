"""Supervised warm start of a tiny model, to a stated accuracy."""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from srtbench.checks.targets import check_count as check_count
from srtbench.config.models import WarmStart
from srtbench.engines.base import Completion
from srtbench.engines.transformers import TransformersEngine

logger = logging.getLogger(__name__)

_CHECK_BATCH = 512
"""Completions at once in a check of the accuracy."""


@dataclass(frozen=True)
class Example:
    """A prompt with the completion to imitate."""

    prompt: str
    target: str
    level: int | None


@dataclass(frozen=True)
class WarmStartResult:
    """How a warm start ended; ``reached``: the target accuracy was met within max_steps."""

    steps: int
    accuracy: float
    reached: bool


def warm_start(
    model: Any,
    tokenizer: Any,
    config: WarmStart,
    training: Sequence[Example],
    weights: Mapping[int | None, float],
    check_prompts: Sequence[str],
    is_right: Callable[[int, Completion], bool],
    *,
    max_completion_length: int,
    on_check: Callable[[int, float], None] = lambda step, accuracy: None,
) -> WarmStartResult:
    """Train ``model`` in place by next-token prediction on completions.

    AdamW on batches whose levels are drawn with ``weights``; every ``check_every`` steps the mean
    accuracy of sampled answers to ``check_prompts`` decides whether to stop.

    Args:
        training: examples; none of them may be a check prompt.
        weights: level -> relative weight in a batch.
        check_prompts: held-out prompts of the level that will be trained.
        is_right: whether a completion answers the check prompt of that index.
        on_check: called with step and accuracy after each check.
    """
    assert isinstance(config.seed, int), "the plan puts the run's seed in place of 'run'"
    rng = np.random.default_rng(config.seed)
    pools: dict[int | None, list[tuple[list[int], list[int]]]] = defaultdict(list)
    for example in training:
        prompt = list(tokenizer(example.prompt)["input_ids"])
        target = list(tokenizer(example.target)["input_ids"])
        pools[example.level].append((prompt, [*target, tokenizer.eos_token_id]))
    levels = [level for level in weights if pools[level]]
    shares = np.array([weights[level] for level in levels], dtype=float)
    shares /= shares.sum()
    check_ids = [list(tokenizer(prompt)["input_ids"]) for prompt in check_prompts]
    engine = TransformersEngine(model, tokenizer, _CHECK_BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=config.learning_rate)
    accuracy, step = 0.0, 0
    for step in range(1, config.max_steps + 1):
        counts = rng.multinomial(config.batch_size, shares)
        batch = [
            pools[level][index]
            for level, count in zip(levels, counts, strict=True)
            for index in rng.integers(len(pools[level]), size=count)
        ]
        model.train()
        loss = model(**_collate(batch, tokenizer.pad_token_id)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if step % config.check_every and step != config.max_steps:
            continue
        completions = engine.sample(
            check_ids,
            samples=config.check_samples,
            temperature=1.0,
            max_completion_length=max_completion_length,
            seed=config.seed,
        )
        right = [
            is_right(index, completion)
            for index, group in enumerate(completions)
            for completion in group
        ]
        accuracy = float(np.mean(right))
        logger.info("warm start: step %d, loss %.3f, accuracy %.3f", step, loss.item(), accuracy)
        on_check(step, accuracy)
        if accuracy >= config.target_accuracy:
            break
    return WarmStartResult(step, accuracy, accuracy >= config.target_accuracy)


def _collate(batch: Sequence[tuple[list[int], list[int]]], pad: int) -> dict[str, torch.Tensor]:
    """Right-padded ids, mask and labels; only completion tokens count in the loss."""
    longest = max(len(prompt) + len(target) for prompt, target in batch)
    ids, mask, labels = [], [], []
    for prompt, target in batch:
        padding = longest - len(prompt) - len(target)
        ids.append(prompt + target + [pad] * padding)
        mask.append([1] * (len(prompt) + len(target)) + [0] * padding)
        labels.append([-100] * len(prompt) + target + [-100] * padding)
    return {
        "input_ids": torch.tensor(ids),
        "attention_mask": torch.tensor(mask),
        "labels": torch.tensor(labels),
    }
