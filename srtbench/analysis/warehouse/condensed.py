"""Sweeps condensed to what their tables and figures need, small enough to be published.

A folder of Parquet files: the plan and the state of every run; per run, held-out prompt and
evaluation the votes by answer, with what was right and how long; the measures of every train step;
and the few texts that a measure or a page shows. The views over it give the numbers of the sweep,
except what needs the train groups or every text. A study made in several sittings is several such
folders, and of each run the one that got furthest counts.
"""

import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from srtbench.analysis.warehouse.files import escape
from srtbench.analysis.warehouse.views import comment, create_views, literal, relation
from srtbench.store import StoreError, write_json

MANIFEST = "condensed.json"
VERSION = 1
SHOWN_PROMPTS = 3
"""Prompts of each evaluation set, the first by id, whose first completion is kept as text."""
TEXTS = 64
"""Other texts that are kept per run and evaluation: those of the frame ``text_sample``."""

_BASE = (
    "planned_runs",
    "planned_eval_sets",
    "sweeps",
    "tasks",
    "damaged_files",
    "unplanned_runs",
    "stages",
)
"""Tables that opening a sweep fills."""
_GRAINS = ("answers", "budget", "step_metrics", "trained_prompts")
"""Views that are kept as tables; all others are computed from them anew."""
_BY_RUN = ("planned_runs", "planned_eval_sets", "rollouts", *_GRAINS)

_QUERIES = {
    **{name: f"SELECT * FROM {name}" for name in _BASE},
    "answers": "SELECT * FROM answers WHERE phase = 'eval' "
    "ORDER BY sweep, run_id, eval_set, step, group_id, first_seen",
    "budget": "SELECT * FROM budget",
    "step_metrics": "SELECT * FROM step_metrics",
    "trained_prompts": "SELECT * FROM trained_prompts ORDER BY ALL",
    "prompts": "SELECT * FROM prompts WHERE eval_set IS NOT NULL "
    "ORDER BY sweep, eval_set, prompt_id",
    "rollouts": f"""
        WITH placed AS (
            SELECT *,
                row_number() OVER (
                    PARTITION BY sweep, run_id, eval_set, step
                    ORDER BY md5(prompt_id || '/' || sample_index::TEXT), group_id
                ) <= {TEXTS} AS sampled,
                sample_index = 0 AND dense_rank() OVER (
                    PARTITION BY sweep, run_id, eval_set, step ORDER BY prompt_id
                ) <= {SHOWN_PROMPTS} AS shown
            FROM rollouts
            WHERE phase = 'eval'
        )
        SELECT * EXCLUDE (sampled, shown) FROM placed WHERE sampled OR shown
        ORDER BY sweep, run_id, eval_set, step, group_id, sample_index
    """,
}


def condense(connection: duckdb.DuckDBPyConnection, folder: Path | str) -> list[Path]:
    """Write the sweeps of a connection condensed into a folder; returns the files.

    What the folder had of an earlier call is replaced. The bytes depend on the sweeps alone if the
    connection has one thread.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, sql in _QUERIES.items():
        table = connection.sql(sql).to_arrow_table()
        path = folder / f"{name}.parquet"
        pq.write_table(table, path, compression="zstd", compression_level=19)
        written.append(path)
    write_json(folder / MANIFEST, {"version": VERSION})
    return [*written, folder / MANIFEST]


def open_condensed(*folders: Path | str, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Condensed sweeps as the views of :func:`srtbench.open_sweep`, over the same numbers.

    ``rollouts`` has the kept texts alone, ``answers`` and ``groups`` no train groups, and
    ``metrics`` nothing. Of a run that several folders have, that one counts where it is done, else
    where it got furthest, else the first.

    Args:
        threads: threads of DuckDB; None: one per core.

    Raises:
        FileNotFoundError: a folder holds no condensed sweep. StoreError: it is damaged, or of a
            newer version. ValueError: no folder is given.
    """
    if not folders:
        raise ValueError("open_condensed needs at least one folder")
    for folder in folders:
        _check(Path(folder))
    connection = duckdb.connect(config={} if threads is None else {"threads": threads})
    try:
        _fill(connection, [Path(folder) for folder in folders])
    except duckdb.Error as error:
        raise StoreError(f"{_names(folders)}: not a condensed sweep: {error}") from None
    return connection


def is_condensed(folder: Path | str) -> bool:
    """Whether a folder says that it holds condensed sweeps."""
    return (Path(folder) / MANIFEST).is_file()


def _check(folder: Path) -> None:
    path = folder / MANIFEST
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{folder}: no {MANIFEST} there, so no condensed sweep") from None
    except ValueError as error:
        raise StoreError(f"{path}: not valid JSON ({error})") from None
    version = content.get("version") if isinstance(content, dict) else None
    if type(version) is not int or not 1 <= version <= VERSION:
        raise StoreError(f"{path}: version: {version!r} is not one that this srtbench reads")
    if missing := [name for name in _QUERIES if not (folder / f"{name}.parquet").is_file()]:
        raise StoreError(f"{folder / missing[0]}.parquet: is missing")


def _fill(connection: duckdb.DuckDBPyConnection, folders: list[Path]) -> None:
    for name in _QUERIES:
        parts = [
            f"SELECT {place} AS place, * FROM read_parquet("
            f"{literal(escape(str(folder / f'{name}.parquet')))}, file_row_number = true)"
            for place, folder in enumerate(folders)
        ]
        connection.execute(f"CREATE TEMP TABLE all_{name} AS {' UNION ALL BY NAME '.join(parts)}")
    connection.execute(
        """
        CREATE TEMP TABLE chosen AS
        SELECT
            sweep, run_id, arg_max(place, (state = 'done', step, -place)) AS place,
            min(min(place)) OVER (PARTITION BY sweep) AS first_place, min(run_order) AS turn
        FROM all_planned_runs GROUP BY sweep, run_id
        """
    )
    for name in _BASE:
        connection.execute(f"CREATE TABLE {name} AS {_of(name)}")
    connection.execute(f"CREATE TABLE stg_prompts AS {_of('prompts')}")
    connection.execute("CREATE TABLE stg_rollouts AS SELECT *, '' AS stage_id FROM all_rollouts")
    for name in ("stg_base_rollouts", "stg_further", "stg_stage_votes"):
        connection.execute(f"CREATE TABLE {name} AS FROM stg_rollouts WHERE false")
    connection.execute(
        "CREATE TABLE stg_metrics"
        "(sweep TEXT, stage_id TEXT, run_id TEXT, step INTEGER, metric TEXT, value DOUBLE)"
    )
    create_views(connection)
    for name in ("rollouts", *_GRAINS):
        connection.execute(f"DROP VIEW {name}")
        connection.execute(f"CREATE TABLE {name} AS {_of(name)}")
        comment(connection, relation(name), "TABLE")


def _of(name: str) -> str:
    """SELECT of a table's rows, each run's of the folder that is chosen for it."""
    if name in _BY_RUN:
        return (
            f"SELECT one.* EXCLUDE (place, file_row_number) FROM all_{name} AS one JOIN chosen "
            "USING (sweep, run_id, place) ORDER BY first_place, turn, run_id, file_row_number"
        )
    return f"SELECT DISTINCT * EXCLUDE (place, file_row_number) FROM all_{name} ORDER BY ALL"


def _names(folders: tuple[Path | str, ...]) -> str:
    return ", ".join(map(str, folders))
