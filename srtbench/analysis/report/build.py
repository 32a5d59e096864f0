"""Writes the report folder of a sweep."""

import base64
import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import duckdb
import polars as pl

from srtbench.analysis.between import between_sweeps, opened_sweeps
from srtbench.analysis.consistency import self_consistency, start_voting
from srtbench.analysis.csv_files import write_csv
from srtbench.analysis.diagnosis import alarm_table, diagnosis_table, stopping_table
from srtbench.analysis.disagreements import disagreements
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
from srtbench.analysis.figures.panels import Sheet, of_set
from srtbench.analysis.figures.sheets import (
    accuracy_sheet,
    collapse_sheet,
    label_accuracy_sheet,
    modal_share_sheet,
)
from srtbench.analysis.figures.signals import signals_sheet, youden_sheet
from srtbench.analysis.figures.style import save
from srtbench.analysis.frames import cell_caveats, eval_sets, frame, query, view
from srtbench.analysis.latex import latex_summary
from srtbench.analysis.report.browser import browser_data
from srtbench.analysis.report.facts import Fact, facts, headline, onsets
from srtbench.analysis.report.render import render
from srtbench.analysis.report.samples import Gallery, galleries
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.config.eval_sets import OWN
from srtbench.store.unplanned import forgotten

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
        content = _content(connection, paths, found, pictures, galleries(connection, found))
        for name in ("report.html", "report.md"):
            (folder / name).write_text(render(f"{name}.j2", content), encoding="utf-8")
    finally:
        connection.close()


def _sheets(
    connection: duckdb.DuckDBPyConnection, found: list[Fact], axis: Axis | None
) -> Iterable[Sheet]:
    held_out, training = frame(connection, "eval_curve"), frame(connection, "train_curve")
    onset = onsets(found)
    x = _x(connection, axis)
    yield accuracy_sheet(held_out, x, start_voting(connection))
    yield collapse_sheet(training, onset)
    yield label_accuracy_sheet(training, x)
    yield modal_share_sheet(held_out, x)
    watched = signals_sheet(training, x), youden_sheet(training, x)
    yield from (sheet for sheet in watched if sheet is not None)
    summary = query(connection, _SUMMARY_WITH_LEVEL)
    further = (
        *_of_votes(connection),
        portrait_sheet(frame(connection, "portrait")),
        collapse_panel_sheet(training, held_out, onset),
        _teacher(connection, summary),
        ladder_sheet(summary),
        heat_map_sheet(summary),
        length_sheet(held_out, x),
    )
    yield from (sheet for sheet in further if sheet is not None)
    for name in eval_sets(connection):
        if name != OWN:
            yield from _sheets_of(connection, name, x)


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
    curve = frame(connection, "eval_curve", eval_set=name)
    if curve.height:
        drawn = (
            accuracy_sheet(curve, x, start_voting(connection, name)),
            modal_share_sheet(curve, x),
            *_of_votes(connection, name),
            length_sheet(curve, x),
        )
        yield from (of_set(sheet, name) for sheet in drawn if sheet is not None)


