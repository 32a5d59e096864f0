"""Condensed sweeps: the same tables from a tenth of the bytes, in one sitting or several."""

import json
import shutil
from pathlib import Path

import duckdb
import pytest
from polars.testing import assert_frame_equal

import srtbench
from srtbench.analysis.diagnosis import diagnose_runs
from srtbench.analysis.frames import FRAMES, frame, view
from srtbench.analysis.warehouse.condensed import condense, is_condensed, open_condensed
from srtbench.analysis.warehouse.views import VIEWS
from srtbench.store import StoreError

SMOKE = Path(__file__).parents[1] / "fixtures" / "smoke"
NEEDS_ALL_ROLLOUTS = {"rollouts", "prompts", "metrics", "answers", "groups", "step_answers"}


@pytest.fixture(scope="module")
def whole() -> duckdb.DuckDBPyConnection:
    return srtbench.open_sweep(SMOKE, snapshot=True, threads=1)


@pytest.fixture(scope="module")
def folder(whole: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("condensed") / "smoke"
    condense(whole, out)
    return out


def test_every_table_of_a_report_is_the_same(
    whole: duckdb.DuckDBPyConnection, folder: Path
) -> None:
    small = open_condensed(folder, threads=1)
    for name in [name for name in VIEWS if name not in NEEDS_ALL_ROLLOUTS]:
        assert_frame_equal(view(small, name), view(whole, name), check_row_order=False)
    for name in FRAMES:
        assert_frame_equal(frame(small, name), frame(whole, name), check_row_order=False)
    pairs = list(zip(diagnose_runs(small), diagnose_runs(whole), strict=True))
    assert len(pairs) == 5
    for (labels, found), (same_labels, report) in pairs:
        assert labels == same_labels
        assert (found.collapsed, found.kind, found.onset) == (
            report.collapsed,
            report.kind,
            report.onset,
        )
        assert found.changes.keys() == report.changes.keys()
        for signal, change in found.changes.items():
            assert change.after == pytest.approx(report.changes[signal].after), signal


def test_held_out_votes_are_the_same(whole: duckdb.DuckDBPyConnection, folder: Path) -> None:
    small = open_condensed(folder, threads=1)
    for name in ("answers", "groups", "step_answers"):
        held_out = f"SELECT * FROM {name} WHERE phase = 'eval' ORDER BY ALL"
        assert_frame_equal(small.sql(held_out).pl(), whole.sql(held_out).pl())
    assert small.sql("SELECT count(*) FROM answers WHERE phase = 'train'").fetchall() == [(0,)]


def test_it_is_much_smaller_and_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    condense(srtbench.open_sweep(SMOKE, threads=1), tmp_path / "again")
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name
    assert size(folder) < size(SMOKE) / 2


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_sittings_add_up(whole: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """Two machines with the same plan, each with some of its runs: together the whole sweep."""
    sittings = []
    for number in (0, 1):
        part = tmp_path / str(number) / "smoke"
        shutil.copytree(SMOKE, part)
        runs = sorted(file.parent for file in part.glob("*/status.json"))
        for run in runs[number::2]:
            shutil.rmtree(run)
        condensed = tmp_path / f"sitting-{number}"
        condense(srtbench.open_sweep(part, threads=1), condensed)
        sittings.append(condensed)
    for order in (sittings, sittings[::-1]):
        found = open_condensed(*order, threads=1)
        for name in ("eval_curves", "step_metrics", "run_summary"):
            assert_frame_equal(view(found, name), view(whole, name))
    assert set(view(open_condensed(sittings[0]), "runs")["state"]) == {"done", "waiting"}


def test_a_folder_that_is_none_is_named(folder: Path, tmp_path: Path) -> None:
    assert is_condensed(folder)
    assert not is_condensed(SMOKE)
    with pytest.raises(FileNotFoundError, match=r"no condensed\.json there"):
        open_condensed(tmp_path)
    for change, message in (
        (lambda at: (at / "answers.parquet").unlink(), "answers.parquet: is missing"),
        (lambda at: (at / "answers.parquet").write_bytes(b"PAR1"), "not a condensed sweep"),
        (lambda at: (at / "condensed.json").write_text("{"), "not valid JSON"),
        (lambda at: (at / "condensed.json").write_text(json.dumps({"version": 99})), "99"),
    ):
        damaged = tmp_path / "damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        shutil.copytree(folder, damaged)
        change(damaged)
        with pytest.raises(StoreError, match=message):
            open_condensed(damaged)
