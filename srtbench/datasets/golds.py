"""Gold answers that cannot be used: without a key, or two for one prompt.

Without a key no completion could ever be right. Two answers contradict each other if their keys
differ: `160` and `\\$ 160` are one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from srtbench.answers import answer_keys
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.splits import excerpt, listing

NAMED = 3
"""Rows of a kind that are named where they are dropped."""


@dataclass(frozen=True)
class BadGold:
    """A prompt that is not used: as a whole, or one of its rows."""

    kind: Literal["without_key", "two_answers"]
    prompt: str
    where: str
    """The row or rows, with their answers."""


@dataclass(frozen=True)
class Dropped:
    """What `on_bad_gold: drop` left out of one split."""

    bad: tuple[BadGold, ...] = ()

    @property
    def without_key(self) -> list[str]:
        """The rows whose gold answer has no key."""
        return [one.where for one in self.bad if one.kind == "without_key"]

    @property
    def two_answers(self) -> list[str]:
        """For each prompt that contradicts itself, the first two rows that do."""
        found: dict[str, str] = {}
        for one in self.bad:
            if one.kind == "two_answers":
                found.setdefault(one.prompt, one.where)
        return list(found.values())

    def __str__(self) -> str:
        parts = []
        for found, text in (
            (self.without_key, "rows whose gold answer has no key"),
            (self.two_answers, "prompts with two answers"),
        ):
            if found:
                more = ", ..." if len(found) > NAMED else ""
                parts.append(f"{text}: {len(found)} ({', '.join(found[:NAMED])}{more})")
        return "; ".join(parts)

    def counts(self) -> dict[str, Any]:
        """For the result of a stage: how many, and the first few by name."""
        return {
            "rows_without_key": len(self.without_key),
            "prompts_with_two_answers": len(self.two_answers),
            "named": [*self.without_key[:NAMED], *self.two_answers[:NAMED]],
        }


def settle(
    source: str, groups: Iterable[Sequence[tuple[str, Item]]], kind: str, drop: bool
) -> tuple[dict[str, Item], list[BadGold]]:
    """Prompt -> item, the first of those that ask the same; and what ``drop`` leaves out.

    Keys are made of answers that differ for one prompt; and of all with ``drop``, since a row that
    is left out must not be counted among those that were asked for.

    Raises:
        DatasetError: prompts have two answers, and are not to be dropped.
    """
    groups = list(groups)
    unclear = [g for g in groups if drop or len({item.answer for _, item in g}) > 1]
    answers = list(dict.fromkeys(item.answer for group in unclear for _, item in group))
    outcomes = dict(zip(answers, answer_keys(answers, kind), strict=True))
    kept: dict[str, Item] = {}
    bad: list[BadGold] = []
    for group in groups:
        usable = []
        for prompt, item in group:
            if drop and outcomes[item.answer][1] in _NO_KEY:
                where = f"{item.where}: {excerpt(item.answer)}"
                bad.append(BadGold("without_key", prompt, where))
            else:
                usable.append((prompt, item))
        if not usable:
            continue
        prompt, first = usable[0]
        others = [item for _, item in usable if _differ(first, item, outcomes)]
        for other in others:
            bad.append(BadGold("two_answers", prompt, _contradiction(prompt, first, other)))
        if not others:
            kept[prompt] = first
    if not drop and bad:
        count = f"{len(bad)} prompt{'s' if len(bad) > 1 else ''}"
        hint = "  correct the file, or leave these prompts out with on_bad_gold: drop"
        lines = listing([one.where for one in bad])
        message = "\n".join([f"{source}: {count} with two answers", *lines, hint])
        raise DatasetError(message, "on_bad_gold")
    return kept, bad


_NO_KEY = ("unparsable", "timeout")
"""Statuses that a gold keeps however often it is tried."""


def _differ(one: Item, other: Item, outcomes: Mapping[str, tuple[str | None, str]]) -> bool:
    if one.answer == other.answer:
        return False
    key = outcomes[one.answer][0]
    return key is None or key != outcomes[other.answer][0]


def _contradiction(prompt: str, first: Item, other: Item) -> str:
    answers = f"{excerpt(first.answer)} and {excerpt(other.answer)}"
    return f"{first.where} and {other.where}: answers {answers} to {excerpt(prompt)}"
