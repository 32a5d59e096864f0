"""The LaTeX table of further evaluation sets."""

from collections.abc import Sequence

import duckdb

from srtbench.analysis.eval_sets import SetRow, eval_set_rows

_HEAD = ("Variant", "Set", "Prompts", "$k$", "avg start", "avg last", "Difference")


def latex_eval_sets(connection: duckdb.DuckDBPyConnection, escape: dict[int, str]) -> str | None:
    """A booktabs table: one row per cell and set; None if the sweep has no sets.

    Numbers are per cent and, of the difference, points with a 95% interval over the same prompts
    (and seeds).

    Args:
        escape: what replaces the characters that LaTeX gives a meaning, for ``str.translate``.
    """
    rows = eval_set_rows(connection)
    if not rows:
        return None
    with_setting = any(row.setting for row in rows)
    head = [*_HEAD[:1], *(["Setting"] if with_setting else []), *_HEAD[1:]]
    lines = [
        "% needs \\usepackage{booktabs}",
        f"\\begin{{tabular}}{{{'l' * (len(head) - 5)}rrrrr}}",
        "\\toprule",
        f"{' & '.join(head)} \\\\",
        "\\midrule",
        *(_line([_name(part, escape) for part in _names(row, with_setting)], row) for row in rows),
        "\\bottomrule",
        "\\end{tabular}",
        "% Per cent, means over the seeds that were evaluated after their start; last minus start "
        "in points, 95% intervals over the same prompts and seeds.",
    ]
    return "\n".join(lines) + "\n"


def _names(row: SetRow, with_setting: bool) -> list[str]:
    return [row.variant, *([row.setting] if with_setting else []), row.eval_set]


def _name(text: str, escape: dict[int, str]) -> str:
    return text.translate(escape).replace("\u00b7", "$\\cdot$")


def _line(names: Sequence[str], row: SetRow) -> str:
    counts = ["--" if count is None else str(count) for count in (row.prompts, row.k)]
    shares = [
        "--" if share is None else f"{100 * share:.1f}" for share in (row.start_avg, row.last_avg)
    ]
    change = "--"
    if row.change is not None:
        numbers = (row.change.estimate, row.change.low, row.change.high)
        point, low, high = (f"${100 * number:+.1f}$" for number in numbers)
        change = f"{point} [{low}, {high}]"
    return f"{' & '.join([*names, *counts, *shares, change])} \\\\"
