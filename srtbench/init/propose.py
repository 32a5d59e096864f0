"""From questions and answers to the keys of a sweep file, each with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from srtbench.answers.grader import Grader
from srtbench.config.datasets import AnswerKind, FileDataset, SplitShares
from srtbench.datasets.golds import Dropped, settle
from srtbench.datasets.problems import DatasetError, Item, Problem
from srtbench.datasets.splits import split_of
from srtbench.datasets.templates import Templates
from srtbench.init.answers import answer_kind
from srtbench.init.find import Found
from srtbench.init.items import Usable
from srtbench.init.shape import Alphabet, alphabet_of
from srtbench.init.shares import shares_for

LONG_PROMPT, LONG_TARGET = 64, 24
"""Tokens beyond which the tiny model is not even tried: it learns to move and count characters."""

MANY = 1000
"""Questions from which a smaller share of them is enough for the warm start."""

_LOOKED_AT = 2000
_BOXED = (("boxed", "\\boxed{{{answer}}}"), ("tag", "<answer>{answer}</answer>"))
_PLAIN = (("text", "{answer}"),)


@dataclass(frozen=True)
class Proposal:
    """What the sweep file says of the data and of the tiny model's shape.

    Attributes:
        dataset: keys of the entry but for its path, in the order in which they are written.
        reasons: key -> why.
        counts: prompts of each split.
        longest_target: in tokens.
        short: questions and answers are of a length that the tiny model may learn.
    """

    dataset: dict[str, Any]
    reasons: dict[str, str]
    alphabet: Alphabet
    counts: dict[str, int]
    longest_prompt: int
    longest_target: int
    short: bool
    dropped: Dropped
    example: Problem

    @property
    def questions(self) -> int:
        """Different questions that are used."""
        return sum(self.counts.values())


def propose(source: str, found: Found, usable: Usable) -> Proposal:
    """Choose every key of the data.

    Raises:
        DatasetError: the rows cannot be used: too few questions, or no answer that can be compared.
    """
    kind, kind_reason = answer_kind([item.answer for item in usable.items])
    reasons = dict(found.reasons) | {"answer_kind": kind_reason}
    questions = [item.question for item in usable.items]
    end = _end_of_prompt(questions)
    for short in (True, False):
        template = f"{{question}}{end}" if short else None
        style, target = _style(source, usable.items, kind, _PLAIN if short else (*_BOXED, *_PLAIN))
        entry = _columns(found, usable) | ({"prompt_template": template} if template else {})
        entry |= {"target_template": target, "answer_style": style, "answer_kind": kind}
        problems, dropped, shares, counts = _problems(source, entry, usable.items, short)
        texts = [problem.prompt for problem in problems], [problem.target for problem in problems]
        alphabet = alphabet_of(questions, *texts)
        longest = [max(map(alphabet.tokens, some)) for some in texts]
        if longest[0] <= LONG_PROMPT and longest[1] <= LONG_TARGET:
            break
    entry["split"] = shares.model_dump()
    if dropped.bad:
        entry["on_bad_gold"] = "drop"
        reasons["on_bad_gold"] = str(dropped)
    reasons |= _reasons(entry, end, counts, short)
    if usable.gold_style:
        reasons["gold_style"] = "the answer column holds more than the answer"
    return Proposal(
        entry, reasons, alphabet, counts, longest[0], longest[1], short, dropped, problems[0]
    )


def _end_of_prompt(questions: Sequence[str]) -> str:
    """What tells the tiny model that the question is over."""
    return "" if all(question[-1] in "=?:>" for question in questions) else "="


def _columns(found: Found, usable: Usable) -> dict[str, Any]:
    """Keys on columns; a copy has the usual ones."""
    if usable.copied:
        has_level = any(item.level is not None for item in usable.items)
        named: dict[str, Any] = {"level_column": "level"} if has_level else {}
    else:
        named = {"question_column": found.question, "answer_column": found.answer}
        if found.level is not None:
            named["level_column"] = found.level
        if usable.gold_style is not None:
            named["gold_style"] = usable.gold_style
    if found.system_prompt is not None:
        named["system_prompt"] = found.system_prompt
    return named


def _style(
    source: str, items: Sequence[Item], kind: AnswerKind, forms: Sequence[tuple[str, str]]
) -> tuple[str, str]:
    """The first form of a target in which every answer is read back as it is meant."""
    golds = list(dict.fromkeys(item.answer for item in items))[:_LOOKED_AT]
    for style, target in forms:
        grader = Grader(style, kind)
        keys = grader.gold_keys(golds)
        read = grader.grade([target.format(answer=gold) for gold in golds]).keys
        if all(key == gold for key, gold in zip(read, keys, strict=True)):
            return style, target
    raise DatasetError(f"{source}: answers are not read back as they are written, in any style")


def _problems(
    source: str, entry: dict[str, Any], items: Sequence[Item], short: bool
) -> tuple[list[Problem], Dropped, SplitShares, dict[str, int]]:
    """The prompts as a sweep will make them, what it drops, and how they are divided."""
    dataset = FileDataset.model_validate({"path": "rows.jsonl"} | entry)
    templates = Templates(dataset)
    groups: dict[str, list[tuple[str, Item]]] = {}
    for item in items:
        prompt = templates.prompt_of(item)
        groups.setdefault(" ".join(prompt.split()), []).append((prompt, item))
    kept, bad = settle(source, groups.values(), dataset.answer_kind, drop=True)
    if not kept:
        raise DatasetError(f"{source}: no question is left: {Dropped(tuple(bad))}")
    wanted = SplitShares()
    if short:
        few = len(kept) < MANY
        wanted = SplitShares(train=0.15 if few else 0.4, eval=0.2, warm_start=0.65 if few else 0.4)
    try:
        shares, counts = shares_for([*kept], wanted)
    except DatasetError as error:
        raise DatasetError(f"{source}: {error}") from None
    problems = [
        templates.problem(item, prompt, split_of(prompt, shares)) for prompt, item in kept.items()
    ]
    return problems, Dropped(tuple(bad)), shares, counts


def _reasons(
    entry: dict[str, Any], end: str, counts: dict[str, int], short: bool
) -> dict[str, str]:
    divided = f"{counts['train']} / {counts['eval']} / {counts['warm_start']} questions"
    if not short:
        return {
            "answer_style": "the default prompt asks for a box"
            if entry["answer_style"] == "boxed"
            else "answers are not read back from a box as they are written",
            "split": divided,
        }
    return {
        "prompt_template": "the question alone"
        + f", and '{end}' to say that it is over" * bool(end),
        "target_template": "the answer alone: the tiny model thinks no step in words",
        "answer_style": "the whole completion is the answer",
        "split": f"{divided}; the tiny model knows nothing but its warm start",
    }
