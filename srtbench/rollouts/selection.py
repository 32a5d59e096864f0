"""The one loop that turns a round's judged completions into what its fit has.

Training, the audit and a revote select here. Works on plain columns, as `srtbench.rollouts.judge`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from srtbench.rollouts.judge import Columns, Judge, Judged, group_rows
from srtbench.variants import Candidates, Pick, RoundsVariant
from srtbench.variants.selection import Others, check_picks

_SELECTS = 1
"""Last part of the seed of a selection, so that it does not share numbers with the judge."""


def selection_rng(seed: int, step: int, position: int) -> np.random.Generator:
    """Random numbers for what is selected of a round's ``position``-th group."""
    return np.random.default_rng([seed, step, position, _SELECTS])


def select_step(
    judge: Judge, columns: Columns, judged: Judged, further: Columns, step: int, hot: int
) -> tuple[Columns, Columns]:
    """Columns selected, role and weight of a round's completions, and of those sampled beside them.

    Args:
        columns: prompt_id, group_id, completion, answer, answer_key of all groups.
        judged: what the judge said of them.
        further: the same columns of completions that do not vote, by group_id; of a group the hot
            ones come first.
        hot: how many of a group's further completions are hot; the rest are hinted.

    Raises:
        ValueError: the variant selected what cannot be fitted on, or trains online.
    """
    variant = judge.variant
    if not isinstance(variant, RoundsVariant):
        raise ValueError(f"variant {type(variant).__name__} trains online and selects nothing")
    own, beside = _empty(len(columns["group_id"])), _empty(len(further["group_id"]))
    others = group_rows(further["group_id"])
    for position, (group_id, rows) in enumerate(group_rows(columns["group_id"]).items()):
        more = others.pop(group_id, [])
        candidates = Candidates(
            judge.group_of(columns, rows),
            judged.groups[group_id],
            step,
            hot=_others(further, more[:hot]),
            hinted=_others(further, more[hot:]),
        )
        picks = variant.select(candidates, selection_rng(judge.seed, step, position))
        for problem in check_picks(
            picks, len(rows) + len(more), variant.objective, type(variant).__name__
        ):
            raise ValueError(problem)
        for pick in picks:
            if pick.index < len(rows):
                _put(own, rows[pick.index], pick)
            else:
                _put(beside, more[pick.index - len(rows)], pick)
    if others:
        raise ValueError(f"group {next(iter(others))} has further completions, and no own ones")
    return own, beside


def selected_pairs(
    columns: Mapping[str, Sequence[Any]], further: Mapping[str, Sequence[Any]]
) -> list[tuple[tuple[bool, int], tuple[bool, int]]]:
    """Each chosen completion and its rejected one, in the order of groups.

    A completion is told by whether it is one of ``further``, and its row there.
    """
    by_group: dict[str, dict[str, list[tuple[bool, int]]]] = {}
    for is_further, table in ((False, columns), (True, further)):
        for row, role in enumerate(table["role"]):
            if role is not None:
                of_group = by_group.setdefault(table["group_id"][row], {})
                of_group.setdefault(role, []).append((is_further, row))
    order = dict.fromkeys(columns["group_id"])
    return [
        pair
        for group_id in order
        if group_id in by_group
        for pair in zip(by_group[group_id]["chosen"], by_group[group_id]["rejected"], strict=True)
    ]


def _empty(rows: int) -> Columns:
    return {"selected": [False] * rows, "role": [None] * rows, "weight": [None] * rows}


def _put(columns: Columns, row: int, pick: Pick) -> None:
    columns["selected"][row] = True
    columns["role"][row] = pick.role
    columns["weight"][row] = float(np.float32(pick.weight))


def _others(columns: Columns, rows: Sequence[int]) -> Others:
    completions, keys = columns["completion"], columns["answer_key"]
    return Others(tuple(completions[row] for row in rows), tuple(keys[row] for row in rows))
