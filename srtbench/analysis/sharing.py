"""A sweep as a folder that a hub of data sets takes as it is: Parquet in splits, and a card.

Configurations are rollouts (splits train and eval), prompts, runs, and eval_curves. The prompts and
the models have licences of their own, so the card leaves the licence to the user.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from srtbench import __version__
from srtbench.analysis.frames import query
from srtbench.analysis.warehouse.open import open_sweep
from srtbench.config.words import counted

TABLES = {
    "runs": "SELECT * FROM runs ORDER BY run_order",
    "prompts": "SELECT * FROM prompts ORDER BY prompt_id, eval_set",
    "eval_curves": "SELECT * FROM eval_curves ORDER BY run_id, eval_set, step",
}
"""Configurations of one split, beside the rollouts."""

CONFIGURATIONS = ("rollouts", *TABLES)
"""Each has its files in a folder of its name."""

_ROWS = 65_536
_LOCAL = ("source_file",)
"""Columns that tell of this machine."""

CARD = "README.md"


class SharingError(ValueError):
    """The sweep cannot be written or sent as asked; the message says why."""


def write_hub_folder(sweep: Path | str, out: Path | str) -> list[Path]:
    """Write the data sets of a sweep and their card; returns the files, the card first.

    Raises:
        FileNotFoundError: ``sweep`` is none. SharingError: ``out`` holds something else than an
            earlier export, or there are no rollouts.
    """
    folder = Path(out)
    used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if used and not is_export(folder / CARD):
        raise SharingError(f"{folder}: holds something else than an export; choose another")
    connection = open_sweep(sweep, check="data", snapshot=True)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        splits = {
            phase: rows
            for phase in ("train", "eval")
            if (rows := _write_split(connection, phase, partial / "rollouts" / f"{phase}.parquet"))
        }
        if not splits:
            raise SharingError(f"{sweep}: has no rollouts yet")
        for name, sql in TABLES.items():
            (partial / name).mkdir()
            query(connection, sql).write_parquet(partial / name / "all.parquet")
        (partial / CARD).write_text(_card(connection, Path(sweep), splits), encoding="utf-8")
        connection.close()
        if folder.exists():
            shutil.rmtree(folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        partial.rename(folder)
    finally:
        connection.close()
        shutil.rmtree(partial, ignore_errors=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CARD)
    return [folder / CARD, *files]


def is_export(card: Path) -> bool:
    """Whether a file is the card of an export."""
    return card.is_file() and _MARK in card.read_text(encoding="utf-8", errors="replace")


def _write_split(connection: duckdb.DuckDBPyConnection, phase: str, path: Path) -> int:
    """Rollouts of a phase, in the order of run and step; memory does not grow with them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = ", ".join(_LOCAL)
    reader = connection.sql(
        f"SELECT * EXCLUDE ({columns}) FROM rollouts WHERE phase = $phase "
        "ORDER BY run_id, step, eval_set, group_id, sample_index",
        params={"phase": phase},
    ).to_arrow_reader(_ROWS)
    rows, writer = 0, None
    try:
        for batch in reader:
            if writer is None:
                writer = pq.ParquetWriter(path, batch.schema, compression="zstd")
            writer.write_table(pa.Table.from_batches([batch]))
            rows += len(batch)
    finally:
        if writer is not None:
            writer.close()
    return rows


_MARK = "<!-- written by srtbench export --hub-folder -->"


def _card(connection: duckdb.DuckDBPyConnection, sweep: Path, splits: dict[str, int]) -> str:
    """The card: what the hub reads in front, what people read after it."""
    runs = query(connection, "SELECT * FROM runs ORDER BY run_order").rows(named=True)
    total = sum(splits.values())
    front = ["---", "pretty_name: " + _quoted(f"Rollouts of {sweep.resolve().name}")]
    front += ["# license: to be chosen by you: models and data sets have their own", "tags:"]
    front += [f"- {tag}" for tag in ("srtbench", "rollouts", "reinforcement-learning")]
    front += ["size_categories:", f"- {_size(total)}", "configs:", "- config_name: rollouts"]
    front += ["  default: true", "  data_files:"]
    for phase in splits:
        front += [f"  - split: {phase}", f"    path: rollouts/{phase}.parquet"]
    for name in TABLES:
        front += [f"- config_name: {name}", f"  data_files: {name}/all.parquet"]
    lines = [*front, "---", _MARK, "", f"# Rollouts of {sweep.resolve().name}", ""]
    lines += [
        f"{counted(len(runs), 'run')}, {counted(total, 'completion')} ("
        + ", ".join(f"{phase} {rows:,}" for phase, rows in splits.items())
        + f"), written by srtbench {__version__}. Answers, keys, votes and grades are srtbench's.",
        "",
        "| run | model | dataset | variant | seed | state | trained by | uses gold |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in runs:
        cells = [row["run_id"], row["model"], row["dataset"], row["variant"], row["seed"]]
        gold = {True: "yes", False: "no", None: "not known"}[row["uses_gold"]]
        cells += [row["state"], row["imported"] or "srtbench", gold]
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    caveats = [(row["run_id"], row["caveat"]) for row in runs if row["caveat"]]
    if caveats:
        lines += ["", "## What must be said with its numbers", ""]
        lines += [f"- {_cell(run)}: {_cell(text)}" for run, text in caveats]
    lines += ["", "## Columns", ""]
    for name in ("rollouts", *TABLES):
        lines += [f"### {name}", "", "| column | meaning |", "|---|---|"]
        lines += [
            f"| `{column}` | {_cell(text)} |" for column, text in _described(connection, name)
        ]
        lines.append("")
    lines += [
        "## Licence",
        "",
        "None is given here. Prompts and gold answers are of the data sets above, completions of "
        "the models above; choose a licence that theirs allow, and name it in the front matter.",
        "",
    ]
    return "\n".join(lines)


def _described(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[tuple[str, str]]:
    rows = connection.sql(
        "SELECT column_name, coalesce(comment, '') FROM duckdb_columns() WHERE table_name = $name "
        "AND schema_name = 'main' ORDER BY column_index",
        params={"name": name},
    )
    for column, comment in rows.fetchall():
        if name != "rollouts" or column not in _LOCAL:
            yield column, comment


def _size(rows: int) -> str:
    """The hub's own words for how many rows there are."""
    for limit, word in ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"),
                        (10**6, "100K<n<1M"), (10**7, "1M<n<10M")):  # fmt: skip
        if rows < limit:
            return word
    return "10M<n<100M"


def _cell(value: Any) -> str:
    text = " ".join(str(value).split())
    for mark in ("\\", "|", "<", "`", "[", "]"):
        text = text.replace(mark, f"\\{mark}")
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
