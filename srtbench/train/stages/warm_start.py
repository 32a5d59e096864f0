"""The stage that makes a tiny start model."""

from collections.abc import Sequence
from typing import Any

from srtbench.datasets import Problem, load_problems
from srtbench.datasets.splits import normalise
from srtbench.engines.base import Completion
from srtbench.models.tiny import build_tiny
from srtbench.models.warm_start import Example, check_count, warm_start
from srtbench.plan.stages import WarmStart
from srtbench.rollouts import write_parquet
from srtbench.store import Folder, write_json
from srtbench.train.prompts import grader_of, prompt_table

WARM_START_PROMPTS = 2000
"""Warm-start prompts per level, at most."""


class WarmStartError(RuntimeError):
    """A warm start did not reach its accuracy."""


def make_start_model(spec: WarmStart, folder: Folder) -> None:
    """Train the tiny model of a stage to its target accuracy, into the stage's folder.

    Raises:
        WarmStartError: it cannot be trained or checked, or does not reach the accuracy.
    """
    dataset, config = spec.dataset, spec.model.warm_start
    problems = load_problems(dataset, "warm_start", WARM_START_PROMPTS)
    level = getattr(dataset, "level", None)
    weights: dict[int | None, float] = {level: 1.0}
    if dataset.warm_start_levels:
        weights = dict(dataset.warm_start_levels.items())
    checked = [problem for problem in problems if problem.level == level or level is None]
    if not checked:
        raise WarmStartError(
            f"{dataset.label}: level {level} will be trained, but warm_start_levels has none of "
            "it, so its accuracy cannot be checked: give it a weight there"
        )
    checked = checked[-check_count(len(checked), config.check_prompts) :]
    held_out = {normalise(problem.prompt) for problem in checked}
    training = [problem for problem in problems if normalise(problem.prompt) not in held_out]
    if not training:
        raise WarmStartError(
            f"{dataset.label}: nothing is left to train on: of {len(problems)} warm-start prompts "
            "all are held out to check the accuracy; raise split.warm_start, or give more questions"
        )
    write_parquet(prompt_table(dataset, problems), folder.prompts_path)

    grader = grader_of(dataset)
    golds = grader.gold_keys([problem.gold for problem in checked])

    def is_right(index: int, completion: Completion) -> bool:
        key = grader.grade([completion.text]).keys[0]
        return key is not None and key == golds[index]

    model, tokenizer = build_tiny(spec.model)
    _check_alphabet(tokenizer, problems)
    folder.update_status(total_steps=config.max_steps)
    result = warm_start(
        model,
        tokenizer,
        config,
        # Without a mixture all levels are one pool: that of the level that the weights name.
        [
            Example(p.prompt, p.target, p.level if dataset.warm_start_levels else level)
            for p in training
        ],
        weights,
        [problem.prompt for problem in checked],
        is_right,
        max_completion_length=spec.max_completion_length,
        on_check=lambda step, accuracy: _progress(folder, step, accuracy),
    )
    if not result.reached:
        raise WarmStartError(
            f"accuracy {result.accuracy:.3f} after {result.steps} steps, below the target "
            f"{config.target_accuracy}: raise warm_start.max_steps, lower target_accuracy, or "
            "put the level's neighbours into warm_start_levels"
        )
    model.eval()
    model.save_pretrained(folder.model_path)
    tokenizer.save_pretrained(folder.model_path)
    write_json(
        folder.path / "result.json",
        {
            "steps": result.steps,
            "accuracy": result.accuracy,
            "check_prompts": len(checked),
            "check_samples": config.check_samples,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        },
    )


def _check_alphabet(tokenizer: Any, problems: Sequence[Problem]) -> None:
    """Every character of the prompts and targets must have a token."""
    texts = {char for problem in problems for char in problem.prompt + problem.target}
    unknown = [
        char for char in sorted(texts) if tokenizer.unk_token_id in tokenizer(char).input_ids
    ]
    words = set(tokenizer.get_vocab())
    missing = [char for char in unknown if not any(char in word for word in words)]
    if missing:
        raise WarmStartError(
            f"the tiny model's alphabet lacks {''.join(missing)!r}: add them to `alphabet`"
        )


def _progress(folder: Folder, step: int, accuracy: float) -> None:
    folder.update_status(step=step, progress={"eval_accuracy": accuracy})
