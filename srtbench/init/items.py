"""Rows as questions with answers: in place where the file can be used as it is, else as a copy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srtbench.config.datasets import FILE_SUFFIXES, AnswerStyle
from srtbench.datasets.columns import MISSING, Columns, value_at
from srtbench.datasets.formats import Row
from srtbench.datasets.problems import DatasetError, Item
from srtbench.datasets.rows import items_of
from srtbench.datasets.splits import excerpt
from srtbench.init.answers import gold_style
from srtbench.init.find import Found
from srtbench.init.look import Table


@dataclass(frozen=True)
class Usable:
    """The rows that have a question and an answer.

    Attributes:
        left_out: a line on each row that has not.
        copied: why a copy of the rows is needed; empty: the file can be used as it is.
        gold_style: where the answer column holds the answer.
    """

    items: tuple[Item, ...]
    left_out: tuple[str, ...]
    copied: str
    gold_style: AnswerStyle | None

    def write_copy(self, path: Path) -> None:
        """The questions and answers as JSONL."""
        with path.open("x", encoding="utf-8") as file:
            for item in self.items:
                row: dict[str, Any] = {"question": item.question, "answer": item.answer}
                if item.level is not None:
                    row["level"] = item.level
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def usable_items(table: Table, found: Found) -> Usable:
    """The rows that can be asked, in their order.

    Raises:
        DatasetError: none can.
    """
    cells = [value_at(values, found.answer) for _, values in table.rows]
    style = gold_style([cell for cell in cells if isinstance(cell, str)])
    columns = Columns(found.question, found.answer, found.level, style, found.system_prompt)
    source = table.path.name
    items, left_out = [], [*table.broken]
    for where, values in table.rows:
        missing = [name for name in (columns.wanted) if value_at(values, name) is MISSING]
        if missing:
            left_out.append(f"{where}: no '{missing[0]}'")
            continue
        try:
            (item,) = items_of(source, [Row(where, dict(values))], columns)
        except DatasetError as error:
            left_out.append(str(error).splitlines()[0].removeprefix(f"{source}: "))
            continue
        items.append(_with_options(item, values, found))
    if not items:
        raise DatasetError(
            f"{table.path}: no row has both a question ('{found.question}') and an answer "
            f"('{found.answer}'), e.g. {left_out[0]}"
        )
    copied = ""
    if found.options is not None:
        copied = "each question with its options behind it"
    elif left_out:
        copied = "the rows that have a question and an answer"
    elif not table.path.name.endswith(FILE_SUFFIXES):
        copied = f"the name of the file does not end in {', '.join(FILE_SUFFIXES)}"
    return Usable(tuple(items), tuple(left_out), copied, style)


def _with_options(item: Item, values: Mapping[str, Any], found: Found) -> Item:
    if found.options is None:
        return item
    lines = [f"{label}) {text}" for label, text in found.options.of(values)]
    question = "\n".join([item.question, *lines])
    return Item(item.where, question, item.answer, item.level, item.metadata)


def some(lines: Sequence[str]) -> str:
    """The first two lines as one."""
    shown = "; ".join(excerpt(line, 90)[1:-1] for line in lines[:2])
    return f"{shown}{'; ...' if len(lines) > 2 else ''}"
