r"""Cut cleaned LaTeX and plain-text mathematics into tokens.

The vocabulary is closed: a command that is not listed here is :class:`UnsupportedError`, so that
the answer is kept as literal text and never guessed at.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from srtbench.answers.spelling import TEXT_NAMES
from srtbench.answers.vocabulary import (
    COMMAND_SYMBOLS,
    FUNCTIONS,
    NAMES,
    OPERATOR_COMMANDS,
    PRODUCT_RUNS,
    PROSE_PAIRS,
    SCALES,
    STRUCTURES,
    is_bare_unit,
    is_spaced_unit,
    is_unit,
)


class UnsupportedError(Exception):
    """Well-formed, but outside the grammar: the answer gets a literal key."""


class MalformedError(Exception):
    """Truncated, unbalanced or over a limit: the answer is unparsable."""


class Token(NamedTuple):
    """One token; ``spaced`` tells whether white space came before it."""

    kind: str
    text: str
    spaced: bool


_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>\\(?:{TEXT_NAMES})\s*\{{(?P<content>[^{{}}]*)\}})
    | (?P<begin>\\begin\s*\{{[A-Za-z]+\*?\}}(?:\s*\{{[clr\s]*\}})?)
    | (?P<finish>\\end\s*\{{[A-Za-z]+\*?\}})
    | (?P<blackboard>\\mathbb\s*\{{?\s*[NZQRC]\s*\}}?)
    | (?P<command>\\(?:[A-Za-z]+|.))
    | (?P<based>[0-9][0-9A-F]*_(?:\{{\s*[0-9]+\s*\}}|[0-9]))
    | (?P<repeating>[0-9]*\.[0-9]*\\overline\s*\{{\s*[0-9]+\s*\}})
    | (?P<grouped>[1-9][0-9]{{0,2}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?(?!,?[0-9]))
    | (?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{{1,3}}(?![0-9.]))?)
    | (?P<prime>'+)
    | (?P<word>[A-Za-z]+)
    | (?P<other>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
# Digits and commas without a space that are neither groups of three nor surely a list.
_DUBIOUS_GROUPS = re.compile(
    r"(?<![0-9.,])(?:0[0-9]*(?:,[0-9]{3})+|[0-9]+(?:,[0-9]+)*,0[0-9]+(?:,[0-9]+)*"
    r"|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+)(?![0-9,])"
)
# Small hexadecimal digits, or a letter with an index.
_DUBIOUS_BASE = re.compile(r"[0-9]+[a-f][0-9a-f]*_\{1[1-6]\}")
_CAPITALS = re.compile(r"[A-Z]{2,4}\Z")
_JOINT = re.compile(r"[,;]?\s*(and|or|,|;)\s*,?\Z")
_PLURAL = re.compile(r"[a-z]{3,}s\Z")
_NOT_UNITS = frozenset({"minus", "plus", "times", "versus", "remains", "equals", "less"})
_OPENING = frozenset(
    {",", ";", "or", "and", "=", "<", ">", "<=", ">=", "!=", "in", "(", "[", "\\{", "+", "-"}
)
_PUNCTUATION = frozenset("+-*/^_=<>()[]{}|,;:!&%")


def tokenize(text: str) -> list[Token]:
    """Cut cleaned text into tokens, or raise for characters and commands outside the grammar."""
    tokens: list[Token] = []
    depth = position = 0
    while match := _TOKEN.match(text, position):
        kind = match.lastgroup or "other"
        if match["content"] is not None:
            kind = "text"
        value = match[kind]
        spaced = match.start(kind) > position
        start, position = position, match.end()
        if kind == "grouped" and depth:
            number = _NUMBER.match(value)
            assert number is not None
            position = match.start(kind) + number.end()
            kind, value = "number", number[0]
        if kind == "number" and not depth and _DUBIOUS_GROUPS.match(text, start):
            raise UnsupportedError("digits in no usual groups")
        if kind == "number" and value.endswith(".") and text[position:].strip()[:1].isalnum():
            raise UnsupportedError("a numbered item")
        if kind == "number" and _DUBIOUS_BASE.match(text, match.start(kind)):
            raise UnsupportedError("digits of another base, or an index")
        if kind == "text":
            tokens.extend(_text_tokens(match["content"].strip(), tokens))
        elif kind == "word" and _names_a_side(value, tokens, text[position:]):
            tokens.append(Token("symbol", value, spaced))
        elif kind == "word":
            tokens.extend(_word_tokens(value, spaced, tokens))
        elif kind == "command":
            tokens.append(_command_token(value, spaced))
        elif kind == "other":
            if value not in _PUNCTUATION:
                raise (UnsupportedError if value.isprintable() else MalformedError)(value)
            tokens.append(Token(value, value, spaced))
        elif kind == "grouped":
            tokens.append(Token("number", value.replace(",", ""), spaced))
        elif kind == "prime":
            tokens.append(_prime_token(value, tokens, spaced))
        elif kind == "blackboard":
            tokens.append(Token("symbol", f"\\mathbb{{{value.rstrip(' }')[-1]}}}", spaced))
        else:
            tokens.append(Token(kind, value, spaced))
        if kind in {"other", "command"}:
            depth += (value in {"(", "[", "{", "\\{"}) - (value in {")", "]", "}", "\\}"})
    return tokens


def _has_value(tokens: list[Token]) -> bool:
    """Whether a unit could come next: something stands before it in the same entry."""
    return bool(tokens) and tokens[-1].kind not in _OPENING


def _command_token(command: str, spaced: bool) -> Token:
    if command in OPERATOR_COMMANDS:
        return Token(OPERATOR_COMMANDS[command], command, spaced)
    name = command[1:]
    if name in COMMAND_SYMBOLS:
        return Token("symbol", COMMAND_SYMBOLS[name], spaced)
    if name in FUNCTIONS:
        return Token("function", FUNCTIONS[name], spaced)
    if name in STRUCTURES:
        return Token(name, command, spaced)
    raise UnsupportedError(command)


def _after_number(tokens: list[Token]) -> bool:
    """Whether the last token ends a number, a group or a power: a unit symbol can follow."""
    return bool(tokens) and (
        tokens[-1].kind in {"number", "repeating", "}", ")", "unit", "/", "*"}
        or tokens[-1].text == "pi"
    )


def _names_a_side(word: str, before: list[Token], after: str) -> bool:
    """Whether ``AB`` is one name, as in ``AB = 4``: alone on one side of an equation."""
    if not _CAPITALS.match(word) or word.lower() in PROSE_PAIRS:
        return False
    starts = not before or before[-1].kind in {",", ";", "and", "or", "\\{"}
    ends = not after.strip() or after.lstrip()[0] in ",;" or after.lstrip().startswith("\\}")
    return (starts and after.lstrip().startswith("=")) or (
        bool(before) and before[-1].kind == "=" and ends
    )


def _prime_token(value: str, tokens: list[Token], spaced: bool) -> Token:
    """A prime after a letter belongs to its name; after a number it is feet, minutes, inches."""
    last = tokens[-1] if tokens else None
    if last is not None and last.kind == "symbol" and not spaced and last.text.isalpha():
        tokens.pop()
        return Token("symbol", last.text + value, last.spaced)
    if _after_number(tokens):
        return Token("unit", value, spaced)
    raise UnsupportedError(value)


def _text_tokens(content: str, tokens: list[Token]) -> list[Token]:
    r"""Tokens of ``\text{content}``: separators, units, scale words, letters; else prose."""
    if content.startswith("(") and content.endswith(")") and is_unit(content[1:-1]):
        content = content[1:-1] if len(content) > 3 else content
    lowered = content.lower().rstrip(".")
    has_value = _has_value(tokens)
    if not content:
        return []
    joint = _JOINT.match(lowered)
    if joint is not None:
        comma = [Token(",", ",", True)] if content[0] in ",;" and joint[1] not in ",;" else []
        return [*comma, Token(joint[1], content, True)]
    if has_value and lowered in SCALES:
        return [Token("*", "*", True), Token("number", SCALES[lowered], True)]
    if has_value and (is_unit(lowered) or (_after_number(tokens) and is_unit(content))):
        return [Token("unit", content, True)]
    letter = content.strip("()")
    if len(letter) == 1 and letter.isascii() and letter.isalpha():
        return [Token("symbol", letter, True)]
    if has_value and _PLURAL.match(lowered) and lowered not in _NOT_UNITS:
        return [Token("unit", content, True)]
    raise UnsupportedError(content)


def _word_tokens(word: str, spaced: bool, tokens: list[Token]) -> list[Token]:
    """Tokens of a bare run of letters: a name, a unit, a product of letters; else prose."""
    if word in FUNCTIONS:
        return [Token("function", FUNCTIONS[word], spaced)]
    if word in NAMES:
        return [Token(*NAMES[word], spaced)]
    lowered = word.lower()
    if lowered in {"or", "and"}:
        return [Token(lowered, word, spaced)]
    if len(word) >= 2 and _has_value(tokens):
        if lowered in SCALES:
            return [Token("*", "*", True), Token("number", SCALES[lowered], True)]
        if is_bare_unit(word) or (spaced and tokens[-1].kind == "number" and is_spaced_unit(word)):
            return [Token("unit", word, spaced)]
        if _PLURAL.match(word) and word not in _NOT_UNITS:
            return [Token("unit", word, spaced)]
    prose = len(word) > 2 and word not in PRODUCT_RUNS
    if prose or lowered in PROSE_PAIRS or (len(word) > 1 and "pi" in word):
        raise UnsupportedError(word)
    return [Token("symbol", letter, spaced and k == 0) for k, letter in enumerate(word)]
