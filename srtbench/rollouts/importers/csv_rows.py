"""CSV as records: any of four separators, quotes over lines; a damaged row takes no other along."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

_SEPARATORS = ",;\t|"
MAX_FIELD = 2**26
"""Characters of the longest cell that is read."""

Skip = Callable[[str, str], None]
"""Called with where a damaged record stands, and why it is none."""


class _Lines:
    """Lines, of which those since the last record can be taken back."""

    def __init__(self, source: io.TextIOBase):
        self.source = source
        self.number = 0
        self.held: list[str] = []
        self._again: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self.source)
        self.number += 1
        self.held.append(line)
        return line

    def back(self) -> None:
        """Read again all but the first line of the record."""
        self._again.extendleft(reversed(self.held[1:]))
        self.number -= len(self.held) - 1


def csv_records(binary: BinaryIO, name: str, skip: Skip) -> Iterator[dict[str, Any]]:
    """Each whole row under the names of the first; one that is none is named and skipped.

    A row with a quote that never closes is left out alone: the lines after it are rows again.
    """
    csv.field_size_limit(MAX_FIELD)
    with io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="") as text:
        lines = _Lines(text)
        fields, options = _header(lines)
        reader = csv.reader(lines, strict=True, **options)
        number = 0
        while True:
            lines.held = []
            number += 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                lines.back()
                skip(f"{name} record {number} (line {lines.number})", str(error))
                reader = csv.reader(lines, strict=True, **options)
                continue
            if not row:
                number -= 1
            elif len(row) != len(fields):
                skip(f"{name} record {number}", f"has {len(row)} fields, not {len(fields)}")
            elif not all(one.isascii() or _readable(one) for one in row):
                skip(f"{name} record {number}", "is not UTF-8")
            else:
                yield dict(zip(fields, row, strict=True))


def _header(lines: _Lines) -> tuple[list[str], dict[str, Any]]:
    """Names of the columns, and how the rows are separated: as gives the most names."""
    first = next(lines, "")
    found: list[str] = []
    options: dict[str, Any] = {}
    for separator in _SEPARATORS:
        held = iter([first])
        try:
            names = next(csv.reader(held, delimiter=separator), [])
        except csv.Error:
            continue
        if len(names) > len(found):
            spaced = len(names) > 1 and all(one.startswith(" ") for one in names[1:])
            found, options = names, {"delimiter": separator, "skipinitialspace": spaced}
    return [one.strip() for one in found], options


def _readable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
