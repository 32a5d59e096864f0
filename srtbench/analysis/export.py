"""Tables for other tools: tidy CSV or Parquet of every light view, and LaTeX for a paper."""

import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, cast, get_args

import duckdb
import polars as pl

from srtbench.analysis.diagnosis import diagnosis_table, stopping_table
from srtbench.analysis.estimates import majority_by_k
from srtbench.analysis.frames import Cell, cell_caveats, frame, view
from srtbench.analysis.latex_sets import latex_eval_sets
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.stats import Interval, holm, mean_interval, paired_difference

Format = Literal["csv", "parquet", "latex"]
VIEWS = (
    "runs",
    "run_summary",
    "variant_summary",
    "step_metrics",
    "eval_curves",
    "run_signals",
    "prompt_outcomes",
    "eval_set_curves",
)
Table = Callable[[duckdb.DuckDBPyConnection], pl.DataFrame]
_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
)


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
            rows.write_csv(folder / f"{name}.csv")
            written.append(folder / f"{name}.csv")
        if "parquet" in chosen:
            rows.write_parquet(folder / f"{name}.parquet", compression="zstd")
            written.append(folder / f"{name}.parquet")
    if "latex" in chosen:
        for name, text in (
            ("summary", latex_summary(connection)),
            ("differences", latex_differences(connection)),
            ("eval_sets", latex_eval_sets(connection, _LATEX)),
        ):
            if text is None:
                continue
            (folder / f"{name}.tex").write_text(text, encoding="utf-8")
            written.append(folder / f"{name}.tex")
    return written


def _view_of(name: str) -> Table:
    return lambda connection: view(connection, name)


def differences(connection: duckdb.DuckDBPyConnection, level: float = 0.95) -> pl.DataFrame:
    """Every pair of variants of a setting, at the last evaluation that both have.

    One row per pair: ``value`` is the avg@k of ``first`` minus that of ``second`` on the same
    prompts and seeds, with its interval, what that is over, its p-value, and ``p_holm``: the
    p-value corrected for all pairs of the setting.
    """
    rows: list[dict[str, Any]] = []
    scores = frame(connection, "held_out_scores").filter(pl.col("step") > 0)
    for setting in scores.partition_by("sweep", "model", "dataset", maintain_order=True):
        labels = setting.select("sweep", "model", "dataset").row(0, named=True)
        names = setting["variant"].unique(maintain_order=True).to_list()
        pairs = itertools.combinations(names, 2)
        found = [row for pair in pairs if (row := _difference(setting, *pair, level)) is not None]
        adjusted = holm([row["p_value"] for row in found]) if found else ()
        rows += [
            labels | row | {"p_holm": float(p)} for row, p in zip(found, adjusted, strict=True)
        ]
    schema = dict.fromkeys(("sweep", "model", "dataset", "first", "second"), pl.String)
    numbers = dict.fromkeys(("value", "low", "high", "p_value", "p_holm"), pl.Float64)
    return pl.DataFrame(rows, schema=schema | {"step": pl.Int64} | numbers | {"over": pl.String})


COMPUTED: dict[str, Table] = {
    "diagnosis": diagnosis_table,
    "stopping": stopping_table,
    "majority_by_k": majority_by_k,
    "differences": differences,
}
"""Tables that need an estimator on top of the views."""


def _difference(
    setting: pl.DataFrame, first: str, second: str, level: float
) -> dict[str, Any] | None:
    sides = [setting.filter(pl.col("variant") == name) for name in (first, second)]
    both = sides[0].join(sides[1], on=["seed", "step", "prompt_id"], suffix="_second")
    rows = both.filter(pl.col("step") == pl.col("step").max())
    if rows["prompt_id"].n_unique() < 2:
        return None
    one, other = _matrix(rows, "avg_gold"), _matrix(rows, "avg_gold_second")
    if one.shape[1] < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no variance at all
        found = paired_difference(one, other, level=level)
    return {
        "first": first,
        "second": second,
        "step": rows["step"][0],
        "value": found.estimate,
        "low": found.low,
        "high": found.high,
        "p_value": found.p_value,
        "over": _over(found),
    }


def latex_differences(connection: duckdb.DuckDBPyConnection, level: float = 0.95) -> str:
    """A booktabs table: one row per pair of variants, the difference of their avg@k in points."""
    found = differences(connection, level)
    varying = [name for name in ("sweep", "model", "dataset") if found[name].n_unique() > 1]
    head = [name.capitalize() for name in (*varying, "first", "second")]
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * len(head)}rr}}",
        "\\toprule",
        f"{' & '.join(head)} & Difference & $p$ \\\\",
        "\\midrule",
    ]
    for row in found.iter_rows(named=True):
        names = [str(row[name.lower()]).translate(_LATEX) for name in head]
        low, high = (f"{100 * row[name]:+.1f}" for name in ("low", "high"))
        number = f"${100 * row['value']:+.1f}$ [${low}$, ${high}$]"
        p = "$<$0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"
        lines.append(f"{' & '.join([*names, number, p])} \\\\")
    over = "; ".join(found["over"].unique(maintain_order=True)) or "nothing"
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines.append(
        f"% First minus second, avg@k at the last evaluation of both, points; {level:.0%} intervals"
        f" over {over}; p-values corrected for all pairs of a setting (Holm)."
    )
    return "\n".join(lines) + "\n"


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
        over.add(_over(found[0]))
        collapse = "--" if row["collapse_step"] is None else str(row["collapse_step"])
        numbers = [_number(row["start_avg"]), _with_interval(found[0])]
        numbers += [_number(row["start_maj"]), _with_interval(found[1])]
        lines.append(f"{' & '.join([*names, *numbers, collapse])} \\\\")
    lines += ["\\bottomrule", "\\end{tabular}"]
    lines.append(f"% Per cent; {level:.0%} intervals over {'; '.join(sorted(over)) or 'nothing'}.")
    for cell, text in cell_caveats(connection).items():
        lines.append(f"% {' / '.join(cell[1:])}: {text}")
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


def _over(found: Interval) -> str:
    units = zip(found.num_units, found.resampled, strict=True)
    return " and ".join(f"{number} {name}" for number, name in units)


def _number(share: float | None) -> str:
    return "--" if share is None else f"{100 * share:.1f}"


def _with_interval(found: Interval) -> str:
    if found.standard_error == 0:  # every prompt scored the same: nothing to build one from
        return _number(found.estimate)
    low, high = max(found.low, 0.0), min(found.high, 1.0)
    return f"{100 * found.estimate:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
