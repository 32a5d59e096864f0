"""What the parts of an audit share."""

import math
from collections.abc import Iterator
from typing import Any

from srtbench.rollouts.judge import Columns

Found = Iterator[tuple[str, str, str]]
"""Breaches: the column, where, and what is wrong."""


def compare(columns: Columns, part: slice, name: str, derived: list[Any], where: str) -> Found:
    """Logged values of some rows against those that were derived again."""
    found = columns[name][part]
    if found == derived:
        return
    for offset, (logged, again) in enumerate(zip(found, derived, strict=False)):
        if isinstance(logged, float) and isinstance(again, int | float):
            equal = math.isclose(logged, again, rel_tol=1e-4, abs_tol=1e-5)
        else:
            equal = logged == again
        if not equal:
            yield name, f"{where} row {offset}", f"{logged!r}, derived again {again!r}"
