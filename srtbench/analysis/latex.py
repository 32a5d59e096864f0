"""LaTeX tables for a paper (booktabs)."""

from collections.abc import Collection, Iterator

import duckdb
import polars as pl

from srtbench.analysis.effects import SHARE, over, table_of
from srtbench.analysis.estimates import differences, set_table
from srtbench.analysis.frames import (
    CELL,
    Cell,
    by_cell,
    cell_caveats,
    cell_of,
    frame,
    varying,
    view,
)
from srtbench.analysis.splits import cell_splits
from srtbench.stats import Interval, mean_interval

_PERCENT = "\\%"
_LATEX = str.maketrans(
    {mark: f"\\{mark}" for mark in "&%$#_{}"}
    | {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
)
_END = ["\\bottomrule", "\\end{tabular}"]


def _begin(columns: str, *head: str) -> list[str]:
    """The first lines of a booktabs table: kinds of its columns, then rows of its head."""
    rows = [f"{row} \\\\" for row in head]
    start = ["% needs \\usepackage{booktabs}", f"\\begin{{tabular}}{{{columns}}}", "\\toprule"]
    return [*start, *rows, "\\midrule"]


def latex_differences(
    connection: duckdb.DuckDBPyConnection, level: float = 0.95, eval_set: str | None = None
) -> str:
    """A booktabs table: one row per pair of variants, the difference of their avg@k in points."""
    found = differences(connection, level, eval_set)
    head = [name.capitalize() for name in (*varying(found), "first", "second")]
    lines = _begin(f"{'l' * len(head)}rr", f"{' & '.join(head)} & Difference & $p$")
    for row in found.iter_rows(named=True):
        names = [str(row[name.lower()]).translate(_LATEX) for name in head]
        low, high = (f"{100 * row[name]:+.1f}" for name in ("low", "high"))
        number = f"${100 * row['value']:+.1f}$ [${low}$, ${high}$]"
        p = "$<$0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"
        lines.append(f"{' & '.join([*names, number, p])} \\\\")
    unit = "; ".join(found["over"].unique(maintain_order=True)) or "nothing"
    lines += _END
    lines.append(
        f"% First minus second, avg@k at the last evaluation of both, points; {level:.0%} intervals"
        f" over {unit}; p-values corrected for all pairs of a setting (Holm)."
    )
    return "\n".join(lines) + "\n"


def latex_summary(connection: duckdb.DuckDBPyConnection, level: float = 0.95) -> str:
    """A booktabs table: one row per cell, avg and maj at the start and at the end with intervals.

    Numbers are per cent; an interval is over seeds and prompts as far as there are two or more,
    and the note below the table says so.
    """
    summary = view(connection, "variant_summary")
    splits = cell_splits(connection, level)
    mixed = {cell: split for cell, split in splits.items() if split.splits}
    scores = frame(connection, "held_out_scores").join(
        _collapsed_runs(connection, mixed), on=["sweep", "run_id"], how="anti"
    )
    intervals = dict(_last_intervals(scores, level))
    named = varying(summary)
    k = max((int(value) for value in summary["k"].drop_nulls()), default=0)
    head = [name.capitalize() for name in ("variant", *named)]
    lines = _begin(
        "l" * len(head) + "r" * 4 + "l",
        f"{' & '.join(head)} & \\multicolumn{{2}}{{c}}{{avg@{k}}} & "
        f"\\multicolumn{{2}}{{c}}{{maj@{k}}} & Collapse",
        f"{'& ' * len(head)}start & last & start & last & step",
    )
    intervals_over: set[str] = set()
    for row in summary.iter_rows(named=True):
        cell = cell_of(row)
        found = intervals.get(cell)
        names = [str(row[name]).translate(_LATEX) for name in ("variant", *named)]
        if found is None:
            state = "failed" if row["failed"] == row["runs"] else "not finished"
            lines.append(f"{' & '.join(names)} & \\multicolumn{{5}}{{c}}{{{state}}} \\\\")
            continue
        intervals_over.add(over(found[0]))
        collapse = "--" if row["collapse_step"] is None else str(row["collapse_step"])
        if cell in splits and splits[cell].found.seeds > 1:
            collapse += f", {splits[cell].count.replace('%', _PERCENT)}"
        start = (mixed[cell].survivors if cell in mixed else None) or row
        numbers = [_number(start["start_avg"]), _with_interval(found[0])]
        numbers += [_number(start["start_maj"]), _with_interval(found[1])]
        lines.append(f"{' & '.join([*names, *numbers, collapse])} \\\\")
    lines += _END
    lines.append(
        f"% Per cent; {level:.0%} intervals over {'; '.join(sorted(intervals_over)) or 'nothing'}."
    )
    lines.append(
        f"% Collapse: first step, and seeds that collapsed with the exact {level:.0%} interval."
    )
    for cell, split in mixed.items():
        alive = split.found.seeds - split.found.collapsed
        lines.append(f"% {' / '.join(cell[1:])}: numbers of the {alive} that did not collapse.")
    for cell, text in cell_caveats(connection).items():
        lines.append(f"% {' / '.join(cell[1:])}: {text}")
    return "\n".join(lines) + "\n"


def _collapsed_runs(connection: duckdb.DuckDBPyConnection, cells: Collection[Cell]) -> pl.DataFrame:
    """Runs that collapsed, of these cells: their ids."""
    rows = view(connection, "run_summary").filter(pl.col("collapse_step").is_not_null())
    wanted = pl.DataFrame(list(cells), schema=dict.fromkeys(CELL, pl.String), orient="row")
    return rows.join(wanted, on=CELL, how="semi").select("sweep", "run_id")


def _last_intervals(
    scores: pl.DataFrame, level: float
) -> Iterator[tuple[Cell, tuple[Interval, Interval]]]:
    """Intervals of avg and maj in the last evaluation that all seeds of a cell have."""
    for cell, part in by_cell(scores).items():
        steps: list[int] = part.group_by("seed").agg(pl.col("step").max())["step"].to_list()
        last = min((step for step in steps if step > 0), default=0)
        rows = part.filter(pl.col("step") == last)
        if last == 0 or rows["prompt_id"].n_unique() < 2:
            continue
        avg, maj = (
            mean_interval(table_of(rows, column), level=level, bounds=SHARE)
            for column in ("avg_gold", "majority_correct")
        )
        yield cell, (avg, maj)


def _number(share: float | None) -> str:
    return "--" if share is None else f"{100 * share:.1f}"


def _with_interval(found: Interval) -> str:
    if found.low == found.high:  # every prompt scored the same: nothing to build one from
        return _number(found.estimate)
    return f"{100 * found.estimate:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def latex_sets(connection: duckdb.DuckDBPyConnection) -> str | None:
    """A booktabs table: one row per cell and evaluation set; None if there is no further set.

    Numbers are per cent and, of the difference, points with a 95% interval over the same prompts
    (and seeds).
    """
    rows = set_table(connection)
    if rows["eval_set"].n_unique() < 2:
        return None
    names = ["variant", *varying(rows), "eval_set"]
    head = [name.removeprefix("eval_").capitalize() for name in names]
    lines = _begin(
        f"{'l' * len(head)}rrrrr",
        f"{' & '.join(head)} & Prompts & $k$ & avg start & avg last & Difference",
    )
    for row in rows.iter_rows(named=True):
        cells = [str(row[name]).translate(_LATEX) for name in names]
        cells += ["--" if row[name] is None else str(row[name]) for name in ("prompts", "k")]
        cells += [_number(row["start_avg"]), _number(row["last_avg"])]
        change = "--"
        if row["change"] is not None:
            point, low, high = (f"${100 * row[n]:+.1f}$" for n in ("change", "low", "high"))
            change = f"{point} [{low}, {high}]"
        lines.append(f"{' & '.join([*cells, change])} \\\\")
    lines += _END
    lines.append(
        "% Per cent, means over the seeds that were evaluated after their start; last minus start "
        "in points, 95% intervals over the same prompts and seeds. own: the runs' own held-out "
        "prompts."
    )
    return "\n".join(lines) + "\n"
