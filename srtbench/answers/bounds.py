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
    if node == "fn" and args[0] in {"ln", "log"}:
        return _log_terms(args[1:])
    if node in {"fn", "root", "fact", "binom", "deg", "apply"}:
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


def _log_terms(arguments: list[Tree]) -> tuple[int, int]:
    """A logarithm of a rational becomes a sum over its primes; its base goes below the line."""
    sizes = [_prime_count(argument) for argument in arguments]
    return (sizes[0], 1) if len(sizes) == 1 else (sizes[0], sizes[1])


def _prime_count(tree: Tree) -> int:
    """How many different primes a number has at most: few, when they must be small to be many."""
    if tree[0] != "num":
        return 1
    count = 0
    for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
        count += tree[1] % prime == 0 or tree[2] % prime == 0
    rest = max(abs(tree[1]), tree[2])
    return max(1, count + (rest > 1 and not _is_smooth(tree)))


def _is_smooth(tree: Tree) -> bool:
    for part in (abs(tree[1]), tree[2]):
        for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37):
            while part and part % prime == 0:
                part //= prime
        if part > 1:
            return False
    return True


def _power_terms(terms: int, exponent: int) -> int:
    exponent = min(exponent, MAX_TERMS)
    return comb(terms + exponent - 1, exponent) if terms > 1 else 1
