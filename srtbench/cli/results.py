"""Commands that turn a sweep folder into pages and files: `report`, `export`."""

from pathlib import Path

import click

from srtbench.cli.common import SWEEP_FOLDER, checked, writing
from srtbench.cli.say import say


@click.command(
    epilog="""\b
Examples:
  srtbench report runs/smoke
  srtbench report runs/smoke --out /tmp/report
"""
)
@SWEEP_FOLDER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the report [default: RUNS/SWEEP/report].",
)
def report(sweep_folder: Path, out: Path | None) -> None:
    """Draw the figures and tables of a sweep, and one HTML page that holds them all."""
    from srtbench.store import read_plan

    checked(lambda: read_plan(sweep_folder))
    from srtbench.analysis.report import write_report

    with writing(out or sweep_folder / "report"):
        folder = write_report(sweep_folder, out)
    say(f"figures: {folder / 'figures'}")
    say(f"tables:  {folder / 'tables'}")
    say(f"report:  {folder / 'report.html'}")


@click.command(
    epilog="""\b
Examples:
  srtbench export runs/smoke
  srtbench export runs/smoke --out tables --format csv --format latex
"""
)
@SWEEP_FOLDER
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder to write [default: RUNS/SWEEP/export].",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(["csv", "parquet", "latex"]),
    multiple=True,
    help="What to write; may be given several times [default: all].",
)
def export(sweep_folder: Path, out: Path | None, formats: tuple[str, ...]) -> None:
    """Write a sweep's tables as tidy CSV and Parquet files, and LaTeX tables with intervals.

    Every planned run is in them, finished or not. Completions stay where they are.
    """
    from srtbench.store import read_plan

    checked(lambda: read_plan(sweep_folder))
    from srtbench.analysis.export import export_sweep

    with writing(out or sweep_folder / "export"):
        files = checked(lambda: export_sweep(sweep_folder, out, formats or None))
    for file in files:
        say(file)
