"""Tables for other tools: tidy CSV or Parquet of every light view, and LaTeX for a paper."""

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl

from srtbench.analysis.tables import Cell, frame, view
from srtbench.stats import Interval, mean_interval

Format = Literal["csv", "parquet", "latex"]
TABLES = (
    "runs",
    "run_summary",
    "variant_summary",
    "step_metrics",
    "eval_curves",
    "prompt_outcomes",
)
_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
)


def export_tables(
    connection: duckdb.DuckDBPyConnection,
    folder: Path | str,
    formats: Iterable[Format] = ("csv", "parquet", "latex"),
) -> list[Path]:
    """Write each of ``TABLES`` (CSV, Parquet) and ``summary.tex`` into ``folder``.

    Returns the files. Completions and prompts are not exported: they are in the sweep's own
    Parquet files already.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    chosen = set(formats)
    written: list[Path] = []
    for name in TABLES:
        rows = view(connection, name) if chosen & {"csv", "parquet"} else pl.DataFrame()
        if "csv" in chosen:
            rows.write_csv(folder / f"{name}.csv")
            written.append(folder / f"{name}.csv")
        if "parquet" in chosen:
            rows.write_parquet(folder / f"{name}.parquet", compression="zstd")
            written.append(folder / f"{name}.parquet")
    if "latex" in chosen:
        (folder / "summary.tex").write_text(latex_summary(connection), encoding="utf-8")
        written.append(folder / "summary.tex")
    return written


def latex_summary(connection: duckdb.DuckDBPyConnection, level: float = 0.95) -> str:
    """A booktabs table: one row per cell, avg and maj at the start and at the end with intervals.

    Numbers are per cent; an interval is over seeds and prompts as far as there are two or more,
    and the note below the table says so.
    """
    summary = view(connection, "variant_summary")
    intervals = dict(_last_intervals(frame(connection, "held_out_scores"), level))
    varying = [name for name in ("sweep", "model", "dataset") if summary[name].n_unique() > 1]
    k = max((int(value) for value in summary["k"].drop_nulls()), default=0)
    columns = "l" * (1 + len(varying)) + "r" * 4 + "l"
    head = [name.capitalize() for name in ("variant", *varying)]
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{columns}}}",
        "\\toprule",
        f"{' & '.join(head)} & \\multicolumn{{2}}{{c}}{{avg@{k}}} & "
        f"\\multicolumn{{2}}{{c}}{{maj@{k}}} & Collapse \\\\",
        f"{'& ' * len(head)}start & last & start & last & step \\\\",
        "\\midrule",
    ]
    over: set[str] = set()
    for row in summary.iter_rows(named=True):
        cell = (row["sweep"], row["model"], row["dataset"], row["variant"])
        found = intervals.get(cell)
        names = [str(row[name]).translate(_LATEX) for name in ("variant", *varying)]
        if found is None:
            state = "failed" if row["failed"] == row["runs"] else "not finished"
            lines.append(f"{' & '.join(names)} & \\multicolumn{{5}}{{c}}{{{state}}} \\\\")
            continue
        over.update(
            f"{number} {name}"
            for number, name in zip(found[0].num_units, found[0].resampled, strict=True)
        )
        collapse = "--" if row["collapse_step"] is None else str(row["collapse_step"])
        numbers = [_number(row["start_avg"]), _with_interval(found[0])]
        numbers += [_number(row["start_maj"]), _with_interval(found[1])]
        lines.append(f"{' & '.join([*names, *numbers, collapse])} \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines.append(f"% Per cent; {level:.0%} intervals over {', '.join(sorted(over)) or 'nothing'}.")
    return "\n".join(lines) + "\n"


def _last_intervals(
    scores: pl.DataFrame, level: float
) -> Iterator[tuple[Cell, tuple[Interval, Interval]]]:
    """Intervals of avg and maj in the last evaluation that all seeds of a cell have."""
    for part in scores.partition_by("sweep", "model", "dataset", "variant"):
        cell = (part["sweep"][0], part["model"][0], part["dataset"][0], part["variant"][0])
        steps: list[int] = part.group_by("seed").agg(pl.col("step").max())["step"].to_list()
        last = min((step for step in steps if step > 0), default=0)
        rows = part.filter(pl.col("step") == last)
        if last == 0 or rows["prompt_id"].n_unique() < 2:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no variance at all
            yield (
                cell,
                (
                    mean_interval(_matrix(rows, "avg_gold"), level=level),
                    mean_interval(_matrix(rows, "majority_correct"), level=level),
                ),
            )


def _matrix(rows: pl.DataFrame, column: str) -> Any:
    """(seeds, prompts)."""
    table = rows.pivot("seed", index="prompt_id", values=column).drop_nulls().sort("prompt_id")
    return table.drop("prompt_id").to_numpy().T


def _number(share: float | None) -> str:
    return "--" if share is None else f"{100 * share:.1f}"


def _with_interval(found: Interval) -> str:
    if found.standard_error == 0:  # every prompt scored the same: nothing to build one from
        return _number(found.estimate)
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    return f"{100 * found.estimate:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
