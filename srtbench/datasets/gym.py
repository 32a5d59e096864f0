"""Reasoning Gym tasks as endless streams of distinct problems.

Reasoning Gym's item i of seed s is its item i - 1 of seed s + 1, so seeds cannot keep splits
apart; the hash of each prompt does. Items are drawn in the order of their index, so a larger
request starts with a smaller one.
"""

import dataclasses
import logging
import math
from collections.abc import Iterator
from typing import Any

from srtbench.answers import extract
from srtbench.config.datasets import AnswerStyle, ReasoningGymDataset
from srtbench.config.errors import allowed
from srtbench.config.tasks import task_reviews
from srtbench.datasets import gym_process
from srtbench.datasets.gym_generators import CHUNK, make_generator, registry
from srtbench.datasets.levels import task_options
from srtbench.datasets.problems import DatasetError, Item, Problem, Split
from srtbench.datasets.splits import excerpt, split_of
from srtbench.datasets.templates import Templates

STALE_DRAWS = 1000
"""A split is exhausted after about so many draws of its own that bring nothing new."""
MAX_FAILURES = 100
"""Items whose generation may fail before the task counts as broken."""

_OWN_KEYS = {"seed": "use the dataset's own `seed`", "size": "items are drawn as needed"}
_NOT_TASKS = {"composite": "list its tasks as datasets of their own"}

_log = logging.getLogger(__name__)


def tasks() -> list[str]:
    """Names of the tasks that a sweep can use."""
    return sorted(set(registry()) - set(_NOT_TASKS))


def stream_items(dataset: ReasoningGymDataset, level: int | None) -> Iterator[Item]:
    """Items of the task at ``level``, without end.

    Raises:
        DatasetError: unknown task or option, refused options, a task without gold answers, or one
            that keeps failing.
    """
    options = _checked_options(dataset, level)
    review = task_reviews().get(dataset.task)
    draw = _entries_elsewhere if review is not None and review.unstable else _entries
    failures = 0
    seed = dataset.seed
    while True:
        for index, entry in enumerate(draw(dataset.task, options, seed)):
            where = f"{dataset.task} item {index} of seed {seed}"
            if isinstance(entry, dict):
                yield _item(entry, where, level, dataset.gold_style)
                continue
            failures += 1
            _log.log(logging.WARNING if failures == 1 else logging.DEBUG, "%s: %s", where, entry)
            if failures > MAX_FAILURES:
                raise DatasetError(
                    f"over {MAX_FAILURES} items failed with options {options}; "
                    f"last {where}: {entry}"
                )
        seed += CHUNK


def distinct_problems(
    dataset: ReasoningGymDataset, split: Split, level: int | None, seen: dict[str, Item]
) -> Iterator[Problem]:
    """Problems of ``split`` whose prompt is not in ``seen``; ends when draws bring nothing new.

    ``seen`` (prompt -> item) is shared between the levels of one request and grows.

    Raises:
        DatasetError: as ``stream_items``; or the prompt template leaves out part of the question,
            so that one prompt has several answers.
    """
    templates = Templates(dataset)
    limit = math.ceil(STALE_DRAWS / max(getattr(dataset.split, split), 1e-3))
    stale = 0
    for item in stream_items(dataset, level):
        prompt = templates.prompt_of(item)
        known = seen.get(prompt)
        if known is not None:
            _check_template_keeps_question(known, item, prompt)
        elif split_of(prompt, dataset.split) == split:
            seen[prompt] = item
            stale = 0
            yield templates.problem(item, prompt, split)
            continue
        stale += 1
        if stale >= limit:
            return


def _checked_options(dataset: ReasoningGymDataset, level: int | None) -> dict[str, Any]:
    task = dataset.task
    if task in _NOT_TASKS:
        raise DatasetError(f"{task}: not usable as a dataset; {_NOT_TASKS[task]}")
    if task not in registry():
        raise DatasetError(f"unknown Reasoning Gym task '{task}'. {allowed(task, tasks())}")
    options = task_options(dataset, level)
    known = {field.name for field in dataclasses.fields(registry()[task][1])} - set(_OWN_KEYS)
    for option in options:
        if option in _OWN_KEYS:
            raise DatasetError(f"{task}: config.{option}: {_OWN_KEYS[option]}")
        if option not in known:
            raise DatasetError(f"{task}: unknown option '{option}'. {allowed(option, known)}")
    return options


def _entries(task: str, options: dict[str, Any], seed: int) -> Iterator[dict[str, Any] | str]:
    """The items of one generator; a sentence in place of an item whose generation fails."""
    generator = make_generator(task, options, seed)
    for index in range(CHUNK):
        try:
            entry: dict[str, Any] | str = generator[index]
        except Exception as error:  # whatever a task's generator may raise
            entry = f"{type(error).__name__}: {error}"
        yield entry


def _entries_elsewhere(
    task: str, options: dict[str, Any], seed: int
) -> Iterator[dict[str, Any] | str]:
    make_generator(task, options, seed)  # for its errors
    return gym_process.entries(task, options, seed, CHUNK)


def _item(
    entry: dict[str, Any], where: str, level: int | None, gold_style: AnswerStyle | None
) -> Item:
    question, answer = entry["question"], entry["answer"]
    if answer is None or not str(answer).strip():
        raise DatasetError(f"{where}: the task gives no gold answer, so it cannot be a dataset")
    if gold_style is not None:
        text, answer = str(answer), extract(str(answer), gold_style)
        if answer is None:
            raise DatasetError(f"{where}: no answer in gold_style {gold_style}: {excerpt(text)}")
    return Item(where, str(question), str(answer), level, entry["metadata"])


def _check_template_keeps_question(known: Item, item: Item, prompt: str) -> None:
    if known.answer != item.answer and known.question != item.question:
        raise DatasetError(
            f"prompt_template: {known.where} and {item.where} give one prompt, {excerpt(prompt)}, "
            f"but other questions and answers ({excerpt(known.answer)}, {excerpt(item.answer)})"
        )
