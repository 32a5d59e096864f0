"""Odd roots of symbols: real for negative values by custom, complex by sympy's rules.

Alone they are safe. Inside another root, a power or a logarithm sympy's rules would make equal what
the custom keeps apart, so such an answer stays literal text.
"""

from __future__ import annotations

from srtbench.answers.exact import NeedsEngineError, rational
from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import UnsupportedError
from srtbench.answers.structure import symbols

_ARITHMETIC = frozenset({"add", "mul", "div", "neg", "pow"})


def _has_odd_root(tree: Tree) -> bool:
    """Whether an odd root of symbols, which may be real where the principal root is not."""
    if tree[0] == "root" and symbols(tree[1]) and tree[2][0] == "num" and tree[2][1] % 2:
        return True
    if tree[0] == "pow" and tree[2][0] in {"div", "num", "neg"} and symbols(tree[1]):
        try:
            exponent = rational(tree[2])
        except NeedsEngineError:
            return False
        return exponent.denominator > 1 and exponent.denominator % 2 == 1
    return tree[0] in _ARITHMETIC and any(
        _has_odd_root(child) for child in tree[1:] if isinstance(child, list)
    )


def check_odd_roots(tree: Tree) -> None:
    r"""Refuse to simplify an odd root of symbols inside a root, a power or a logarithm.

    ``\sqrt[3]{\sqrt a}`` and ``\sqrt{\sqrt[3] a}`` agree for positive ``a`` only.
    """
    if tree[0] == "fn" and tree[1] not in {"ln", "log"}:
        return
    if tree[0] == "pow" and tree[2][0] == "num" and tree[2][2] == 1:
        return
    inner = tree[2] if tree[0] == "fn" else tree[1]
    outer_is_root = tree[0] == "root" or (tree[0] == "pow" and symbols(tree[1]))
    if _has_odd_root(inner) or (outer_is_root and _is_odd(tree) and _has_root(inner)):
        raise UnsupportedError("a root within a root")


def _is_odd(tree: Tree) -> bool:
    return _has_odd_root([tree[0], ["sym", "x"], tree[2]])


def _has_root(tree: Tree) -> bool:
    """Whether a root of symbols stands in a product, quotient or power."""
    if tree[0] == "root" and symbols(tree[1]):
        return True
    if tree[0] == "pow" and symbols(tree[1]) and tree[2][0] != "num":
        return True
    return tree[0] in {"mul", "div", "neg", "pow"} and any(
        _has_root(child) for child in tree[1:] if isinstance(child, list)
    )
