"""What the tiny model needs for given texts: characters, words with tokens of their own, size."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

_WORD = re.compile(r"[^\W\d_]{3,}")
_COMMON = 0.1
"""Share of the questions in which a word occurs that gets one."""
_MOST_WORDS = 40
_BOX = ("\\boxed{", "}")


@dataclass(frozen=True)
class Alphabet:
    """Characters and words that have a token; numbers are read digit by digit."""

    characters: str
    words: tuple[str, ...]

    def tokens(self, text: str) -> int:
        """How many tokens a text is, as the tiny model's tokenizer makes them."""
        longest_first = sorted(self.words, key=len, reverse=True)
        pattern = "|".join([*map(re.escape, longest_first), r"[\s\S]"])
        return len(re.findall(pattern, text))


def alphabet_of(
    questions: Sequence[str], prompts: Sequence[str], targets: Sequence[str]
) -> Alphabet:
    """What covers the texts.

    Args:
        questions: as the rows have them.
        prompts: the same as the policy sees them.
        targets: what the warm start teaches.
    """
    characters = "".join(sorted(set().union(*prompts, *targets)))
    words = dict.fromkeys([*_frame(questions), *_common_words(questions)])
    if any("\\boxed{" in target for target in targets):
        words.update(dict.fromkeys(_BOX))
    return Alphabet(characters, tuple(words))


def _frame(questions: Sequence[str]) -> Iterable[str]:
    """What all questions begin and end with: ``What is ``, `` ?``."""
    if len(set(questions)) < 2:
        return
    before = _common_start(questions)
    behind = _common_start([question[::-1] for question in questions])[::-1]
    while before and before[-1].isalnum():  # never within a number or a word
        before = before[:-1]
    while behind and behind[0].isalnum():
        behind = behind[1:]
    yield from (text for text in (before, behind) if len(text) > 2)


def _common_start(texts: Sequence[str]) -> str:
    first, last = min(texts), max(texts)
    length = next(
        (n for n, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), None
    )
    return first[:length]


def _common_words(questions: Sequence[str]) -> list[str]:
    counts = Counter(word for text in questions for word in set(_WORD.findall(text)))
    least = max(3, _COMMON * len(questions))
    return [word for word, count in counts.most_common(_MOST_WORDS) if count >= least]


SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 128,
    "num_layers": 1,
    "num_heads": 2,
}
"""Learns tables of a few hundred rows, where a larger one learns them by heart."""

MIDDLE: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 192,
    "num_layers": 2,
    "num_heads": 2,
}
"""Moves characters about, for which one layer is not enough."""
