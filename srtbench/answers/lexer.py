r"""Clean LaTeX, Unicode and plain-text mathematics and cut it into tokens.

The vocabulary is closed: a command that is not listed here is :class:`UnsupportedError`, so that
the answer is kept as literal text and never guessed at.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from srtbench.answers.vocabulary import (
    COMMAND_SYMBOLS,
    FUNCTIONS,
    NAMES,
    OPERATOR_COMMANDS,
    PRODUCT_RUNS,
    PROSE_PAIRS,
    SCALES,
    STRUCTURES,
    UNICODE,
    is_bare_unit,
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


_DROPPED = re.compile(
    r"\\\\|\\(?:left|right)\s*\.|\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|"
    r"nolimits|middle)(?![A-Za-z])|\\[,;:! ]|~|\\(?:q?quad|thinspace|enspace|hfill|newline)"
    r"(?![A-Za-z])|\\[()\[\]$]|[$\u20ac\u00a3\u00a5]"
)
_DIGIT_GAP = re.compile(r"(?<=[0-9])(?:,\\!|\\,|\{,\}|\\!)\s*(?=[0-9]{3}(?![0-9]))")
_PLAIN_SIGNS = (
    ("**", "^"),
    (r"\ldots", "..."),
    (r"\dots", "..."),
    (r"\cdots", "..."),
    ("!=", r"\ne "),
    ("<=", r"\le "),
    (">=", r"\ge "),
    ("==", "="),
)
_FRACTION_ALIAS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_TEXT_NAMES = r"text(?:rm|bf|it|sf|tt|up|normal)?|mbox|hbox|mathrm|mathit|mathsf|operatorname\*?"
_WHOLE_TEXT = re.compile(rf"\\(?:{_TEXT_NAMES})\s*\{{([^{{}}]*)\}}\Z")
TEXT_COMMAND = re.compile(rf"\\(?:{_TEXT_NAMES})\s*\{{([^{{}}]*)\}}")
_TOKEN = re.compile(
    rf"""\s*(?:
      (?P<text>\\(?:{_TEXT_NAMES})\s*\{{(?P<content>[^{{}}]*)\}})
    | (?P<begin>\\begin\s*\{{[A-Za-z]+\*?\}})
    | (?P<finish>\\end\s*\{{[A-Za-z]+\*?\}})
    | (?P<blackboard>\\mathbb\s*\{{?\s*[NZQRC]\s*\}}?)
    | (?P<command>\\(?:[A-Za-z]+|.))
    | (?P<based>[0-9][0-9A-F]*_(?:\{{\s*[0-9]+\s*\}}|[0-9]))
    | (?P<repeating>[0-9]*\.[0-9]*\\overline\s*\{{\s*[0-9]+\s*\}})
    | (?P<grouped>[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?(?!,?[0-9]))
    | (?P<number>[0-9]+\.[0-9]+[eE][+-]?[0-9]{{1,3}}(?![0-9.])|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
    | (?P<word>[A-Za-z]+)
    | (?P<other>\S)
    )""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_PLURAL = re.compile(r"[a-z]{3,}s\Z")
_NOT_UNITS = frozenset({"minus", "plus", "times", "versus", "remains", "equals", "less"})
_OPENING = frozenset(
    {",", ";", "or", "and", "=", "<", ">", "<=", ">=", "!=", "in", "(", "[", "\\{", "+", "-"}
)
_PUNCTUATION = frozenset("+-*/^_=<>()[]{}|,;:!&%")


def clean(answer: str) -> str:
    """Rewrite spelling variants to one spelling: Unicode signs, spacing, delimiters, edges."""
    text = "".join(UNICODE.get(char, char) for char in answer)
    text = text.strip()
    if text.startswith("**") and text.endswith("**") and len(text) > 4:
        text = text[2:-2]
    for plain, command in _PLAIN_SIGNS:
        text = text.replace(plain, command)
    text = _DIGIT_GAP.sub("", text)
    text = _DROPPED.sub(lambda match: match[0] if match[0] == "\\\\" else " ", text)
    text = _FRACTION_ALIAS.sub(r"\\frac", text)
    text = " ".join(text.split())
    while text and text[-1] in ".,;:\\" and not text.endswith("..."):
        text = text[:-1].rstrip()
    whole = _WHOLE_TEXT.match(text)
    if whole is not None:
        inner = whole[1].strip().rstrip(".,;:")
        if not (len(inner) == 2 and inner.isalpha() and inner.lower() not in PROSE_PAIRS):
            return inner if inner == text else clean(inner)
    return text


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
        position = match.end()
        if kind == "grouped" and depth:
            number = _NUMBER.match(value)
            assert number is not None
            position = match.start(kind) + number.end()
            kind, value = "number", number[0]
        if kind == "text":
            tokens.extend(_text_tokens(match["content"].strip(), _has_value(tokens)))
        elif kind == "word":
            tokens.extend(_word_tokens(value, spaced, _has_value(tokens)))
        elif kind == "command":
            tokens.append(_command_token(value, spaced))
        elif kind == "other":
            if value not in _PUNCTUATION:
                raise (UnsupportedError if value.isprintable() else MalformedError)(value)
            tokens.append(Token(value, value, spaced))
        elif kind == "grouped":
            tokens.append(Token("number", value.replace(",", ""), spaced))
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


def _text_tokens(content: str, has_value: bool) -> list[Token]:
    r"""Tokens of ``\text{content}``: separators, units, scale words, letters; else prose."""
    lowered = content.lower().rstrip(".")
    if not content:
        return []
    if lowered in {"or", "and"}:
        return [Token(lowered, content, True)]
    if has_value and lowered in SCALES:
        return [Token("*", "*", True), Token("number", SCALES[lowered], True)]
    if has_value and is_unit(lowered):
        return [Token("unit", content, True)]
    letter = content.strip("()")
    if len(letter) == 1 and letter.isascii() and letter.isalpha():
        return [Token("symbol", letter, True)]
    if has_value and _PLURAL.match(lowered) and lowered not in _NOT_UNITS:
        return [Token("unit", content, True)]
    raise UnsupportedError(content)


def _word_tokens(word: str, spaced: bool, has_value: bool) -> list[Token]:
    """Tokens of a bare run of letters: a name, a unit, a product of letters; else prose."""
    if word in FUNCTIONS:
        return [Token("function", FUNCTIONS[word], spaced)]
    if word in NAMES:
        return [Token(*NAMES[word], spaced)]
    lowered = word.lower()
    if lowered in {"or", "and"}:
        return [Token(lowered, word, spaced)]
    if len(word) >= 2 and has_value:
        if lowered in SCALES:
            return [Token("*", "*", True), Token("number", SCALES[lowered], True)]
        if is_bare_unit(word):
            return [Token("unit", word, spaced)]
        if _PLURAL.match(word) and word not in _NOT_UNITS:
            return [Token("unit", word, spaced)]
    prose = len(word) > 2 and word not in PRODUCT_RUNS
    if prose or lowered in PROSE_PAIRS or (len(word) > 1 and "pi" in word):
        raise UnsupportedError(word)
    return [Token("symbol", letter, spaced and k == 0) for k, letter in enumerate(word)]
