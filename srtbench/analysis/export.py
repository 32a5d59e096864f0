"""Tables for other tools: tidy CSV or Parquet of every light view, and LaTeX for a paper."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, cast, get_args

import duckdb
import polars as pl

from srtbench.analysis.csv_files import write_csv
from srtbench.analysis.diagnosis import alarm_table, diagnosis_table, stopping_table
from srtbench.analysis.estimates import differences, majority_by_k, set_table
from srtbench.analysis.frames import view
from srtbench.analysis.latex import latex_differences, latex_sets, latex_summary
from srtbench.analysis.warehouse.open import open_sweep

Format = Literal["csv", "parquet", "latex"]
VIEWS = (
    "runs",
    "run_summary",
    "variant_summary",
    "step_metrics",
    "eval_curves",
    "eval_summary",
    "run_signals",
    "prompt_outcomes",
)
Table = Callable[[duckdb.DuckDBPyConnection], pl.DataFrame]


def export_sweep(
    sweep_path: Path | str,
    out: Path | str | None = None,
    formats: Iterable[str] | None = None,
) -> list[Path]:
    """As :func:`export_tables`, of a sweep on disk; by default all formats, into its ``export``."""
    folder = Path(out) if out is not None else Path(sweep_path) / "export"
    chosen = cast("tuple[Format, ...]", tuple(formats or get_args(Format)))
    try:
        return _export(sweep_path, folder, chosen)
    except duckdb.IOException:  # a resumed run drops parts after its checkpoint: look again
        return _export(sweep_path, folder, chosen)


def _export(sweep_path: Path | str, folder: Path, formats: tuple[Format, ...]) -> list[Path]:
    connection = open_sweep(sweep_path, check="data", snapshot=True)
    try:
        return export_tables(connection, folder, formats)
    finally:
        connection.close()


def export_tables(
    connection: duckdb.DuckDBPyConnection,
    folder: Path | str,
    formats: Iterable[Format] = ("csv", "parquet", "latex"),
) -> list[Path]:
    """Write each of ``VIEWS`` and ``COMPUTED`` (CSV, Parquet), and the LaTeX tables.

    Returns the files. Completions and prompts are not exported: they are in the sweep's own
    Parquet files already.

    Raises:
        ValueError: an unknown format.
    """
    chosen = set(formats)
    if unknown := sorted(chosen - set(get_args(Format))):
        raise ValueError(f"unknown format {', '.join(unknown)}; known: csv, parquet, latex")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    tables = {name: _view_of(name) for name in VIEWS} | COMPUTED
    for name, table in tables.items() if chosen & {"csv", "parquet"} else ():
        rows = table(connection)
        if "csv" in chosen:
            write_csv(rows, folder / f"{name}.csv")
            written.append(folder / f"{name}.csv")
        if "parquet" in chosen:
            rows.write_parquet(folder / f"{name}.parquet", compression="zstd")
            written.append(folder / f"{name}.parquet")
    if "latex" in chosen:
        for name, text in (
            ("summary", latex_summary(connection)),
            ("differences", latex_differences(connection)),
            ("eval_sets", latex_sets(connection)),
        ):
            if text is None:
                continue
            (folder / f"{name}.tex").write_text(text, encoding="utf-8")
            written.append(folder / f"{name}.tex")
    return written


def _view_of(name: str) -> Table:
    return lambda connection: view(connection, name)


COMPUTED: dict[str, Table] = {
    "diagnosis": diagnosis_table,
    "stopping": stopping_table,
    "alarms": alarm_table,
    "majority_by_k": majority_by_k,
    "differences": differences,
    "set_summary": set_table,
}
"""Tables that need an estimator on top of the views."""
