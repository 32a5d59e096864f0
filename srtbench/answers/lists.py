"""Several entries in one answer: flat lists, lists of groups, and the names in front of values.

``1, 2 or 3`` is one list; ``x=1, y=2 or x=2, y=1`` and ``1,2; 3,4`` are lists of groups. Flattening
groups would make ``x=1,y=2; x=2,y=1`` equal ``x=1,y=1; x=2,y=2``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from srtbench.answers.leaves import Tree
from srtbench.answers.lexer import UnsupportedError

# Names of coordinates whose usual order is not that of the alphabet.
_USUAL_TUPLES = frozenset(
    {("r", "\\theta"), ("r", "\\theta", "z"), ("\\rho", "\\theta", "\\phi"), ("l", "w", "h")}
)


def name_of(entry: Tree) -> str | None:
    """The name that an equation gives a value: ``x``, ``f(x)``, ``(x, y)``; else None."""
    if entry[0] != "rel" or entry[1] != ["="]:
        return None
    left = entry[2][0]
    if left[0] == "sym":
        return str(left[1])
    if left[0] == "apply":
        return f"{left[1]}({left[2:]})"
    if left[0] == "bracket" and all(part[0] == "sym" for part in left[3:]):
        return "(" + ", ".join(part[1] for part in left[3:]) + ")"
    return None


def in_usual_order(names: Sequence[Tree]) -> bool:
    """Whether the names of a tuple or ratio stand as everybody writes them: ``(x, y)``.

    Only then may they be dropped: ``(b, a) = (1, 2)`` is not ``(a, b) = (1, 2)``.
    """
    if any(name[0] != "sym" for name in names):
        return False
    texts = tuple(str(name[1]) for name in names)
    return texts in _USUAL_TUPLES or all(a < b for a, b in pairwise(texts))


def arrange(entries: list[Tree], separators: list[str]) -> Tree:
    """One tree of the entries of an answer: ``list`` or ``or`` when flat, else ``groups``."""
    if len(entries) == 1:
        return entries[0]
    words = {separator.lstrip(",;") for separator in separators} - {""}
    if len(words) > 1:
        raise UnsupportedError("and with or")
    if any(separator.startswith(";") for separator in separators):
        if words and not all(separator.startswith(";") for separator in separators):
            raise UnsupportedError("groups within groups")
        return _grouped(entries, [separator.startswith(";") for separator in separators])
    if not words:
        return _flat("list", entries)
    word = words.pop()
    marked = [separator.endswith(word) for separator in separators]
    names = {name_of(entry) for entry in entries}
    if all(marked) or (marked.index(True) == len(marked) - 1 and (word == "and" or len(names) < 2)):
        return _flat("or" if word == "or" else "list", entries, word)
    return _grouped(entries, marked)


def _flat(node: str, entries: list[Tree], word: str = "") -> Tree:
    names = [name_of(entry) for entry in entries]
    distinct = set(names)
    if distinct != {None} and any(entry[0] == "sym" for entry in entries):
        raise UnsupportedError("names that share an equation")
    if word == "or" and len(distinct) > 1 and None not in distinct:
        raise UnsupportedError("alternatives of several names")
    if word == "and" and any(e[0] == "rel" and e[1] != ["="] for e in entries):
        raise UnsupportedError("a conjunction of relations")
    if len(distinct - {None}) > 1 and len(distinct) < len(names):
        if None in distinct:
            return [node, *entries]
        size = len(distinct)
        if any(names[at] != names[at % size] for at in range(len(names))) or len(names) % size:
            raise UnsupportedError("names repeated in no order")
        return ["groups", *(entries[at : at + size] for at in range(0, len(names), size))]
    return [node, *entries]


def _grouped(entries: list[Tree], ends: list[bool]) -> Tree:
    """Groups of entries, cut where ``ends`` says so."""
    groups = [[entries[0]]]
    for entry, end in zip(entries[1:], ends, strict=True):
        if end:
            groups.append([entry])
        else:
            groups[-1].append(entry)
    if all(len(group) == 1 for group in groups):
        return _flat("list", entries)
    return ["groups", *groups]
