"""The documented views, in the order in which they build on each other.

Each is one file in ``sql/``: a comment that describes the view and its columns, then a SELECT.
"""

import functools
from dataclasses import dataclass
from importlib.resources import files

import duckdb

VIEWS = (
    "runs",
    "rollouts",
    "prompts",
    "metrics",
    "answers",
    "groups",
    "step_answers",
    "step_metrics",
    "budget",
    "eval_curves",
    "run_signals",
    "eval_summary",
    "run_summary",
    "variant_summary",
    "prompt_history",
    "prompt_outcomes",
)
GRAINS = (
    "answers",
    "groups",
    "step_answers",
    "step_metrics",
    "budget",
    "eval_curves",
    "run_signals",
    "eval_summary",
    "run_summary",
)
"""Views that others build on: worth keeping as tables when many queries follow."""


@dataclass(frozen=True)
class Relation:
    """A documented view: its SELECT and what its columns mean, in order."""

    name: str
    description: str
    columns: dict[str, str]
    query: str


@functools.cache
def relation(name: str, folder: str = "sql") -> Relation:
    """Read ``<folder>/<name>.sql``."""
    text = (
        files("srtbench.analysis.warehouse")
        .joinpath(folder, f"{name}.sql")
        .read_text(encoding="utf-8")
    )
    lines = text.splitlines()
    header = [line.removeprefix("-- ") for line in lines if line.startswith("-- ")]
    query = "\n".join(line for line in lines if not line.startswith("-- "))
    description: list[str] = []
    columns: dict[str, str] = {}
    for line in header:
        column, colon, meaning = line.partition(": ")
        if colon and column.isidentifier() and column.islower():
            columns[column] = meaning
        else:
            description.append(line)
    return Relation(name, " ".join(description), columns, query)


TABLES = (
    Relation(
        "sweeps",
        "One row per opened sweep.",
        {
            "sweep": "name of the sweep",
            "description": "what its sweep file says of itself; null: nothing",
        },
        "",
    ),
    Relation(
        "tasks",
        "One row per sweep and dataset.",
        {
            "sweep": "name of the sweep",
            "dataset": "label of the dataset",
            "task": "what it asks, in a sentence; null before a run of it, and of imports",
        },
        "",
    ),
    Relation(
        "damaged_files",
        "One row per file that is left out: it cannot be read, breaks the schema of the log, is "
        "of a newer version, or lies among the parts without being one.",
        {
            "sweep": "name of the sweep",
            "run_id": "run or shared stage that the file belongs to; null: neither",
            "file": "file, below the folder that holds the sweep",
            "reason": "what is wrong with it; it is left out of every other view",
        },
        "",
    ),
    Relation(
        "unplanned_runs",
        "One row per run folder that the plan does not name, so that no other view has it: of an "
        "earlier plan under the same name, or put there.",
        {
            "sweep": "name of the sweep",
            "run_id": "name of the folder",
            "state": "its state: waiting, running, done, failed or interrupted",
            "step": "optimiser steps done",
        },
        "",
    ),
    Relation(
        "stages",
        "One row per planned shared stage, whether it has begun or not: prompts that are drawn, "
        "start models that are warmed up and evaluated, votes of teachers.",
        {
            "sweep": "name of the sweep",
            "stage_id": "name of its folder below _stages",
            "kind": "what it makes, e.g. train_prompts",
            "dataset": "labels of the datasets of the runs that name it; null: none does",
            "runs": "how many runs name it; that of a further evaluation set is named by none",
            "state": "its state: waiting, running, done, failed or interrupted",
            "wall_seconds": "time that it took",
            "left_out": "what on_bad_gold: drop left out of its prompts; null: nothing",
            "error": "last lines of the traceback of a failure",
        },
        "",
    ),
)
"""Tables that opening a sweep fills."""


def create_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create all views over the staged tables, with their descriptions as comments."""
    for name in VIEWS:
        view = relation(name)
        connection.execute(f"CREATE OR REPLACE VIEW {name} AS {view.query}")
        _comment(connection, view, "VIEW")
    for table in TABLES:
        _comment(connection, table, "TABLE")


def materialize(connection: duckdb.DuckDBPyConnection) -> None:
    """Turn the views that others build on into tables of this connection: a fixed snapshot."""
    for name in GRAINS:
        connection.execute(f"CREATE TABLE snapshot AS SELECT * FROM {name}")
        connection.execute(f"DROP VIEW {name}")
        connection.execute(f"ALTER TABLE snapshot RENAME TO {name}")
        _comment(connection, relation(name), "TABLE")


def _comment(connection: duckdb.DuckDBPyConnection, view: Relation, kind: str) -> None:
    connection.execute(f"COMMENT ON {kind} {view.name} IS {literal(view.description)}")
    for column, meaning in view.columns.items():
        connection.execute(f'COMMENT ON COLUMN {view.name}."{column}" IS {literal(meaning)}')


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
