"""Rows of a table as items; every broken row is found and named before anything is refused."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from srtbench.answers import extract
from srtbench.datasets import formats
from srtbench.datasets.chat import check_system, is_chat, read_chat
from srtbench.datasets.columns import MISSING, Columns, check_columns, names_in, value_at
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.splits import excerpt, listing

LEVEL = re.compile(r"(?:level\s*)?(-?\d{1,9})(?:\.0+)?", re.IGNORECASE)  # "Level 5" as in MATH
_READERS = {
    ".jsonl": formats.jsonl_rows,
    ".csv": formats.csv_rows,
    ".parquet": formats.parquet_rows,
}


def read_file(path: Path, columns: Columns) -> list[Item]:
    """Items of a JSONL, CSV or Parquet file, in its order.

    Raises:
        DatasetError: no such file, another format, a missing column, or broken rows: how many, and
            the first 20 with their reasons.
    """
    try:
        return items_of(path.name, table_rows(path), columns)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error


def table_rows(path: Path) -> Iterator[formats.Row]:
    """Rows of a JSONL, CSV or Parquet file, good or broken, in its order.

    Raises:
        DatasetError: no such file, or another format.
        OSError: it cannot be read.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{path}: unknown file type; allowed: {', '.join(sorted(_READERS))}")
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    return reader(path)


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
    names: set[str] = set()
    found: set[str] = set()
    systems: dict[str | None, None] = {}
    for row in rows:
        if isinstance(row.values, str):
            broken.append(f"{row.where}: {row.values}")
            continue
        here = {name for name in columns.wanted if value_at(row.values, name) is not MISSING}
        found |= here
        if len(here) < len(columns.wanted):
            names.update(names_in(row.values))
        problems, item = _item(row.where, row.values, columns, systems)
        broken += [f"{row.where}: {problem}" for problem in problems]
        if item is not None:
            items.append(item)
    if names:
        check_columns(source, names | found, columns.wanted)
    if len(broken) == 1:
        raise DatasetError(f"{source}: {broken[0]}")
    if broken:
        raise DatasetError("\n".join([f"{source}: {len(broken)} broken rows", *listing(broken)]))
    if not items:
        raise DatasetError(f"{source}: no rows")
    check_system(source, columns.question, systems, columns.system_prompt)
    return items


def _item(
    where: str, values: Mapping[str, Any], columns: Columns, systems: dict[str | None, None]
) -> tuple[list[str], Item | None]:
    """What is wrong with a row, and the item if nothing is; its system message is noted."""
    problems: list[str] = []
    question = _question(values, columns.question, problems, systems)
    answer = _gold(_text(values, columns.answer, problems), columns, problems)
    level = _level(values, columns.level, problems)
    if problems:
        return ["; ".join(problems)], None
    return [], Item(where, question, answer, level, values)


def _question(
    values: Mapping[str, Any], column: str, problems: list[str], systems: dict[str | None, None]
) -> str:
    value = value_at(values, column)
    if not is_chat(value):
        return _text(values, column, problems)
    try:
        question, system = read_chat(value, column)
    except ValueError as error:
        problems.append(f"'{column}' {error}")
        return ""
    systems[system] = None
    if not question:
        problems.append(f"'{column}' is empty")
    return question


def _text(values: Mapping[str, Any], column: str, problems: list[str]) -> str:
    value = value_at(values, column)
    text = ""
    if value is MISSING:
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
        inside = ", ".join(islice(names_in(value, f"{column}."), 4))
        hint = f"; name what is in it: {inside}" if inside else ""
        problems.append(f"'{column}' is a {type(value).__name__}, not a text or number{hint}")
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
    value = None if column is None else value_at(values, column)
    if value is None or value is MISSING or (isinstance(value, str) and not value.strip()):
        return None
    match = LEVEL.fullmatch(str(value).strip())
    if match is None or isinstance(value, bool):
        problems.append(f"'{column}' is {value!r}, not a whole number")
        return None
    return int(match[1])
