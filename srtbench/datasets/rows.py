"""Rows of a table as items; every broken row is found and named before anything is refused."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from srtbench.answers import extract
from srtbench.config.datasets import AnswerStyle, FileDataset, HubDataset
from srtbench.config.errors import allowed
from srtbench.datasets import formats
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.splits import excerpt, listing

_LEVEL = re.compile(r"(?:level\s*)?(-?\d{1,9})(?:\.0+)?", re.IGNORECASE)  # "Level 5" as in MATH
_READERS = {
    ".jsonl": formats.jsonl_rows,
    ".csv": formats.csv_rows,
    ".parquet": formats.parquet_rows,
}


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, and where in its cell the answer is."""

    question: str
    answer: str
    level: str | None
    gold_style: AnswerStyle | None = None

    @classmethod
    def of(cls, dataset: FileDataset | HubDataset) -> "Columns":
        """The columns that a dataset entry names."""
        return cls(
            dataset.question_column,
            dataset.answer_column,
            dataset.level_column,
            dataset.gold_style,
        )

    @property
    def wanted(self) -> list[str]:
        """Those that must exist."""
        return [name for name in (self.question, self.answer, self.level) if name is not None]


def read_file(path: Path, columns: Columns) -> list[Item]:
    """Items of a JSONL, CSV or Parquet file, in its order.

    Raises:
        DatasetError: no such file, another format, a missing column, or broken rows: how many, and
            the first 20 with their reasons.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{path}: unknown file type; allowed: {', '.join(sorted(_READERS))}")
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    try:
        return items_of(path.name, reader(path), columns)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error


def count_rows(path: Path) -> int:
    """Rows of a file, good or broken; 0 if it cannot be read."""
    reader = _READERS.get(path.suffix.lower())
    try:
        return sum(1 for _ in reader(path)) if reader is not None else 0
    except (DatasetError, OSError):
        return 0


def items_of(source: str, rows: Iterable[formats.Row], columns: Columns) -> list[Item]:
    """Items of ``rows``; ``source`` names the table in messages.

    Raises:
        DatasetError: as ``read_file``.
    """
    items: list[Item] = []
    broken: list[str] = []
    present: set[str] = set()
    for row in rows:
        if isinstance(row.values, str):
            broken.append(f"{row.where}: {row.values}")
            continue
        present.update(row.values)
        problems, item = _item(row.where, row.values, columns)
        broken += [f"{row.where}: {problem}" for problem in problems]
        if item is not None:
            items.append(item)
    if present:
        check_columns(source, present, columns)
    if len(broken) == 1:
        raise DatasetError(f"{source}: {broken[0]}")
    if broken:
        raise DatasetError("\n".join([f"{source}: {len(broken)} broken rows", *listing(broken)]))
    if not items:
        raise DatasetError(f"{source}: no rows")
    return items


def check_columns(source: str, present: Iterable[str], columns: Columns) -> None:
    """Check that the named columns exist.

    Raises:
        DatasetError: one does not; the message names the columns there are.
    """
    names = sorted(set(present))
    missing = [name for name in columns.wanted if name not in names]
    if missing:
        lines = [f"{source}: no column '{name}'. {allowed(name, names)}" for name in missing]
        raise DatasetError("\n".join(lines))


def _item(where: str, values: Mapping[str, Any], columns: Columns) -> tuple[list[str], Item | None]:
    """What is wrong with a row, and the item if nothing is."""
    problems: list[str] = []
    question = _text(values, columns.question, problems)
    answer = _gold(_text(values, columns.answer, problems), columns, problems)
    level = _level(values, columns.level, problems)
    if problems:
        return ["; ".join(problems)], None
    return [], Item(where, question, answer, level, values)


def _text(values: Mapping[str, Any], column: str, problems: list[str]) -> str:
    value = values.get(column)
    text = ""
    if column not in values:
        problems.append(f"no '{column}'")
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float) and not math.isfinite(value):
        problems.append(f"'{column}' is {value}, not a text or number")
    elif isinstance(value, str | int | float | Decimal):
        text = str(value).strip()
        if not text:
            problems.append(f"'{column}' is empty")
    elif value is None:
        problems.append(f"'{column}' is null")
    else:
        problems.append(f"'{column}' is a {type(value).__name__}, not a text or number")
    return text


def _gold(text: str, columns: Columns, problems: list[str]) -> str:
    if columns.gold_style is None or not text:
        return text
    found = extract(text, columns.gold_style)
    if found is None:
        problems.append(
            f"'{columns.answer}' holds no answer in gold_style {columns.gold_style}: "
            f"{excerpt(text)}"
        )
    return found or ""


def _level(values: Mapping[str, Any], column: str | None, problems: list[str]) -> int | None:
    value = None if column is None else values.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    match = _LEVEL.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        problems.append(f"'{column}' is {value!r}, not a whole number")
        return None
    return int(match[1])
