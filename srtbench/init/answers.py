"""How the answers of rows are written and compared: which `gold_style`, which `answer_kind`."""

import re
from collections.abc import Sequence

from srtbench.answers import answer_keys, extract
from srtbench.config.datasets import AnswerKind, AnswerStyle

ENOUGH = 0.9
"""Share of the answers that must fit, for a style or kind to be proposed."""

HALF = 0.5
"""Share of the answers that must look like mathematics: others would be literal text."""

LOOKED_AT = 2000
"""Answers that are looked at; a plan looks at all."""

_MARKS: dict[AnswerStyle, str] = {
    "hash": "####",
    "boxed": "\\boxed",
    "tag": "<answer>",
    "the_answer_is": "answer is",
    "answer": "nswer:",
}
_CHOICE = re.compile(r"\(?[A-Ja-j][).:]?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]")
_MATHEMATICS = re.compile(r"\\[a-zA-Z]+|[0-9][\s]*[-+*/^=]|[-+*/^=(\[{][\s]*[0-9]|\^|[0-9][a-z]\b")
_LETTERS = 8
"""Different letters beyond which single letters are words of one letter, and no options."""


def gold_style(cells: Sequence[str]) -> AnswerStyle | None:
    """Where the answer column holds the answer; None: the whole cell.

    Args:
        cells: texts of the answer column.
    """
    cells = cells[:LOOKED_AT]
    for style, mark in _MARKS.items():
        marked = [cell for cell in cells if mark in cell]
        if marked and len(marked) >= ENOUGH * len(cells):
            found = [extract(cell, style) for cell in marked]
            if sum(one is not None for one in found) >= ENOUGH * len(cells):
                return style
    return None


def answer_kind(golds: Sequence[str]) -> tuple[AnswerKind, str]:
    """How answers are compared, and why."""
    golds = list(dict.fromkeys(gold.strip() for gold in golds))[:LOOKED_AT]
    letters = {gold.strip("().: ").upper() for gold in golds if _CHOICE.fullmatch(gold)}
    if all(_CHOICE.fullmatch(gold) for gold in golds) and 1 < len(letters) <= _LETTERS:
        return "choice", "every answer is one of a few letters"
    if any(_LEADING_ZERO.match(gold) for gold in golds if gold.isdigit()):
        return "text", "some answers begin with a zero, which as numbers would be lost"
    if _share(golds, "integer") == 1:
        return "integer", "every answer is a whole number"
    if _share(golds, "number") == 1:
        return "number", "every answer is a number"
    if sum(bool(_MATHEMATICS.search(gold)) for gold in golds) >= HALF * len(golds) or (
        _share(golds, "integer") >= HALF
    ):
        return "math", "the answers are expressions and numbers"
    if len({gold.casefold() for gold in golds}) < len(golds):
        return "word", "the answers are words, written in upper and lower case alike"
    return "text", "the answers are words, equal only if every character is"


def _share(golds: Sequence[str], kind: AnswerKind) -> float:
    return sum(key is not None for key, _ in answer_keys(list(golds), kind)) / max(1, len(golds))
