"""From the text of a mathematical answer to its key: screen, special forms, parse, settle."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Literal, TypeAlias

from srtbench.answers.exact import Engine
from srtbench.answers.grammar import parse
from srtbench.answers.lexer import MalformedError, UnsupportedError
from srtbench.answers.spelling import TEXT_COMMAND, clean
from srtbench.answers.structure import canonical
from srtbench.answers.vocabulary import BASE_WORDS, PROSE_PAIRS

MAX_CHARS = 2_000
MAX_LITERAL_CHARS = MAX_CHARS
MAX_KEY_CHARS = 4_000
MAX_BRACES = 24
_ROUNDS = 4
# How literal text is written down. The first that reads as itself is the key: `ABC` is a word but
# `abc` a product, and without its command `\\mathrm{bw}` is one too.
Reading: TypeAlias = Literal["folded", "plain", "verbatim"]
_READINGS: tuple[Reading, ...] = ("folded", "plain", "verbatim")

_LETTER = r"(?:[A-Za-z]|\\(?:alpha|beta|gamma|theta|phi|psi|rho|sigma|mu|omega|Phi|Psi))"
_NAME = rf"{_LETTER}(?:_(?:[A-Za-z0-9]|\{{[A-Za-z0-9]+\}}))?"
_ARGUMENT = rf"(?:{_NAME}|-?[0-9.]+)"
_FUNCTION_PREFIX = re.compile(
    rf"({_NAME})'*(?:\^(?:-1|\{{ ?-1 ?\}}))? ?\( ?{_ARGUMENT}(?: ?, ?{_ARGUMENT})* ?\)"
    r" ?= ?(?=[^=<>]+\Z)"
)
# Names that the grammar does not read; what they name has a digit, so it is no prose.
_WORD_PREFIX = re.compile(
    r"(?:m ?)?(?:\\(?:angle|triangle) ?[A-Z]{1,3}|\\(?:overline|text|mathrm) ?\{[A-Za-z ]+\}"
    r"|\|[A-Z]{2}\||\[[A-Z]{3,4}\]|[A-Z]_\{[A-Z]{3,4}\}|[A-Za-z]{3,}(?: [a-z]+){0,3})"
    r" ?= ?(?=[^=<>]*[0-9][^=<>]*\Z)"
)
# Products that the grammar would read and that do not commute or are none: derivatives, inverse
# or transposed matrices, cross products of vectors.
_NO_PRODUCT = re.compile(
    r"\\frac ?\{ ?d ?(?:\^ ?\{? ?[0-9n] ?\}? ?)?[^{}]{0,20}\} ?\{ ?d ?\\?[A-Za-z]"
    r"|(?<![A-Za-z])d ?[A-Za-z]? ?/ ?d ?[A-Za-z](?![A-Za-z])"
    r"|(?=.*\\(?:mathbf|boldsymbol|bm)).*\\times"
)
_MATRIX_POWER = re.compile(r"[A-Z)] ?\^ ?\{? ?(?:- ?1|T|\\top)(?![0-9A-Za-z])")
# The numbers for which an inequality holds are what it says itself: an interval.
_BUILDER = re.compile(
    r"(\\\{ ?)?(?P<letter>[a-z])(?: ?\\in ?\\mathbb ?\{? ?R ?\}?)? ?"
    r"(?:\\mid|\||(?(1)(?:\\colon|:)|\|)) ?"
    r"(?P<rule>(?:[^{}|:,;]|\\text ?\{ ?or ?\})*?) ?(?(1)\\\})\Z"
)
_CAPITAL = re.compile(r"(?<![A-Za-z\\])[A-Z]|(?<=[A-Z])[A-Z]")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])(?::([0-5][0-9]))?(?: ?([ap])\.? ?m\.?)?\Z", re.IGNORECASE)
_DATE = re.compile(
    r"[0-9.]+(?:(?:-{1,3}|[\u2012-\u2015])[0-9.]+)+\Z|[0-9]{1,2}/[0-9]{1,2}/[0-9]{2}(?:[0-9]{2})?\Z"
)
_ORDINAL = re.compile(r"([0-9]+)[ -]?\^?[ {]*(st|nd|rd|th)[ }]*\Z", re.IGNORECASE)
_BASED = re.compile(
    r"([0-9][0-9A-F]*) ?\(?(?:in )?base[ -]([0-9]+|" + "|".join(BASE_WORDS) + r")\)?\Z"
)
_TIGHT = re.compile(r" ?([+=^_{}/*<>]) ?")
_EXCLAIMED = re.compile(r"(?<=[A-Za-z]{2})!+\Z")
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
    ordinal = _ORDINAL.match(plain)
    if ordinal is not None:
        return ordinal[1] + ordinal[2].lower()
    based = _BASED.match(plain)
    if based is not None:
        return f"{based[1]}_{{{BASE_WORDS.get(based[2], based[2])}}}"
    option = _OPTION.match(plain)
    if option is not None:
        return option[1]
    return plain if _DATE.match(plain) else None


def literal(text: str, reading: Reading = "folded") -> str:
    r"""The key of an answer outside the grammar: its text, ``\text{}`` removed, prose folded."""
    command = TEXT_COMMAND.fullmatch(text)
    if command is not None and _PAIR_OF_LETTERS.match(command[1].strip()):
        return f"\\text{{{command[1].strip()}}}"
    if reading != "verbatim":
        text = TEXT_COMMAND.sub(r"\1", text)
    plain = " ".join(text.split()).strip(' ,;:?"`')
    plain = _TIGHT.sub(r"\1", plain)
    plain = _EXCLAIMED.sub("", plain)
    if plain.count("'") == 2 and plain[0] == plain[-1] == "'":
        plain = plain[1:-1]
    if not plain.endswith("..."):
        plain = plain.strip(".")
    words = _WORDS.findall(plain)
    prose = any(len(word) > 2 or word.lower() in PROSE_PAIRS for word in words)
    if reading == "folded" and prose and _FOLDABLE.match(plain):
        plain = plain.casefold()
    if len(plain) > MAX_LITERAL_CHARS or not any(char.isalnum() for char in plain):
        raise MalformedError("no literal answer")
    return plain


def _without_name(text: str) -> str:
    """Without ``f(x) =`` or ``\\angle ABC =`` in front, unless the rest is about ``f`` again."""
    prefix = _FUNCTION_PREFIX.match(text)
    if prefix is not None:
        rest = text[prefix.end() :]
        again = re.search(re.escape(prefix[1]) + r" ?\((?! ?-?[0-9.]+ ?\))", rest)
        return text if again else rest
    word = _WORD_PREFIX.match(text)
    return text if word is None else text[word.end() :]


def _is_no_product(text: str) -> bool:
    """Whether symbols side by side are something else than a product of numbers."""
    plain = TEXT_COMMAND.sub(r"\1", text) if "\\" in text else text
    if ("d" in plain or "\\times" in plain) and _NO_PRODUCT.search(plain):
        return True
    return _MATRIX_POWER.search(plain) is not None and len(set(_CAPITAL.findall(plain)) - {"T"}) > 1


def _rule_of_set(text: str) -> str | None:
    r"""The inequality of ``\{x \mid x > 2\}``; None of any other text."""
    found = _BUILDER.match(text)
    if found is None or not re.search(
        r"[<>]|\\[lg](?:t|e(?:q|qslant)?)(?![A-Za-z])", found["rule"]
    ):
        return None
    letters = set(re.findall(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])", found["rule"]))
    return found["rule"] if letters == {found["letter"]} else None


def _step(text: str, engine: Engine, reading: Reading) -> tuple[str, bool]:
    """One round of canonicalisation, and whether it fell back to a literal."""
    text = clean(text)
    special = _special(text)
    if special is not None:
        return special, False
    text = _without_name(text)
    if _is_no_product(text):
        return literal(text, reading), True
    rule = _rule_of_set(text)
    try:
        key = canonical(parse(rule or text), engine)
        if rule is not None and key[0] not in "([":
            raise UnsupportedError("no interval")
    except UnsupportedError:
        return literal(text, reading), True
    if len(key) > MAX_KEY_CHARS:
        return literal(text, reading), True
    return key, False


def is_literal(answer: str) -> bool:
    """Whether an answer is outside the grammar, so that its key is its text: prose, mostly."""
    try:
        screen(answer)
        text = clean(answer)
        if _special(text) is not None:
            return False
        text = _without_name(text)
        if not _is_no_product(text):
            parse(text)
            return False
    except UnsupportedError:
        return True
    except (MalformedError, RecursionError):
        return False
    return True


class _UnstableError(MalformedError):
    """The literal key would read as something else."""


def _settle(answer: str, engine: Engine, reading: Reading) -> str:
    text, was_literal = answer, False
    for _ in range(_ROUNDS):
        key, is_literal = _step(text, engine, reading)
        if was_literal and not is_literal:
            raise _UnstableError("a literal that reads as something else")
        if key == text:
            return key
        text, was_literal = key, is_literal
    raise _UnstableError("no stable key")


def settle(answer: str, engine: Engine) -> str:
    """The key of an answer: a text that canonicalises to itself, so a key is its own key.

    Raises :class:`MalformedError` when there is none and ``NeedsEngineError`` when ``engine`` is
    not able to tell.
    """
    screen(answer)
    for reading in _READINGS[:-1]:
        with suppress(_UnstableError):
            return _settle(answer, engine, reading)
    return _settle(answer, engine, _READINGS[-1])
