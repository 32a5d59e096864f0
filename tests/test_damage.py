"""Every file of a sweep folder, damaged in every way: never a traceback, and it is named."""

import json
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from srtbench.analysis import open_sweep
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.cli import main
from srtbench.plan.stages import TrainPrompts
from srtbench.store import Folder
from srtbench.store.configs import read_stage_spec
from srtbench.store.files import remove_leftovers
from srtbench.store.spreadsheet import csv_cell
from srtbench.store.stages import is_done
from tests.damage import damages_of

LEGACY = Path(__file__).parent / "fixtures" / "legacy"
RUN = "micro/tiny-swap-ema-teacher-s0-4b2ab87d"
OTHER_RUNS = 3

READ_BY: dict[str, tuple[str, ...]] = {
    "micro/plan.json": ("status", "audit", "revote", "views"),
    f"{RUN}/config.json": ("audit", "revote"),
    f"{RUN}/status.json": ("status", "audit", "revote", "views"),
    f"{RUN}/prompts.parquet": ("audit", "revote", "views"),
    f"{RUN}/metrics.parquet": ("audit", "revote", "views"),
    f"{RUN}/rollouts/train-00000001-00000006.parquet": ("audit", "revote", "views"),
    f"{RUN}/rollouts/eval-00000006-00000006.parquet": ("audit", "revote", "views"),
    f"{RUN}/votes/train-00000001-00000006.parquet": ("audit", "revote"),
    f"{RUN}/eval_sets/further/prompts.parquet": ("audit", "views"),
    f"{RUN}/eval_sets/further/rollouts/eval-00000006-00000006.parquet": ("audit", "views"),
    "_stages/teacher_labels-8503ed3e/labels.parquet": ("audit",),
    "_stages/teacher_labels-8503ed3e/config.json": ("audit", "revote"),
    "_stages/teacher_labels-8503ed3e/rollouts/eval-00000000-00000000.parquet": ("audit", "revote"),
    "_stages/base_eval-550052dd/rollouts/eval-00000000-00000000.parquet": ("views",),
    "_stages/eval_prompts-fdcda29c/prompts.parquet": ("views",),
    "_stages/train_prompts-1547a068/prompts.parquet": ("views",),
    "_stages/train_prompts-1547a068/status.json": ("status", "audit", "views"),
    "_stages/warm_start-666182b8/prompts.parquet": ("audit",),
    "_stages/warm_start-666182b8/result.json": ("status", "audit", "views"),
}
"""File -> what reads it. ``views``: what report and export read everything through."""

CASES = [(file, damage) for file in READ_BY for damage in damages_of(Path(file))]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A copy of a finished sweep and its stages."""
    return Path(shutil.copytree(LEGACY, tmp_path / "runs"))


def views(sweep: Path, out: Path) -> tuple[str, int]:
    """What a report and an export say of the files before they write anything."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CorruptFileWarning)
        try:
            connection = open_sweep(sweep, check="data")
        except (ValueError, FileNotFoundError) as error:
            return str(error), 2
        planned = connection.execute("SELECT count(*) FROM runs").fetchone()
    assert planned == (OTHER_RUNS + 1,)
    assert _rows(connection) == len(caught)
    return "\n".join(str(one.message) for one in caught), 0


def _rows(connection: duckdb.DuckDBPyConnection) -> int:
    found = connection.execute("SELECT count(*) FROM damaged_files").fetchone()
    assert found is not None
    return int(found[0])


def command(name: str) -> Callable[[Path, Path], tuple[str, int]]:
    def call(sweep: Path, out: Path) -> tuple[str, int]:
        options = ["--out", str(out)] if name == "revote" else []
        result = invoke(name, str(sweep), *options)
        return result.output, result.exit_code

    return call


def invoke(*arguments: str) -> Result:
    """A command in this process; an exception that is no exit is a traceback for its user."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), arguments
    return result


READERS = {"views": views, **{name: command(name) for name in ("status", "audit", "revote")}}


@pytest.mark.parametrize(("file", "damage"), CASES)
def test_damage_is_named_and_no_traceback(runs: Path, file: str, damage: str) -> None:
    path = runs / file
    damages_of(path)[damage](path)
    # Of a file that is gone, some say what lacks; no table can tell which file that was.
    nameless = damage == "missing" and not file.endswith("plan.json")
    said = []
    for reader in READ_BY[file]:
        text, code = READERS[reader](runs / "micro", runs.parent / "out")
        assert code in (0, 1, 2), (reader, text)
        assert "Traceback" not in text
        if not nameless:
            assert path.name in text, (reader, text)
            line = next(line for line in text.splitlines() if path.name in line)
            assert "pydantic" not in line
        said.append(path.name in text or code != 0)
        if file == f"{RUN}/config.json" and reader == "revote":
            assert code == 0, "the other runs go on"
    unseen = READ_BY[file] == ("views",) or file.startswith("_stages/warm_start")
    assert any(said) or (nameless and unseen)


@pytest.mark.parametrize("damage", ["empty", "cut", "binary", "wrong type", "newer", "no rows"])
def test_a_stage_is_done_if_its_files_are_whole(runs: Path, damage: str) -> None:
    folder = Folder(runs / "_stages" / "train_prompts-1547a068")
    spec = read_stage_spec(folder)
    assert isinstance(spec, TrainPrompts)
    assert is_done(spec, folder)
    damages_of(folder.prompts_path)[damage](folder.prompts_path)
    assert not is_done(spec, folder)


@pytest.mark.parametrize("name", ["report", "export"])
def test_the_commands_that_write_pages_name_what_they_leave_out(runs: Path, name: str) -> None:
    part = runs / RUN / "rollouts" / "train-00000001-00000006.parquet"
    part.write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("always", CorruptFileWarning)
        result = invoke(name, str(runs / "micro"), "--out", str(runs.parent / "out"))
    assert result.exit_code == 0
    (line,) = [line for line in result.stderr.splitlines() if part.name in line]
    assert line.startswith("warning: ")


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay(tmp_path: Path) -> None:
    (tmp_path / "rollouts").mkdir()
    dead = tmp_path / "rollouts" / ".train-1.parquet.999999999.tmp"
    live = tmp_path / ".status.json.1.tmp"
    unfinished = tmp_path / ".policy.tmp"
    dead.touch()
    live.touch()
    unfinished.mkdir()
    remove_leftovers(tmp_path)
    assert [dead.exists(), live.exists(), unfinished.exists()] == [False, True, False]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+x", "'+x"),
        ("-1/2", "'-1/2"),
        ("\tx", "'\tx"),
        ("-1.5e-3", "-1.5e-3"),
        ("+7", "+7"),
        ("srt", "srt"),
        ("", ""),
    ],
)
def test_cells_are_no_formulas(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


def test_an_exported_label_is_no_formula(runs: Path) -> None:
    plan = runs / "micro" / "plan.json"
    content = json.loads(plan.read_text())
    content["runs"][0]["variant"] = "=HYPERLINK(1)"
    plan.write_text(json.dumps(content))
    invoke("export", str(runs / "micro"), "--format", "csv", "--out", str(runs.parent / "out"))
    assert ",'=HYPERLINK(1)," in (runs.parent / "out" / "runs.csv").read_text()
