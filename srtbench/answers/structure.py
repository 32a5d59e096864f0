"""The canonical key of a tree: containers and relations here, scalars through an engine.

Two engines exist: exact rationals in this process and sympy in the worker. Both give a scalar the
same key, so it does not matter which of them saw an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from math import gcd, lcm

from srtbench.answers.exact import Engine
from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import UnsupportedError
from srtbench.answers.lists import in_usual_order, name_of

CONSTANTS = frozenset({"pi", "e", "i", "\\infty"})
_LEAVES = frozenset({"num", "base"})
_CONTAINERS = frozenset({"bracket", "set", "list", "union", "inter", "minus", "matrix", "angle"})
_RATIONAL = re.compile(r"[0-9]+(?:/[0-9]+)?\Z")
_FLIP = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}


def symbols(tree: Tree) -> set[str]:
    """Names of the free symbols of a tree."""
    if tree[0] == "sym":
        return set() if tree[1] in CONSTANTS or tree[1][:5] in {"\\math", "\\empt"} else {tree[1]}
    return {name for child in _children(tree) for name in symbols(child)}


def _children(tree: Tree) -> Iterator[Tree]:
    if tree[0] in _LEAVES or tree[0] == "sym":
        return
    for child in tree[1:]:
        if isinstance(child, list) and child and isinstance(child[0], str):
            yield child
        elif isinstance(child, list):
            yield from (grandchild for grandchild in child if isinstance(grandchild, list))


def _signs(tree: Tree) -> list[bool]:
    """The plus-minus signs of a tree outside nested sets: True for a minus-plus."""
    own = [bool(tree[1])] if tree[0] == "pm" else []
    return own + [s for c in _children(tree) if c[0] != "set" for s in _signs(c)]


def _resolve(tree: Tree, minus: bool) -> Tree:
    if tree[0] == "pm":
        term = _resolve(tree[2], minus)
        return ["neg", term] if minus != tree[1] else term
    return [
        child
        if not isinstance(child, list) or not child
        else _resolve(child, minus)
        if isinstance(child[0], str) and child[0] != "set" and tree[0] not in _LEAVES
        else [_resolve(x, minus) if isinstance(x, list) else x for x in child]
        for child in tree
    ]


def _branches(tree: Tree) -> list[Tree]:
    signs = _signs(tree)
    if not signs:
        return [tree]
    if len(signs) > 1 and not any(signs):
        raise UnsupportedError("independent plus-minus signs")
    return [_resolve(tree, False), _resolve(tree, True)]


def canonical(tree: Tree, engine: Engine) -> str:
    """The canonical key of a parsed answer."""
    if tree[0] == "groups":
        return _groups(tree[1:], engine)
    is_list = tree[0] in {"list", "or", "set"}
    entries = [b for entry in (tree[1:] if is_list else [tree]) for b in _branches(entry)]
    if len(entries) == 1:
        # One value is that value; a set of one set is not that set.
        nested = tree[0] == "set" and entries[0][0] in {"set", "list", "sym"}
        bare = entries[0][0] == "sym" and entries[0][1] != "\\emptyset"
        return _entry(tree if nested and not bare else entries[0], engine)
    entries = _without_common_name(entries)
    relations = [entry for entry in entries if entry[0] == "rel"]
    if any(not symbols(relation) for relation in relations):
        raise UnsupportedError("several equations of numbers")  # which value is of what?
    if tree[0] == "or" and any(r[1][0] in _FLIP for r in relations):
        if len(relations) != len(entries) or len(set.union(*map(symbols, entries))) != 1:
            raise UnsupportedError("alternatives of several symbols")
        return " \\cup ".join(sorted({_entry(entry, engine) for entry in entries}))
    if len({name for relation in relations for name in symbols(relation)}) > 1:
        keys = [_named(entry, engine) for entry in entries]
    else:
        keys = [_entry(entry, engine) for entry in entries]
    unique = sorted(set(keys))
    if len(unique) < len(keys) and tree[0] == "list":
        return ", ".join(sorted(keys))
    return unique[0] if len(unique) == 1 else "\\{" + ", ".join(unique) + "\\}"


def _groups(groups: list[list[Tree]], engine: Engine) -> str:
    """Groups in any order; inside a group names in any order, values in theirs."""
    if any(_signs(entry) for group in groups for entry in group):
        raise UnsupportedError("plus-minus in groups")
    names = [[name_of(entry) for entry in group] for group in groups]
    if not any(name for group in names for name in group):
        return "; ".join(sorted(", ".join(_element(e, engine) for e in g) for g in groups))
    if any(None in group or len(set(group)) < len(group) for group in names):
        raise UnsupportedError("groups of names and values")
    if len({frozenset(group) for group in names}) > 1:
        raise UnsupportedError("groups of different names")
    return "; ".join(sorted(", ".join(sorted(_named(e, engine) for e in g)) for g in groups))


def _without_common_name(entries: list[Tree]) -> list[Tree]:
    """``(x,y)=(5,8) and (8,5)`` or ``f(x)=0, f(x)=x`` without the name that they share."""
    names = {name_of(entry) for entry in entries if entry[0] == "rel"}
    if len(names) != 1 or None in names or "(" not in str(names):
        return entries
    bare = [entry if entry[0] != "rel" else _definition(entry[2]) for entry in entries]
    return entries if None in bare else [entry for entry in bare if entry is not None]


def _definition(sides: list[Tree]) -> Tree | None:
    """What a tuple of names or an application is said to be; None when that stays an equation."""
    left, right = sides[0], sides[-1]
    if len(sides) != 2:
        return None
    if left[0] == "apply" and all(part[0] in {"sym", "num"} for part in left[2:]):
        return None if _applies(right, left[1]) else right
    if left[0] == "bracket" and in_usual_order(left[3:]) and right[0] in _CONTAINERS:
        fits = right[0] != "bracket" or len(right) == len(left)
        return right if fits and not symbols(right) & symbols(left) else None
    if left[0] == "ratio" == right[0] and in_usual_order(left[1:]) and len(left) == len(right):
        return None if symbols(right) else right
    return None


def _applies(tree: Tree, name: str) -> bool:
    """Whether the function ``name`` of something that is no number stands in a tree."""
    here = tree[0] == "apply" and tree[1] == name and bool(symbols(tree))
    return here or any(_applies(child, name) for child in _children(tree))


def _named(entry: Tree, engine: Engine) -> str:
    """One of several relations in different symbols: ``x = 1`` keeps its name."""
    if entry[0] == "rel" and entry[1] == ["="] and len(entry[2]) == 2:
        name, value = entry[2]
        if name[0] == "sym" and not symbols(value):
            return f"{name[1]} = {_entry(value, engine)}"
        if name[0] == "apply" and value[0] not in _CONTAINERS:
            return f"{_element(name, engine)} = {_element(value, engine)}"
    if entry[0] != "rel" or entry[1][0] not in {"=", "!="}:
        raise UnsupportedError("a mixed list of relations")
    key = _entry(entry, engine)
    if not key.endswith(" 0"):
        raise UnsupportedError("a mixed list of relations")
    return key


def _entry(tree: Tree, engine: Engine) -> str:
    node = tree[0]
    if node == "rel":
        return _relation(tree[1], tree[2], engine)
    if node == "deg":
        return _entry(tree[1], engine)
    if node == "base":
        return f"{tree[1]}_{{{tree[2]}}}"
    if node == "bracket":
        inner = ", ".join(_element(child, engine) for child in tree[3:])
        return f"{tree[1]}{inner}{tree[2]}"
    if node == "angle":
        inner = ", ".join(_element(child, engine) for child in tree[1:])
        return f"\\langle {inner} \\rangle"
    if node in {"set", "list"}:
        entries = [branch for entry in tree[1:] for branch in _branches(entry)]
        return "\\{" + ", ".join(sorted({_element(e, engine) for e in entries})) + "\\}"
    if node in {"union", "inter"}:
        sign = " \\cup " if node == "union" else " \\cap "
        return sign.join(sorted({_element(child, engine) for child in tree[1:]}))
    if node == "minus":
        return " \\setminus ".join(_element(child, engine) for child in tree[1:])
    if node == "matrix":
        rows = [" & ".join(_element(cell, engine) for cell in row) for row in tree[1:]]
        return "\\begin{pmatrix} " + " \\\\ ".join(rows) + " \\end{pmatrix}"
    if node == "ratio":
        return _ratio(tree[1:], engine)
    if tree in (["neg", ["sym", "\\infty"]], ["add", ["sym", "\\infty"]]):
        return "-\\infty" if node == "neg" else "\\infty"
    return engine.scalar(tree)


def _element(tree: Tree, engine: Engine) -> str:
    if tree[0] in {"rel", "or"}:
        raise UnsupportedError("a relation inside a container")
    return _entry(tree, engine)


def _ratio(parts: list[Tree], engine: Engine) -> str:
    keys = [_element(part, engine) for part in parts]
    if all(_RATIONAL.match(key) for key in keys):
        values = [Fraction(key) for key in keys]
        scale = lcm(*(value.denominator for value in values))
        whole = [int(value * scale) for value in values]
        keys = [str(value // (gcd(*whole) or 1)) for value in whole]
    return ":".join(keys)


def _is_value(tree: Tree) -> bool:
    return not symbols(tree) or tree[0] in _CONTAINERS


def _relation(operators: list[str], sides: list[Tree], engine: Engine) -> str:
    left, right = sides[0], sides[-1]
    if any(side[0] == "pm" for side in sides):
        raise UnsupportedError("plus-minus in a relation")
    if set(operators) == {"="}:
        return _equation(sides, engine)
    if operators == ["in"]:
        if left[0] != "sym" or not (right[0] in _CONTAINERS or right[0] == "sym"):
            raise UnsupportedError("membership")
        return canonical(right, engine)
    if len(sides) == 2 and operators[0] in _FLIP:
        if right[0] == "sym" and not symbols(left):
            return _interval(_FLIP[operators[0]], left, engine)
        if left[0] == "sym" and symbols(left) and not symbols(right):
            return _interval(operators[0], right, engine)
    if len(sides) == 3 and not symbols(left) | symbols(right):
        if sides[1][0] == "sym":
            return _double_interval(operators, left, right, engine)
        if len(symbols(sides[1])) == 1:
            return _between(operators, sides, engine)
    if len(sides) == 2 and operators[0] != "in" and not {left[0], right[0]} & _CONTAINERS:
        return engine.relation(operators[0], _spelled(left), _spelled(right))
    raise UnsupportedError("relation")


def _equation(sides: list[Tree], engine: Engine) -> str:
    left, right = sides[0], sides[-1]
    if len(sides) > 2 or not symbols(left) | symbols(right):
        return _chain(sides, engine)
    if right[0] == "sym" and left[0] != "sym" and _is_value(left):
        left, right = right, left
    if left[0] == "sym" and _is_value(right):
        return canonical(right, engine)
    known = _definition(sides)
    if known is not None:
        return canonical(known, engine)
    if left[0] == "bracket" == right[0] and all(name[0] == "sym" for name in left[3:]):
        return _by_name(left[3:], right[3:], engine)
    if {left[0], right[0]} & (_CONTAINERS | {"ratio"}):
        raise UnsupportedError("an equation of containers")
    return engine.relation("=", _spelled(left), _spelled(right))


def _chain(sides: list[Tree], engine: Engine) -> str:
    """``x = 5 + 6 = 11``: the value, if all the links agree on it."""
    values = sides[1:] if sides[0][0] in {"sym", "apply"} else sides
    if any(side[0] in {"rel", "ratio"} for side in sides):
        raise UnsupportedError("a chain of relations")
    if len({_element(value, engine) for value in values}) != 1:
        raise UnsupportedError("a chain of different values")
    if len(values) == len(sides):
        if any(symbols(value) for value in values):
            raise UnsupportedError("an identity")
        return _element(values[-1], engine)
    return _relation(["="], [sides[0], sides[-1]], engine)


def _by_name(names: list[Tree], values: list[Tree], engine: Engine) -> str:
    """``(b, a) = (1, 2)``: names in an order of their own stay with their values."""
    texts = [name[1] for name in names]
    if len(set(texts)) < len(texts) or len(names) != len(values) or any(map(symbols, values)):
        raise UnsupportedError("a tuple of names")
    pairs = zip(names, values, strict=True)
    return canonical(["list", *(["rel", ["="], [n, v]] for n, v in pairs)], engine)


def _spelled(tree: Tree) -> Tree:
    """``AB`` as the product that it is in an equation of several symbols."""
    if tree[0] == "sym" and len(tree[1]) > 1 and tree[1].isalpha() and tree[1].isupper():
        return ["mul", *(["sym", letter] for letter in tree[1])]
    return tree


def _between(operators: list[str], sides: list[Tree], engine: Engine) -> str:
    """``1 < 2x < 3``: the values of the one symbol, if both ends bound it."""
    if operators[0][0] != operators[1][0] or operators[0][0] not in "<>":
        raise UnsupportedError("a chain in two directions")
    halves = [
        engine.relation(operator, sides[at], sides[at + 1]) for at, operator in enumerate(operators)
    ]
    below, above = sorted(halves, key=lambda half: half.startswith("(-\\infty"))
    if not (below.endswith(", \\infty)") and above.startswith("(-\\infty, ")):
        raise UnsupportedError("bounds of no interval")
    return below.removesuffix("\\infty)") + above.removeprefix("(-\\infty, ")


def _interval(operator: str, bound: Tree, engine: Engine) -> str:
    key = _element(bound, engine)
    if operator.startswith(">"):
        return f"{'[' if '=' in operator else '('}{key}, \\infty)"
    return f"(-\\infty, {key}{']' if '=' in operator else ')'}"


def _double_interval(operators: list[str], left: Tree, right: Tree, engine: Engine) -> str:
    if operators[0][0] == ">" and operators[1][0] == ">":
        left, right, operators = right, left, [operators[1], operators[0]]
    elif operators[0][0] != "<" or operators[1][0] != "<":
        raise UnsupportedError("a chain in two directions")
    opener = "[" if "=" in operators[0] else "("
    closer = "]" if "=" in operators[1] else ")"
    return f"{opener}{_element(left, engine)}, {_element(right, engine)}{closer}"
