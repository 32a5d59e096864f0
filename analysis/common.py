"""What the study's scripts share: arguments, clear errors, and the three files of a figure."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb

import srtbench
from srtbench.analysis.figures import save
from srtbench.analysis.figures.panels import Sheet


class MissingError(Exception):
    """The sweep does not have what the figure needs; the message says what."""


def main(
    draw: Callable[[duckdb.DuckDBPyConnection], Sheet],
    module: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Draw one figure of the sweeps named on the command line; returns the exit code."""
    name = f"analysis.{Path(module).stem}"
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=description.splitlines()[0],
        epilog=f"example: python -m {name} runs/smoke --out figures",
    )
    parser.add_argument("sweep", type=Path, nargs="+", help="folder that `srtbench sweep` wrote")
    parser.add_argument("--out", type=Path, default=Path("figures"), help="default: figures")
    options = parser.parse_args(arguments)
    try:
        sheet = draw(srtbench.open_sweep(*options.sweep, snapshot=True))
    except (FileNotFoundError, MissingError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    for path in write(sheet, options.out):
        print(path)
    return 0


def write(sheet: Sheet, folder: Path) -> list[Path]:
    """The figure as PNG and SVG, and the rows that it shows as CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    png, svg, csv = (folder / f"{sheet.name}.{kind}" for kind in ("png", "svg", "csv"))
    png.write_bytes(save(sheet.figure, "png"))
    svg.write_bytes(save(sheet.figure, "svg"))
    sheet.data.write_csv(csv)
    return [png, svg, csv]
