"""Writes docs/columns.md from the comments in the SQL files."""

from collections.abc import Iterator

from srtbench.analysis.frames import FRAMES
from srtbench.analysis.warehouse.views import TABLES, VIEWS, Relation, relation

_INTRODUCTION = """\
# Views and columns

`srtbench.open_sweep("runs/smoke")` returns a DuckDB connection with the views below. Every view
starts from the plan, so runs that failed or never began are in it. Shares are in 0..1, steps are
optimiser steps. `DESCRIBE` and `duckdb_columns()` show the same descriptions inside DuckDB.

This page is written by `python -m srtbench.analysis.columns`; a test holds it against
the SQL.
"""

_FRAMES = """\
# Frames

`srtbench.analysis.frames.frame(connection, name)` returns these as Polars frames. Figures are
drawn from them, and `tables/*.csv` of a report hold the rows that a figure shows.
"""


def columns_markdown() -> str:
    """The whole page."""
    parts = [_INTRODUCTION]
    parts += [_section(relation(name)) for name in VIEWS]
    parts += [*map(_section, TABLES), _FRAMES]
    parts += [_section(relation(name, "sql/frames")) for name in FRAMES]
    return "\n".join(parts)


def _section(view: Relation) -> str:
    return "\n".join(_lines(view))


def _lines(view: Relation) -> Iterator[str]:
    yield f"## {view.name}\n"
    yield f"{view.description}\n"
    yield "| column | meaning |"
    yield "|---|---|"
    for column, meaning in view.columns.items():
        yield f"| `{column}` | {meaning.replace('|', chr(92) + '|')} |"
    yield ""


if __name__ == "__main__":
    print(columns_markdown(), end="")
