"""Whether a warm start can succeed at all: asked of its targets before the first step."""

from collections.abc import Sequence
from typing import Any

from srtbench.answers.grader import Grader
from srtbench.datasets import Problem
from srtbench.datasets.splits import excerpt


class WarmStartError(RuntimeError):
    """A warm start did not reach its accuracy, or never could."""


def check_targets(grader: Grader, problems: Sequence[Problem]) -> None:
    """Every target must be graded as right, or the model would learn what is counted as wrong.

    Raises:
        WarmStartError: some are not; the first is named with what is read in it.
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
    raise WarmStartError(
        f"{len(wrong)} of {len(problems)} targets are not read back as their gold answers, e.g. "
        f"{problem.where}: in the target {excerpt(problem.target)} answer_style "
        f"{grader.answer_style} reads {found}, the gold answer is {excerpt(problem.gold)}: let "
        "target_template write the answer as answer_style reads it, or choose another answer_style"
    )


def check_alphabet(tokenizer: Any, problems: Sequence[Problem]) -> None:
    """Every character of the prompts and targets must have a token.

    Raises:
        WarmStartError: some have none.
    """
    texts = [text for problem in problems for text in (problem.prompt, problem.target)]
    unknown = {
        char for char in set().union(*texts) if tokenizer.unk_token_id in tokenizer(char).input_ids
    }
    # A character without a token of its own may still be part of one of `words`, as in \boxed{.
    missing = sorted(
        {
            char
            for text in texts
            if not unknown.isdisjoint(text) and tokenizer.unk_token_id in tokenizer(text).input_ids
            for char in unknown.intersection(text)
        }
    )
    if missing:
        raise WarmStartError(
            f"the tiny model's alphabet lacks {''.join(missing)!r}: add them to `alphabet`"
        )


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
    share = sum(length <= limit for length in lengths) / len(lengths)
    if share == 0:
        raise WarmStartError(
            f"no target fits into max_completion_length = {limit}; the shortest needs "
            f"{min(lengths)} tokens, the longest {max(lengths)}"
        )
    if share < target_accuracy:
        raise WarmStartError(
            f"only {share:.0%} of the targets fit into max_completion_length = {limit}, and "
            f"target_accuracy is {target_accuracy:g}; the longest needs {max(lengths)} tokens"
        )
