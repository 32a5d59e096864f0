"""Writes the report folder of a sweep."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import duckdb
import polars as pl

from srtbench.analysis.between import between_sweeps, opened_sweeps
from srtbench.analysis.consistency import self_consistency, start_voting
from srtbench.analysis.csv_files import write_csv
from srtbench.analysis.diagnosis import alarm_table, diagnosis_table, stopping_table
from srtbench.analysis.estimates import majority_by_k, paired_curve, set_table
from srtbench.analysis.figures.more_sheets import (
    collapse_panel_sheet,
    heat_map_sheet,
    ladder_sheet,
    length_sheet,
    majority_by_k_sheet,
    portrait_sheet,
    teacher_sheet,
    vote_flow_sheet,
)
from srtbench.analysis.figures.panels import SETTING, Sheet, judged_on, of_set, under_way
from srtbench.analysis.figures.sheets import (
    accuracy_sheet,
    collapse_sheet,
    label_accuracy_sheet,
    modal_share_sheet,
)
from srtbench.analysis.figures.signals import signals_sheet, youden_sheet
from srtbench.analysis.figures.style import save
from srtbench.analysis.frames import eval_sets, frame, query, view
from srtbench.analysis.latex import latex_summary
from srtbench.analysis.report.content import page_content
from srtbench.analysis.report.facts import Fact, facts, onsets
from srtbench.analysis.report.render import render
from srtbench.analysis.splits import apart
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.config.eval_sets import OWN

PIXELS_PER_INCH = 134
"""Width of a figure on the page; the same for all, so that their texts have one size."""


@dataclass(frozen=True)
class Picture:
    """A drawn figure, ready to be shown."""

    name: str
    title: str
    caption: str
    svg_base64: str
    width_pixels: int


Paths = Path | str | Sequence[Path | str]
"""Folder of a sweep, or several that are reported together."""


Axis = Literal["step", "samples", "tokens", "updates"]
"""What the x axis of curves is."""
_COLUMNS = {"samples": "samples_drawn", "tokens": "tokens_drawn"}


def write_report(sweeps: Paths, out: Path | str | None = None, axis: Axis | None = None) -> Path:
    """Write figures, tables, report.html and report.md; returns the folder.

    Args:
        sweeps: folder of the sweep, or of several that are set beside each other. Nothing in them
            need have finished.
        out: folder of the report; None: see :func:`report_folder`.
        axis: x axis of curves that have several variants; None: samples drawn where both methods
            are there, online and rounds, else steps.

    Raises:
        FileNotFoundError: a path holds no sweep. ValueError: there is no such axis.
    """
    if axis is not None and axis not in get_args(Axis):
        raise ValueError(f"axis {axis!r}: there is {', '.join(get_args(Axis))}")
    paths = [Path(sweeps)] if isinstance(sweeps, Path | str) else [Path(one) for one in sweeps]
    folder = Path(out) if out is not None else report_folder(paths)
    try:
        _write(paths, folder, axis)
    except duckdb.IOException:  # a resumed run drops parts after its checkpoint: look again
        _write(paths, folder, axis)
    return folder


def report_folder(paths: Sequence[Path]) -> Path:
    """Where a report goes by default: into its sweep; that of several beside the first of them."""
    if len(paths) == 1:
        return paths[0] / "report"
    return paths[0].parent / "-".join(["report", *(path.name for path in paths)])


def _write(paths: Sequence[Path], folder: Path, axis: Axis | None) -> None:
    connection = open_sweep(*paths, check="data", snapshot=True)
    try:
        found = facts(connection)
        pictures = _write_figures(folder, _sheets(connection, found, axis))
        _write_tables(connection, folder / "tables")
        content = page_content(connection, paths, found, pictures)
        for name in ("report.html", "report.md"):
            (folder / name).write_text(render(f"{name}.j2", content), encoding="utf-8")
    finally:
        connection.close()


def _sheets(
    connection: duckdb.DuckDBPyConnection, found: list[Fact], axis: Axis | None
) -> Iterable[Sheet]:
    splits = {fact.cell: fact.split for fact in found if fact.split is not None}
    held_out = under_way(apart(connection, "eval_curve", splits))
    training = apart(connection, "train_curve", splits)
    onset = onsets(found)
    x = _x(connection, axis)
    summary = query(connection, _SUMMARY_WITH_LEVEL)
    drawn = (
        accuracy_sheet(held_out, x, start_voting(connection)),
        collapse_sheet(training, onset),
        label_accuracy_sheet(training, x),
        modal_share_sheet(held_out, x),
        signals_sheet(training, x),
        youden_sheet(training, x),
        *_of_votes(connection),
        portrait_sheet(frame(connection, "portrait")),
        collapse_panel_sheet(training, held_out, onset),
        _teacher(connection, summary),
        ladder_sheet(summary),
        heat_map_sheet(summary),
        length_sheet(held_out, x),
    )
    judged = set(query(connection, _JUDGED)["eval_set"])
    for sheet in drawn:
        if sheet is not None and sheet.data.height:
            yield judged_on(sheet, judged)
    shown = _shown_whole(connection)
    for name in eval_sets(connection):
        if name not in shown:
            yield from _sheets_of(connection, name, x)


_JUDGED = "SELECT DISTINCT eval_set FROM run_summary WHERE last_step IS NOT NULL"


def _shown_whole(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Sets on which every run that has them is judged: the first figures are of them."""
    rows = query(
        connection,
        """
        SELECT held.eval_set
        FROM eval_summary AS held JOIN run_summary AS judged USING (sweep, run_id)
        WHERE held.last_step IS NOT NULL
        GROUP BY held.eval_set HAVING bool_and(held.eval_set = judged.eval_set)
        """,
    )
    return {OWN, *rows["eval_set"]}


