"""Columns by name, also of what lies inside one: ``reward_model.ground_truth``, ``prompt.0.text``.

A name is a column's own name first, then a path: keys of objects, and places in lists, from 0 or,
negative, from the end.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from srtbench.config.datasets import AnswerStyle, FileDataset, HubDataset
from srtbench.config.errors import allowed
from srtbench.datasets.problems import MissingColumnsError

MISSING = object()
"""Stands for a value that is not there; null is there."""

_PLACE = re.compile(r"-?\d{1,9}")
_DEPTH = 4
"""Objects within objects whose names a message lists."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, and where in its cell the answer is."""

    question: str
    answer: str
    level: str | None
    gold_style: AnswerStyle | None = None
    system_prompt: str | None = None

    @classmethod
    def of(cls, dataset: FileDataset | HubDataset) -> "Columns":
        """The columns that a dataset entry names."""
        return cls(
            dataset.question_column,
            dataset.answer_column,
            dataset.level_column,
            dataset.gold_style,
            dataset.system_prompt,
        )

    @property
    def wanted(self) -> list[str]:
        """Those that must exist."""
        return [name for name in (self.question, self.answer, self.level) if name is not None]


def value_at(values: Any, name: str) -> Any:
    """What a row, or a part of one, has under a name; or MISSING."""
    if isinstance(values, Mapping):
        if name in values:
            return values[name]
        for head in columns_of(name, values):
            found = value_at(values[head], name[len(head) + 1 :])
            if found is not MISSING:
                return found
    elif isinstance(values, list):
        head, _, rest = name.partition(".")
        if _PLACE.fullmatch(head) and -len(values) <= int(head) < len(values):
            found = values[int(head)]
            return value_at(found, rest) if rest else found
    return MISSING


def columns_of(name: str, present: Container[str]) -> list[str]:
    """The columns in which a name may lie; those of a dotted name may have dots, too."""
    parts = name.split(".")
    heads = [".".join(parts[: length + 1]) for length in range(len(parts))]
    return [head for head in heads if head in present]


def names_in(value: Any, prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
    """Names that a row offers; of a list, those of its first element."""
    if depth == 0:
        return
    entries: Iterable[tuple[str, Any]] = ()
    if isinstance(value, Mapping):
        entries = ((str(key), inner) for key, inner in value.items())
    elif isinstance(value, list):
        entries = [("0", value[0])] if value else []
    for key, inner in entries:
        name = f"{prefix}{key}"
        if not isinstance(value, list) or not isinstance(inner, Mapping | list):
            yield name
        yield from names_in(inner, f"{name}.", depth - 1)


def check_columns(source: str, present: Iterable[str], wanted: Iterable[str]) -> None:
    """Check that the named columns exist.

    Raises:
        MissingColumnsError: one does not; the message names the columns there are.
    """
    names = sorted(set(present))
    missing = [name for name in wanted if name not in names]
    if missing:
        raise MissingColumnsError(
            {name: f"{source}: no column '{name}'. {allowed(name, names)}" for name in missing}
        )
