"""From the text of a mathematical answer to its key: screen, special forms, parse, settle."""

from __future__ import annotations

import re

from srtbench.answers.grammar import parse
from srtbench.answers.lexer import TEXT_COMMAND, MalformedError, UnsupportedError, clean
from srtbench.answers.structure import Engine, canonical
from srtbench.answers.vocabulary import PROSE_PAIRS

MAX_CHARS = 2_000
MAX_LITERAL_CHARS = 200
MAX_KEY_CHARS = 4_000
MAX_BRACES = 24
_ROUNDS = 4

_FUNCTION_PREFIX = re.compile(
    r"[fghpqFGHPQRST](?:\^\{?-1\}?)? ?\( ?(?:[a-z]|-?[0-9]+) ?\) ?= ?(?=[^=<>]+\Z)"
)
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?(?: ?([ap])\.? ?m\.?)?\Z", re.IGNORECASE)
_DATE = re.compile(r"[0-9]+(?:-[0-9]+)+\Z|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}(?:[0-9]{2})?\Z")
_ORDINAL = re.compile(r"[0-9]+ ?(?:st|nd|rd|th)\Z", re.IGNORECASE)
_FOLDABLE = re.compile(r"[\w\s.,;:'\"()/&!?%-]+\Z")
_WORDS = re.compile(r"[^\W\d_]+")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)
_PAIR_OF_LETTERS = re.compile(r"[A-Za-z]{2}\Z")
_OPTION = re.compile(r"([A-Z])\)\Z")


def screen(answer: str) -> None:
    """Refuse in linear time what no answer looks like: too long, too deep, cut off, control."""
    if len(answer) > MAX_CHARS:
        raise MalformedError("too long")
    if any(ord(char) < 32 and char not in "\t\n\r" for char in answer):
        raise MalformedError("control character")
    depth = 0
    for match in _BRACES.finditer(answer):
        depth += (match[0] == "{") - (match[0] == "}")
        if not 0 <= depth <= MAX_BRACES:
            raise MalformedError("unbalanced or deeply nested braces")
    if depth:
        raise MalformedError("unbalanced braces")


def _special(text: str) -> str | None:
    """Times, dates, ranges, ordinals, ``B)``: what would read as something else or nothing."""
    plain = " ".join(TEXT_COMMAND.sub(r" \1 ", text).split())
    clock = _CLOCK.match(plain)
    if clock is not None and (clock[2] or clock[3]):
        half = f" {clock[3].lower()}m" if clock[3] else ""
        return f"{int(clock[1])}:{clock[2] or '00'}{half}"
    if _ORDINAL.match(plain):
        return plain.replace(" ", "").lower()
    option = _OPTION.match(plain)
    if option is not None:
        return option[1]
    return plain if _DATE.match(plain) else None


def literal(text: str) -> str:
    r"""The key of an answer outside the grammar: its text, ``\text{}`` removed, prose folded."""
    command = TEXT_COMMAND.fullmatch(text)
    if command is not None and _PAIR_OF_LETTERS.match(command[1].strip()):
        return f"\\text{{{command[1].strip()}}}"
    plain = " ".join(TEXT_COMMAND.sub(r"\1", text).split()).strip(" ,;:!?\"'`")
    if not plain.endswith("..."):
        plain = plain.strip(".")
    words = _WORDS.findall(plain)
    if _FOLDABLE.match(plain) and any(len(w) > 2 or w.lower() in PROSE_PAIRS for w in words):
        plain = plain.casefold()
    if len(plain) > MAX_LITERAL_CHARS or not any(char.isalnum() for char in plain):
        raise MalformedError("no literal answer")
    return plain


def _step(text: str, engine: Engine) -> tuple[str, bool]:
    """One round of canonicalisation, and whether it fell back to a literal."""
    text = clean(text)
    special = _special(text)
    if special is not None:
        return special, False
    prefix = _FUNCTION_PREFIX.match(text)
    if prefix is not None:
        text = text[prefix.end() :]
    try:
        key = canonical(parse(text), engine)
    except UnsupportedError:
        return literal(text), True
    if len(key) > MAX_KEY_CHARS:
        raise MalformedError("key too long")
    return key, False


def settle(answer: str, engine: Engine) -> str:
    """The key of an answer: a text that canonicalises to itself, so a key is its own key.

    Raises :class:`MalformedError` when there is none and ``NeedsEngineError`` when ``engine`` is
    not able to tell.
    """
    screen(answer)
    text, was_literal = answer, False
    for _ in range(_ROUNDS):
        key, is_literal = _step(text, engine)
        if was_literal and not is_literal:
            raise MalformedError("a literal that reads as something else")
        if key == text:
            return key
        text, was_literal = key, is_literal
    raise MalformedError("no stable key")
