"""Completions -> answers, keys, verifier status: one path for training, evaluation, teachers."""

from collections.abc import Sequence
from dataclasses import dataclass

from srtbench.answers import answer_keys, extract


@dataclass(frozen=True)
class Graded:
    """Answers of completions, each list in the order of the completions."""

    answers: list[str | None]
    keys: list[str | None]
    statuses: list[str]


@dataclass(frozen=True)
class Grader:
    """Extracts and canonicalises answers as a dataset asks for."""

    answer_style: str
    answer_kind: str

    def grade(self, completions: Sequence[str]) -> Graded:
        """Answers, keys and verifier statuses of ``completions``."""
        texts = {text: extract(text, self.answer_style) for text in dict.fromkeys(completions)}
        answers = [texts[text] for text in completions]
        found = [answer for answer in answers if answer is not None]
        outcomes = iter(answer_keys(found, self.answer_kind))
        keys: list[str | None] = []
        statuses: list[str] = []
        for answer in answers:
            key, status = (None, "unparsable") if answer is None else next(outcomes)
            keys.append(key)
            statuses.append(status)
        return Graded(answers, keys, statuses)

    def gold_keys(self, golds: Sequence[str]) -> list[str | None]:
        """Keys of gold answers."""
        return [key for key, _ in self.gold_outcomes(golds)]

    def gold_outcomes(self, golds: Sequence[str]) -> list[tuple[str | None, str]]:
        """Keys of gold answers, each with its verifier status."""
        return [*answer_keys(list(golds), self.answer_kind)]


def gold_reward(key: str | None, gold_key: str | None) -> float:
    """1.0 if an answer's key equals the gold key, else 0.0."""
    return float(key is not None and key == gold_key)
