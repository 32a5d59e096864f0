"""The one renderer of text tables: live and coloured on a terminal, plain lines everywhere else.

Cells are text and nothing else. Rich would read `[dim]` in an error message as markup, and pass an
escape sequence on to the terminal; neither happens here.
"""

import io
from collections.abc import Mapping, Sequence

from rich.box import Box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from srtbench.cli.say import one_line

_PLAIN = Box(
    "    \n"
    "    \n"
    " -- \n"
    "    \n"
    "    \n"
    "    \n"
    "    \n"
    "    \n",
    ascii=True,
)  # fmt: skip
"""A line under the header, and none besides."""

_WIDE = 10_000
"""Columns of plain output: a table is never cut, and an id stays on one line."""

_NAME = 24
"""Letters of a row's name that stay on one line of a narrow terminal."""


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    styles: Mapping[str, str] | None = None,
    framed: bool = False,
) -> Table:
    """A table; cells that begin with a digit stand to the right.

    Args:
        styles: style of a cell by its whole text, e.g. ``{"failed": "bold red"}``.
        framed: with lines around, for a terminal.
    """
    made = Table(
        title=None if title is None else _cell(title),
        title_justify="left",
        header_style="bold",
        show_edge=framed,
        pad_edge=framed,
        padding=(0, 1) if framed else (0, 1, 0, 0),
    )
    if not framed:
        made.box = _PLAIN
    for column, name in enumerate(header):
        cells = [row[column] for row in rows if row[column]]
        right = bool(cells) and all(map(_numeric, cells))
        justify: JustifyMethod = "right" if right else "left"
        longest = max((len(row[column]) for row in rows), default=0)
        name_of_row = framed and column == 0
        made.add_column(
            Text(one_line(name).replace(" ", "\n", 1)) if framed else _cell(name),
            justify=justify,
            no_wrap=not framed,
            overflow="fold",
            min_width=min(longest, _NAME) if name_of_row else None,
        )
    for row in rows:
        made.add_row(*(_cell(cell, (styles or {}).get(cell, "")) for cell in row))
    return made


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The table as plain lines, as wide as it is."""
    sink = io.StringIO()
    console = Console(file=sink, width=_WIDE, color_system=None, force_terminal=False)
    console.print(table(header, rows))
    return "\n".join(line.rstrip() for line in sink.getvalue().splitlines())


def _cell(content: str, style: str = "") -> Text:
    return Text(one_line(content), style, justify="right" if _numeric(content) else None)


def _numeric(cell: str) -> bool:
    return cell.removeprefix("~")[:1].isdigit()
