"""Sweeps opened with ``snapshot=True``: the same descriptions, and no second copy left behind."""

from pathlib import Path

from srtbench.analysis import open_sweep
from srtbench.analysis.frames import query
from srtbench.analysis.warehouse.views import GRAINS, relation

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"


def test_tables_keep_the_descriptions_of_their_views() -> None:
    sweep = open_sweep(SMOKE, snapshot=True)
    for name in GRAINS:
        columns = query(
            sweep,
            "SELECT column_name, comment FROM duckdb_columns() WHERE table_name = $name",
            name=name,
        )
        assert dict(columns.iter_rows()) == relation(name).columns
    tables = query(sweep, "SELECT table_name FROM duckdb_tables()")["table_name"].to_list()
    others = ["damaged_files", "planned_eval_sets", "planned_runs", "stages", "sweeps", "tasks"]
    others += ["unplanned_runs"]
    assert sorted(tables) == sorted([*GRAINS, *others])
