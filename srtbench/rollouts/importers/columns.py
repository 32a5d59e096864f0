"""Columns that a trainer lets the user name: which is the reward, which the gold answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from srtbench.rollouts.importers.row import gold_of, number_of

GOLD_NAMES = (
    "gold_answer",
    "gold",
    "ground_truth",
    "reference_answer",
    "expected_answer",
    "final_answer",
    "answer",
    "solution",
    "target",
    "reference",
    "label",
)
"""What data sets call the right answer, the surest first."""

_NEAR = 0.999
_MOST = 6
"""More columns than of which all sums are tried."""


def named_gold(values: Mapping[str, Any]) -> str | None:
    """The right answer under one of the names that data sets use for it."""
    for name in GOLD_NAMES:
        if name in values and (found := gold_of(values[name])) is not None:
            return found
    return None


def runs(values: Sequence[Any]) -> Iterator[tuple[int, int]]:
    """Start and stop of each stretch of equal values."""
    start = 0
    for at in range(1, len(values) + 1):
        if at == len(values) or values[at] != values[start]:
            yield start, at
            start = at


def group_ids(prompts: Sequence[str]) -> list[str | None]:
    """Groups of rows whose completions of a prompt stand together, all of one size.

    A stretch of equal prompts longer than the others is several groups of one prompt. Where rows
    do not stand together the log does not say: None.
    """
    stretches = list(runs(prompts))
    size = math.gcd(*(stop - start for start, stop in stretches)) if stretches else 0
    if size < 2:
        return [None] * len(prompts)
    return [str(at // size) for at in range(len(prompts))]


def pick_rewards(
    columns: Mapping[str, Sequence[Any]],
    advantages: Sequence[Any] | None,
    groups: Sequence[Any],
) -> tuple[list[float | None], str]:
    """The reward that the advantages were made of, and a sentence where that is not sure.

    A trainer logs a column per reward function beside other numbers, and neither the weights nor
    the total. In a group an advantage is proportional to reward minus mean, whatever it is scaled
    by, so a sum of columns can be held against it.

    Args:
        columns: (rows,) numbers each. advantages: (rows,). groups: (rows,), rows of one together.
    """
    rows = len(groups)
    known = {
        name: [number_of(value, name) for value in values]
        for name, values in columns.items()
        if any(number_of(value, name) is not None for value in values)
    }
    if not known:
        return [None] * rows, ""
    if len(known) == 1:
        (values,) = known.values()
        return values, ""
    names = list(known)
    plain = _sums([known[name] for name in names], rows)
    if advantages is None:
        return plain, _unsure(names)
    wanted = [number_of(value, "advantage") for value in advantages]
    if any(value is None for value in wanted) or not any(wanted):
        return plain, _unsure(names)
    sizes = range(len(names), 0, -1) if len(names) <= _MOST else (len(names), 1)
    for size in sizes:
        for some in combinations(names, size):
            total = _sums([known[name] for name in some], rows)
            if _explains(total, wanted, groups):
                left = [name for name in names if name not in some]
                said = f"Its reward is {_and(some)}, as its advantages show" if left else ""
                return total, said and f"{said}; {_and(left)} {_is(left)} none."
    return plain, _unsure(names)


def _sums(values: Sequence[Sequence[float | None]], rows: int) -> list[float | None]:
    found: list[float | None] = []
    for at in range(rows):
        there = [column[at] for column in values if column[at] is not None]
        found.append(math.fsum(one for one in there if one is not None) if there else None)
    return found


def _explains(
    total: Sequence[float | None], wanted: Sequence[float | None], groups: Sequence[Any]
) -> bool:
    for start, stop in runs(groups):
        reward = _centred(total[start:stop])
        advantage = _centred(wanted[start:stop])
        if reward is None or advantage is None:
            return False
        sizes = math.hypot(*reward), math.hypot(*advantage)
        if min(sizes) < 1e-6:
            if max(sizes) > 1e-3:
                return False
            continue
        product = math.fsum(a * b for a, b in zip(reward, advantage, strict=True))
        if product / (sizes[0] * sizes[1]) < _NEAR:
            return False
    return True


def _centred(values: Sequence[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean = math.fsum(known) / len(known)
    return [value - mean for value in known]


def _unsure(names: Sequence[str]) -> str:
    return (
        f"The weights of its reward functions are not in the log, so the plain sum of "
        f"{_and(names)} stands for the reward."
    )


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} + {names[-1]}"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"
