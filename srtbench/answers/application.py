"""Which brackets after a letter hold an argument, ``f(x)``, and which a factor, ``n(n+1)``.

Reading an application as a product makes ``f(g(x))`` equal ``g(f(x))`` and ``N(0)`` equal ``0``.
Reading a product as an application keeps apart what is equal. Hence: one number or one name in
the brackets is an argument, whatever the letter (nobody writes ``x(3)`` for ``3x``); a longer
expression is an argument of a letter that names functions and of any capital, unless that letter
stands in it as a value (``h(10x+5h)``), and of a letter that the same answer applies to one name
elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from srtbench.answers.lexer import Token
from srtbench.answers.vocabulary import FUNCTION_LETTERS

_OPENING = frozenset({"(", "[", "{", "\\{"})
_CLOSING = frozenset({")", "]", "}", "\\}"})
_NUMERALS = frozenset({"number", "repeating", "based"})
CONSTANTS = frozenset({"pi", "e", "i", "\\infty", "\\emptyset"})


def _inside(tokens: Sequence[Token], opening: int) -> Sequence[Token]:
    """The tokens between a bracket and its partner; all that follow when it has none."""
    depth = 0
    for at in range(opening, len(tokens)):
        depth += (tokens[at].kind in _OPENING) - (tokens[at].kind in _CLOSING)
        if depth == 0:
            return tokens[opening + 1 : at]
    return tokens[opening + 1 :]


def _is_single(inner: Sequence[Token]) -> bool:
    """One number, fraction of digits or name, perhaps with a sign or an index."""
    if inner and inner[0].kind in {"+", "-"}:
        inner = inner[1:]
    kinds = [token.kind for token in inner]
    if len(kinds) == 1:
        return kinds[0] in _NUMERALS or kinds[0] == "symbol"
    if kinds[:2] == ["symbol", "_"] and (len(kinds) == 3 or "}" in kinds):
        return len(kinds) == 3 or (kinds[2:3] == ["{"] and kinds[3:].index("}") == len(kinds) - 4)
    if kinds in (["number", "/", "number"], ["frac", "number"], ["frac", "number", "number"]):
        return True
    return kinds == ["frac", "{", "number", "}", "{", "number", "}"]


def applied_letters(tokens: Sequence[Token]) -> frozenset[str]:
    """Letters that an answer applies to a single name or number somewhere."""
    return frozenset(
        first.text
        for at, (first, second) in enumerate(pairwise(tokens))
        if first.kind == "symbol"
        and second.kind in {"(", "["}
        and first.text not in CONSTANTS
        and _is_single(_inside(tokens, at + 1))
    )


def is_argument(name: str, tokens: Sequence[Token], opening: int, applied: frozenset[str]) -> bool:
    """Whether what the bracket at ``opening`` holds is an argument of the letter before it."""
    inner = _inside(tokens, opening)
    if _is_single(inner) or name.endswith("'"):
        return True
    letter = name.partition("_")[0]
    if any(token.kind in {",", ";", "=", "<", ">", "<=", ">=", "!=", "in"} for token in inner):
        return True
    if letter not in FUNCTION_LETTERS | applied and not letter.lstrip("\\")[0].isupper():
        return False
    return not any(
        token.text == letter and (at + 1 == len(inner) or inner[at + 1].kind not in {"(", "["})
        for at, token in enumerate(inner)
        if token.kind == "symbol"
    )
