"""The rows of a file as they are: which can be read, and what their columns hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from srtbench.datasets.chat import is_chat
from srtbench.datasets.columns import MISSING, names_in, value_at
from srtbench.datasets.problems import DatasetError
from srtbench.datasets.rows import table_rows

PLAIN = (str, int, float, Decimal)
"""Types of what can be asked, and of answers."""

LOOKED_AT = 500
"""Rows whose columns are looked at, spread over the file."""


@dataclass(frozen=True)
class Table:
    """A file of rows.

    Attributes:
        rows: place and values of those that can be read.
        broken: a line on each that cannot.
    """

    path: Path
    rows: tuple[tuple[str, Mapping[str, Any]], ...]
    broken: tuple[str, ...]

    def sample(self) -> list[Mapping[str, Any]]:
        """Rows from all over the file, since files are often sorted."""
        step = max(1, len(self.rows) // LOOKED_AT)
        return [values for _, values in self.rows[::step]]


@dataclass(frozen=True)
class Column:
    """What a column, or a place within one, holds in a sample of rows.

    Attributes:
        values: those that are there and not null or blank.
        share: the part of the rows that has one.
    """

    name: str
    values: Sequence[Any]
    share: float

    @property
    def is_chat(self) -> bool:
        """Chat messages in every row that has a value."""
        return all(is_chat(value) for value in self.values)

    @property
    def is_text(self) -> bool:
        """Text or numbers in every row that has a value."""
        return all(isinstance(value, PLAIN) for value in self.values)

    @property
    def texts(self) -> list[str]:
        """The values as text."""
        return [str(value).strip() for value in self.values]

    @property
    def different(self) -> int:
        """How many different values."""
        return len(set(self.texts))


def read_table(path: Path) -> Table:
    """All rows of a JSONL, CSV or Parquet file.

    Raises:
        DatasetError: it is no such file, or not one of its rows can be read.
    """
    rows, broken = [], []
    try:
        for row in table_rows(path):
            if isinstance(row.values, str):
                broken.append(f"{row.where}: {row.values}")
            else:
                rows.append((row.where, row.values))
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not rows:
        reason = f"no row can be read, e.g. {broken[0]}" if broken else "no rows"
        raise DatasetError(f"{path}: {reason}")
    return Table(path, tuple(rows), tuple(broken))


def columns_in(rows: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """Every column of the rows, and every place in one, that holds anything; in their order."""
    names: dict[str, None] = {}
    for values in rows:
        names.update(dict.fromkeys(names_in(values)))
    found = {}
    for name in names:
        given = [value_at(values, name) for values in rows]
        there = [value for value in given if not _is_blank(value)]
        if there:
            found[name] = Column(name, there, len(there) / len(rows))
    return found


def _is_blank(value: Any) -> bool:
    return value is MISSING or value is None or (isinstance(value, str) and not value.strip())