def _x(connection: duckdb.DuckDBPyConnection, axis: Axis | None) -> str:
    """Column of the x axis: of two methods, steps of the one are no rounds of the other."""
    if axis is None:
        methods = query(
            connection,
            "SELECT DISTINCT algorithm IN ('sft', 'dpo') AS rounds FROM runs "
            "WHERE algorithm IS NOT NULL",
        )
        axis = "samples" if methods.height > 1 else "step"
    return _COLUMNS.get(axis, axis)


def _sheets_of(connection: duckdb.DuckDBPyConnection, name: str, x: str) -> Iterable[Sheet]:
    """The figures of a further evaluation set, as those of the own held-out prompts."""
    curve = under_way(frame(connection, "eval_curve", eval_set=name))
    if curve.height:
        drawn = (
            accuracy_sheet(curve, x, start_voting(connection, name)),
            modal_share_sheet(curve, x),
            *_of_votes(connection, name),
            length_sheet(curve, x),
        )
        yield from (of_set(sheet, name) for sheet in drawn if sheet is not None)


def _of_votes(
    connection: duckdb.DuckDBPyConnection, name: str | None = None
) -> tuple[Sheet | None, Sheet | None]:
    votes = majority_by_k(connection, name)
    return (
        majority_by_k_sheet(votes.filter((pl.col("moment") == "last").any().over(SETTING))),
        vote_flow_sheet(frame(connection, "vote_flow", eval_set=name)),
    )


def _teacher(connection: duckdb.DuckDBPyConnection, summary: pl.DataFrame) -> Sheet | None:
    """The first self-reward variant against the first fixed teacher, if there are both."""
    names = {
        row["variant_type"]: row["variant"]
        for row in summary.sort("variant_order", descending=True).iter_rows(named=True)
    }
    if "srt" not in names or "fixed_teacher" not in names:
        return None
    return teacher_sheet(paired_curve(connection, names["srt"], names["fixed_teacher"]))


_SUMMARY_WITH_LEVEL = """
SELECT cell.*, run.level
FROM variant_summary AS cell
JOIN (
    SELECT sweep, model, dataset, any_value(level) AS level
    FROM runs GROUP BY sweep, model, dataset
) AS run USING (sweep, model, dataset)
ORDER BY sweep, model, dataset, variant_order
"""


def _write_figures(folder: Path, sheets: Iterable[Sheet]) -> list[Picture]:
    figures, tables = folder / "figures", folder / "tables"
    figures.mkdir(parents=True, exist_ok=True)
    for old in (*figures.glob("*.png"), *figures.glob("*.svg")):
        old.unlink()  # of an earlier report, which may have had other figures
    tables.mkdir(parents=True, exist_ok=True)
    pictures = []
    for sheet in sheets:
        (figures / f"{sheet.name}.png").write_bytes(save(sheet.figure, "png"))
        sheet.figure.set_layout_engine("none")  # keep the layout that the first drawing found
        svg = save(sheet.figure, "svg")
        (figures / f"{sheet.name}.svg").write_bytes(svg)
        write_csv(sheet.data, tables / f"{sheet.name}.csv")
        encoded = base64.b64encode(svg).decode("ascii")
        width = round(sheet.figure.get_figwidth() * PIXELS_PER_INCH)
        pictures.append(Picture(sheet.name, sheet.title, sheet.caption, encoded, width))
    return pictures


def _write_tables(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    for name in ("runs", "run_summary", "variant_summary", "eval_curves"):
        write_csv(view(connection, name), folder / f"{name}.csv")
    write_csv(set_table(connection), folder / "set_summary.csv")
    write_csv(self_consistency(connection), folder / "self_consistency.csv")
    write_csv(start_voting(connection), folder / "start_voting.csv")
    (folder / "summary.tex").write_text(latex_summary(connection), encoding="utf-8")
    if len(opened_sweeps(connection)) > 1:
        write_csv(between_sweeps(connection), folder / "between_sweeps.csv")
    write_csv(diagnosis_table(connection), folder / "diagnosis.csv")
    write_csv(stopping_table(connection), folder / "stopping.csv")
    write_csv(alarm_table(connection), folder / "alarms.csv")