def _of_votes(
    connection: duckdb.DuckDBPyConnection, name: str = OWN
) -> tuple[Sheet | None, Sheet | None]:
    return (
        majority_by_k_sheet(majority_by_k(connection, name)),
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


def _content(
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[Path],
    found: list[Fact],
    pictures: list[Picture],
    shown: list[Gallery],
) -> dict[str, Any]:
    runs = view(connection, "runs").join(
        view(connection, "run_summary").select(
            "sweep",
            "run_id",
            "k",
            "start_avg",
            "best_avg",
            "best_step",
            "last_avg",
            "last_step",
            "last_maj",
            "last_train_reward",
            "collapse_step",
        ),
        on=["sweep", "run_id"],
        how="left",
        maintain_order="left",
    )
    sweeps = opened_sweeps(connection)
    counted = query(connection, "SELECT count(*) AS rollouts FROM rollouts")
    states = runs.group_by("state").len().rows()
    return {
        "title": " · ".join(sweeps) or paths[0].name,
        "sweeps": sweeps,
        "models": runs["model"].unique(maintain_order=True).to_list(),
        "datasets": runs["dataset"].unique(maintain_order=True).to_list(),
        "variants": runs["variant"].unique(maintain_order=True).to_list(),
        "seeds": sorted(runs["seed"].unique().to_list()),
        "states": dict(states),
        "rollouts": counted["rollouts"][0],
        "facts": found,
        "headline": headline(found),
        "pictures": pictures,
        "galleries": shown,
        "eval_sets": _set_rows(connection),
        "voting": _voting_rows(connection),
        "runs": runs.rows(named=True),
        "caveats": [(*cell, text) for cell, text in cell_caveats(connection).items()],
        "styles": {(fact.cell[0], fact.variant): fact.style for fact in found},
        "between": _between_rows(connection) if len(sweeps) > 1 else [],
        "alarms": alarm_table(connection).rows(named=True),
        "damaged_files": view(connection, "damaged_files").rows(named=True),
        "forgotten": _forgotten(connection, several=len(sweeps) > 1),
        "stages": view(connection, "stages").rows(named=True),
        "written": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "k": runs["k"].max(),
        "browser": browser_data(connection),
        "disagreements": disagreements(connection),
    }


def _forgotten(connection: duckdb.DuckDBPyConnection, *, several: bool) -> list[str]:
    """A sentence per sweep that has finished runs which its plan does not name."""
    rows = view(connection, "unplanned_runs").filter(pl.col("state") == "done")
    rows = rows.sort("sweep", "run_id")
    lines = []
    for part in rows.partition_by("sweep", maintain_order=True):
        text = forgotten(part["run_id"].to_list())
        lines.append(f"{part['sweep'][0]}: {text}" if several else str(text))
    return lines


def _between_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table that sets sweeps against each other, in words."""
    table = between_sweeps(connection)
    settings = {*table["first_setting"], *table["second_setting"]}
    rows = table.rows(named=True)
    for row in rows:
        for side in ("first", "second"):
            parts = [row[f"{side}_sweep"], row[side]]
            parts += [row[f"{side}_setting"]] if len(settings) > 1 else []
            row[f"{side}_label"] = " · ".join(parts)
        row["difference"], row["verdict"] = _points(row, "value"), "no interval"
        if row["low"] is not None:
            clear = row["low"] > 0 or row["high"] < 0
            better = row["first_sweep"] if row["value"] > 0 else row["second_sweep"]
            row["verdict"] = f"{better} is better" if clear else "undecided"
        how = "paired" if row["paired"] else f"unpaired: {row['why_unpaired']}"
        row["how"] = f"{how}; over {row['over']}" if row["over"] else how
    return rows


def _points(row: dict[str, Any], name: str) -> str:
    """A difference of shares in points, with its interval if it has one."""
    if row[name] is None:
        return "\u2013"
    text = f"{100 * row[name]:+.1f}"
    if row["low"] is not None:
        low, high = (f"{100 * row[end]:+.1f}" for end in ("low", "high"))
        text += f" ({low} to {high})"
    return text.replace("-", "\u2212")


def _voting_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table of self-consistency, in words."""
    table = self_consistency(connection)
    varying = [name for name in ("sweep", "model", "dataset") if table[name].n_unique() > 1]
    rows = table.rows(named=True)
    for row in rows:
        row["setting"] = " · ".join(str(row[name]) for name in varying)
        row["difference"] = _points(row, "gain")
    return rows


def _set_rows(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Rows of the table of all evaluation sets; none if there are only the own held-out prompts."""
    table = set_table(connection)
    if table["eval_set"].n_unique() < 2:
        return []
    varying = [name for name in ("sweep", "model", "dataset") if table[name].n_unique() > 1]
    rows = table.rows(named=True)
    for row in rows:
        row["setting"] = " · ".join(str(row[name]) for name in varying)
        row["difference"] = _points(row, "change")
    return rows
