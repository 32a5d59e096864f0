"""The tree type, its numeric leaves read exactly, and flat products."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, TypeAlias

from srtbench.answers.lexer import MalformedError, UnsupportedError

Tree: TypeAlias = list[Any]
MAX_DIGITS = 1_000


def number(text: str) -> Tree:
    """A ``num`` leaf from digits with an optional decimal part or exponent: exact."""
    if len(text) > MAX_DIGITS:
        raise MalformedError("too many digits")
    digits, _, exponent = text.lower().partition("e")
    value = Fraction(digits + "0" if digits.endswith(".") else digits)
    if exponent:
        value *= Fraction(10) ** int(exponent)
    return ["num", value.numerator, value.denominator]


def repeating(text: str) -> Tree:
    r"""A repeating decimal, ``0.1\overline{6}``."""
    head, _, tail = text.partition("\\overline")
    whole, _, fixed = head.partition(".")
    cycle = tail.strip("{} \t")
    if len(text) > MAX_DIGITS:
        raise MalformedError("too many digits")
    shift = 10 ** len(fixed)
    value = Fraction(int((whole or "0") + fixed), shift)
    value += Fraction(int(cycle), shift * (10 ** len(cycle) - 1))
    return ["num", value.numerator, value.denominator]


def based(text: str) -> Tree:
    """Digits in another base, ``101_2``; the digits must fit the base."""
    digits, _, base_text = text.partition("_")
    base = int(base_text.strip("{} "))
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
        raise UnsupportedError("digits do not fit the base")
    if base == 10:
        return number(digits)
    return ["base", digits.lstrip("0") or "0", base]


def times(left: Tree, right: Tree) -> Tree:
    """A product, kept flat so that long ones do not nest."""
    return [*left, right] if left[0] == "mul" else ["mul", left, right]
