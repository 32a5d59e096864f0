"""Gold answers: each must have a key, and the kind of answer must fit them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from srtbench.answers import KINDS, answer_keys, is_literal
from srtbench.checks.findings import Findings
from srtbench.config.words import counted
from srtbench.datasets.splits import excerpt, listing
from srtbench.datasets.tables import Table
from srtbench.plan.places import Place

MOST = 0.5
"""Share of the golds from which on a warning speaks of most of them."""

FEW = 10
"""Golds below which all may be the same by chance."""

_LETTER = re.compile(r"[A-Ja-j]")


@dataclass
class Golds:
    """The gold answers of a table, as an entry reads them.

    Attributes:
        drawn: prompts that a run trains on or is evaluated on.
    """

    place: Place
    table: Table
    drawn: set[str] = field(default_factory=set)

    def look(self, findings: Findings) -> None:
        """Note rows that repeat a prompt, golds without a key, a kind that does not fit most."""
        for source, (first, again, *_), count in self.table.repeats():
            findings.warning(
                self.place,
                f"{source}: {counted(count, 'row')} with the prompt of an earlier row, e.g. "
                f"{again} as {first}: each prompt counts once",
            )
        dataset = self.table.dataset
        kind = dataset.answer_kind
        rows = [(source, prompt, item) for source, prompt, item in self.table.items()]
        golds = [item.answer for _, _, item in rows]
        outcomes = answer_keys(golds, kind)
        lost: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for (source, prompt, item), (_, status) in zip(rows, outcomes, strict=True):
            if status != "ok":
                text = f"{source}: {item.where}: {excerpt(item.answer)} ({status})"
                lost[prompt in self.drawn].append((text, item.answer))
        place = self.place.below("answer_kind")
        if lost[True]:
            lines = [text for text, _ in lost[True]]
            more = f" (and {len(lost[False])} that no run draws)" if lost[False] else ""
            findings.problem(
                place,
                "\n".join(
                    [
                        f"{len(lines)} of {len(self.drawn)} gold answers{more} have no key as "
                        f"answer_kind {kind}, so no completion could be right: "
                        f"{_other_kinds([gold for _, gold in lost[True]], kind)}set gold_style if "
                        "the answer column holds more than the answer, correct the rows, or leave "
                        "them out with on_bad_gold: drop",
                        *listing(lines),
                    ]
                ),
            )
        elif lost[False]:
            lines = [text for text, _ in lost[False]]
            findings.warning(
                place,
                f"{len(lines)} gold answers that no run draws have no key as answer_kind {kind}, "
                f"e.g. {lines[0]}",
            )
        keyed = [
            (gold, key) for gold, (key, _) in zip(golds, outcomes, strict=True) if key is not None
        ]
        if keyed and (reason := _misfit(kind, keyed)):
            findings.warning(place, reason)
        if len(keyed) >= FEW and len({key for _, key in keyed}) == 1:
            findings.warning(
                self.place,
                f"all {len(keyed)} gold answers are the same, {excerpt(keyed[0][0])}: a policy "
                "that gives it to every question is always right",
            )


def _other_kinds(golds: Sequence[str], kind: str) -> str:
    """The kinds as which each of these golds would have a key, as an advice."""
    fitting = [
        other
        for other in KINDS
        if other != kind and all(status == "ok" for _, status in answer_keys(golds, other))
    ]
    return f"choose another answer_kind (a key as: {', '.join(fitting)}), " if fitting else ""


def _misfit(kind: str, keyed: Sequence[tuple[str, str]]) -> str | None:
    """Why a kind does not fit most of the golds, though they have keys."""
    if kind == "math":
        letters = [gold for gold, _ in keyed if _LETTER.fullmatch(gold.strip("()., "))]
        if len(letters) > MOST * len(keyed):
            return (
                f"{len(letters)} of {len(keyed)} gold answers are single letters, e.g. "
                f"{excerpt(letters[0])}: answer_kind choice reads '(B)' and 'B) ...' as B, math "
                "does not"
            )
        prose = [gold for gold, _ in keyed if is_literal(gold)]
        if len(prose) > MOST * len(keyed):
            return (
                f"{len(prose)} of {len(keyed)} gold answers are literal text as answer_kind math, "
                f"e.g. {excerpt(prose[0])}: only the same words would be right; set gold_style if "
                "the answer is within them, or answer_kind: text or word if they are words"
            )
    if kind in ("text", "word"):
        sample = [gold for gold, _ in keyed]
        written = [
            gold
            for gold, (key, _) in zip(sample, answer_keys(sample, "math"), strict=True)
            if key is not None and key != gold and not is_literal(gold) and _has_number(gold)
        ]
        if len(written) > MOST * len(keyed):
            return (
                f"{len(written)} of {len(keyed)} gold answers are mathematics, e.g. "
                f"{excerpt(written[0])}: as answer_kind {kind} another way to write one is wrong; "
                "math or number compares values"
            )
    return None


def _has_number(gold: str) -> bool:
    return any(char.isdigit() for char in gold)
