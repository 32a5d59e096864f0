"""Whether a tiny model can learn what a warm start shows it: asked before its first step."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from srtbench.answers.grader import Grader
from srtbench.config.models import TinyModel
from srtbench.datasets import Problem
from srtbench.datasets.splits import excerpt, normalise
from srtbench.plan.stages import WarmStart

WARM_START_PROMPTS = 2000
"""Warm-start prompts per level, at most."""


class TargetError(ValueError):
    """A warm start cannot succeed; the message says why.

    Attributes:
        key: of the sweep file that is to be changed: of the dataset, the model (`alphabet`) or the
            training (`max_completion_length`).
    """

    def __init__(self, message: str, key: str):
        super().__init__(message)
        self.key = key


@dataclass(frozen=True)
class Lesson:
    """What a warm start is trained on, and what its accuracy is measured on.

    Attributes:
        weights: level -> relative weight in a batch.
    """

    training: list[Problem]
    checked: list[Problem]
    weights: dict[int | None, float]


def check_count(available: int, wanted: int) -> int:
    """How many of ``available`` prompts to hold out for checks: a quarter at most, at least one."""
    return max(1, min(wanted, available // 4))


def lesson(spec: WarmStart, problems: Sequence[Problem]) -> Lesson:
    """Warm-start problems, divided.

    Raises:
        TargetError: there is nothing to train on, or nothing to measure on.
    """
    dataset = spec.dataset
    level = getattr(dataset, "level", None)
    weights: dict[int | None, float] = {level: 1.0}
    if dataset.warm_start_levels:
        weights = dict(dataset.warm_start_levels.items())
    checked = [problem for problem in problems if problem.level == level or level is None]
    if not checked:
        raise TargetError(
            f"{dataset.label}: level {level} will be trained, but warm_start_levels has none of "
            "it, so its accuracy cannot be checked: give it a weight there",
            "warm_start_levels",
        )
    checked = checked[-check_count(len(checked), spec.model.warm_start.check_prompts) :]
    held_out = {normalise(problem.prompt) for problem in checked}
    training = [problem for problem in problems if normalise(problem.prompt) not in held_out]
    if not training:
        raise TargetError(
            f"{dataset.label}: nothing is left to train on: of {len(problems)} warm-start prompts "
            "all are held out to check the accuracy; raise split.warm_start, or give more "
            "questions",
            "split",
        )
    return Lesson(training, checked, weights)


def check_targets(grader: Grader, problems: Sequence[Problem]) -> None:
    """Every target must be graded as right, or the model would learn what is counted as wrong.

    Raises:
        TargetError: some are not; the first is named with what is read in it.
    """
    read = grader.grade([problem.target for problem in problems])
    golds = grader.gold_keys([problem.gold for problem in problems])
    wrong = [
        place
        for place, (key, gold) in enumerate(zip(read.keys, golds, strict=True))
        if key is None or key != gold
    ]
    if not wrong:
        return
    problem, answer = problems[wrong[0]], read.answers[wrong[0]]
    found = "no answer" if answer is None else excerpt(answer)
    raise TargetError(
        f"{len(wrong)} of {len(problems)} targets are not read back as their gold answers, e.g. "
        f"{problem.where}: in the target {excerpt(problem.target)} answer_style "
        f"{grader.answer_style} reads {found}, the gold answer is {excerpt(problem.gold)}: let "
        "target_template write the answer as answer_style reads it, or choose another answer_style",
        "target_template",
    )


def alphabet_error(missing: Collection[str]) -> TargetError:
    """Characters of the prompts and targets have no token."""
    return TargetError(
        f"the tiny model's alphabet lacks {''.join(sorted(missing))!r}: add them to `alphabet`",
        "alphabet",
    )


def check_lengths(lengths: Sequence[int], limit: int, target_accuracy: float) -> None:
    """So many targets must fit into a completion that the accuracy can be reached.

    Args:
        lengths: tokens of the targets that decide on the accuracy; the end token need not fit.
        limit: tokens of a completion.

    Raises:
        TargetError: too few fit.
    """
    share = sum(length <= limit for length in lengths) / len(lengths)
    if share == 0:
        raise TargetError(
            f"no target fits into max_completion_length = {limit}; the shortest needs "
            f"{min(lengths)} tokens, the longest {max(lengths)}",
            "max_completion_length",
        )
    if share < target_accuracy:
        raise TargetError(
            f"only {share:.0%} of the targets fit into max_completion_length = {limit}, and "
            f"target_accuracy is {target_accuracy:g}; the longest needs {max(lengths)} tokens",
            "max_completion_length",
        )


class Tokens:
    """The tokens of a tiny model, without its tokenizer: words win, longer ones first."""

    def __init__(self, model: TinyModel):
        self._words = sorted(set(model.words), key=lambda word: (-len(word), word))
        self._known = {*self._words, *model.alphabet}
        pattern = "|".join([*(re.escape(word) for word in self._words), r"[\s\S]"])
        self._pattern = re.compile(pattern)
        self._single = {one for one in self._known if len(one) == 1}

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return sum(1 for _ in self._pattern.finditer(text))

    def missing(self, texts: Iterable[str]) -> set[str]:
        """Characters of the texts that have no token where they stand."""
        found: set[str] = set()
        for text in texts:
            # A character without a token of its own may still be part of a word, as in \\boxed{.
            if not self._single.issuperset(text):
                found.update(set(self._pattern.findall(text)) - self._known)
        return found

    def foreign(self, text: str) -> set[str]:
        """Characters of a text that are in no token at all, whatever stands beside them."""
        return set(text).difference(*self._known)
