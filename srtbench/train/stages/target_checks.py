"""Whether a warm start can succeed at all: asked of its targets before the first step.

The rules are those of `srtbench.checks.targets`; tokens are counted by the tokenizer itself.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from srtbench.answers.grader import Grader
from srtbench.checks import targets
from srtbench.datasets import Problem
from srtbench.plan.stages import WarmStart


class WarmStartError(RuntimeError):
    """A warm start did not reach its accuracy, or never could."""


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except targets.TargetError as error:
        raise WarmStartError(str(error)) from None


def lesson(spec: WarmStart, problems: Sequence[Problem]) -> targets.Lesson:
    """What is trained on, and what the accuracy is measured on; raises WarmStartError."""
    with _failing():
        return targets.lesson(spec, problems)


def check_targets(grader: Grader, problems: Sequence[Problem]) -> None:
    """Every target must be graded as right; raises WarmStartError."""
    with _failing():
        targets.check_targets(grader, problems)


def check_alphabet(tokenizer: Any, problems: Sequence[Problem]) -> None:
    """Every character of the prompts and targets must have a token; raises WarmStartError."""
    texts = [text for problem in problems for text in (problem.prompt, problem.target)]
    unknown = {
        char for char in set().union(*texts) if tokenizer.unk_token_id in tokenizer(char).input_ids
    }
    # A character without a token of its own may still be part of one of `words`, as in \boxed{.
    missing = {
        char
        for text in texts
        if not unknown.isdisjoint(text) and tokenizer.unk_token_id in tokenizer(text).input_ids
        for char in unknown.intersection(text)
    }
    if missing:
        raise WarmStartError(str(targets.alphabet_error(missing)))


def check_lengths(
    tokenizer: Any, checked: Sequence[Problem], limit: int, target_accuracy: float
) -> None:
    """So many targets must fit into a completion that the accuracy can be reached.

    Args:
        checked: the problems whose answers decide on the accuracy.
        limit: tokens of a completion; the end token need not fit.

    Raises:
        WarmStartError: too few fit.
    """
    lengths = [len(tokenizer(problem.target).input_ids) for problem in checked]
    with _failing():
        targets.check_lengths(lengths, limit, target_accuracy)
