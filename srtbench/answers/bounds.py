"""How large an expression becomes when it is expanded, estimated before sympy sees it."""

from __future__ import annotations

from math import comb, prod

from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import UnsupportedError

MAX_TERMS = 200
ARITHMETIC = frozenset({"add", "mul", "div", "neg", "pow"})


def _bounded(*factors: int) -> int:
    total = prod(factors)
    if total > MAX_TERMS:
        raise UnsupportedError("too many terms to expand")
    return total


def expanded_terms(tree: Tree) -> tuple[int, int]:
    """Upper estimates of the terms above and below the line when a tree is expanded."""
    node, *args = tree
    if node in {"num", "sym"}:
        return 1, 1
    if node in {"fn", "root", "fact", "binom", "deg"}:
        return 1, 1
    if node not in ARITHMETIC:
        raise UnsupportedError(node)
    sizes = [expanded_terms(arg) for arg in args]
    if node == "add":
        below = _bounded(*(size[1] for size in sizes))
        return _bounded(sum(size[0] * (below // size[1]) for size in sizes)), below
    if node == "pow":
        exponent = args[1][1] if args[1][0] == "num" and args[1][2] == 1 else 1
        above, below = (_bounded(_power_terms(size, abs(exponent))) for size in sizes[0])
        return above, below
    if node == "div":
        (a, b), (c, d) = sizes
        return _bounded(a, d), _bounded(b, c)
    return _bounded(*(size[0] for size in sizes)), _bounded(*(size[1] for size in sizes))


def _power_terms(terms: int, exponent: int) -> int:
    exponent = min(exponent, MAX_TERMS)
    return comb(terms + exponent - 1, exponent) if terms > 1 else 1
