"""Frames as CSV files that a spreadsheet may open."""

from pathlib import Path

import polars as pl

from srtbench.store.spreadsheet import csv_cell


def write_csv(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame; text that a spreadsheet would execute gets an apostrophe before it."""
    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    frame.with_columns(
        pl.Series(
            name, [None if cell is None else csv_cell(cell) for cell in frame[name]], pl.String
        )
        for name in texts
    ).write_csv(path)
