"""Exact rationals: the engine that settles the common answers without sympy."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, prod
from typing import Protocol

from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import MalformedError, UnsupportedError

MAX_BITS = 8_192
MAX_FACTORIAL = 200


class NeedsEngineError(Exception):
    """The tree is not a plain rational: sympy has to look at it."""


class Engine(Protocol):
    """What turns a scalar tree, or a relation of two scalar trees, into a key."""

    def scalar(self, tree: Tree) -> str: ...

    def relation(self, operator: str, left: Tree, right: Tree) -> str: ...


class ExactEngine:
    """Rationals and single symbols; everything else raises :class:`NeedsEngineError`."""

    def scalar(self, tree: Tree) -> str:
        if tree[0] == "sym":
            return str(tree[1])
        return str(rational(tree))

    def relation(self, operator: str, left: Tree, right: Tree) -> str:
        raise NeedsEngineError


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """``base ** exponent`` for an integer exponent, refusing results beyond ``MAX_BITS``."""
    if base == 0 and exponent <= 0:
        raise MalformedError("zero to a power that is not positive")
    if base in (0, 1, -1) and exponent.denominator == 1:
        return base ** int(exponent % 2 or 2)
    size = max(abs(base.numerator), base.denominator).bit_length()
    if abs(exponent) * size > MAX_BITS:
        raise UnsupportedError("number too large")
    if exponent.denominator != 1:
        raise NeedsEngineError
    return base ** int(exponent)


def rational(tree: Tree) -> Fraction:
    """Exact value of a tree of rational arithmetic, with a bound on every intermediate result."""
    node, *args = tree
    if node == "num":
        return Fraction(args[0], args[1])
    if node in {"add", "mul", "div", "neg", "pow", "fact"}:
        value = _arithmetic(node, [rational(arg) for arg in args])
        if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
            raise UnsupportedError("number too large")
        return value
    raise NeedsEngineError


def _arithmetic(node: str, values: list[Fraction]) -> Fraction:
    first = values[0]
    if node == "add":
        return sum(values, Fraction(0))
    if node == "mul":
        return prod(values, start=Fraction(1))
    if node == "neg":
        return -first
    if node == "pow":
        return power(first, values[1])
    if node == "div":
        if values[1] == 0:
            raise MalformedError("division by zero")
        return first / values[1]
    if first.denominator != 1 or first < 0:
        raise MalformedError("a factorial without a value")
    if first > MAX_FACTORIAL:
        raise NeedsEngineError
    return Fraction(factorial(int(first)))
