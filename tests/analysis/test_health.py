"""`srtbench check`: one line and exit code 1 for a run that collapsed, whatever its state."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from srtbench.analysis import CorruptFileWarning
from srtbench.analysis.health import run_health
from srtbench.cli import main
from srtbench.rollouts import ROLLOUT_SCHEMA
from tests.fake_sweep import Shape, write_fake_sweep

SHAPE = Shape(steps=40, every=10, prompts_per_step=2, generations=4, eval_prompts=24)


def check(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, arguments)])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fake_sweep(
        tmp_path_factory.mktemp("runs"),
        SHAPE,
        states={("srt", 1): "failed", ("gold", 0): "running", ("gold", 1): "waiting"},
        variants=["srt", "gold", {"type": "srt", "name": "srt-high-lr"}],
        seeds=[0, 1],
    )


def test_a_collapsed_run_is_one_line_and_exit_code_one(sweep: Path) -> None:
    result = check(sweep)
    *lines, last = result.output.splitlines()
    assert result.exit_code == 1
    assert len(lines) == 2
    assert all(line.startswith("collapsed: fake/tiny-spell-backward-6-srt-high") for line in lines)
    assert last.startswith("6 runs: 2 collapsed, ")


def test_a_single_run_is_asked_about_by_its_folder(sweep: Path) -> None:
    by_id = {one.run_id: one for one in run_health(sweep)}
    rising = next(name for name, one in by_id.items() if one.outcome == "rose")
    result = check(sweep / rising)
    assert (result.exit_code, result.output) == (0, "1 run: 1 rose\n")


def test_runs_that_failed_wait_or_are_not_done_are_undecided(sweep: Path) -> None:
    found = {(one.run_id.split("-6-")[1][:7], one.state): one for one in run_health(sweep)}
    states = {state for (_, state), one in found.items() if one.outcome == "undecided"}
    assert states == {"failed", "running", "waiting"}
    failed = next(one for one in found.values() if one.state == "failed")
    assert "MemoryError" in failed.why
    result = check(sweep, "--undecided")
    assert result.exit_code == 1
    assert sum(line.startswith("undecided: ") for line in result.output.splitlines()) == 3


def test_json_is_for_programs(sweep: Path) -> None:
    result = check(sweep, "--json")
    content = json.loads(result.output)
    assert result.exit_code == 1
    assert content["ok"] is False
    assert content["counts"]["collapsed"] == 2
    runs: list[dict[str, Any]] = content["runs"]
    assert [run["flagged"] for run in runs] == [run["outcome"] == "collapsed" for run in runs]
    assert all(
        0 <= run["onset_after"] < run["onset_by"] <= SHAPE.steps for run in runs if run["flagged"]
    )


@pytest.fixture
def one_run(tmp_path: Path) -> Path:
    return write_fake_sweep(tmp_path, SHAPE, variants=["srt"], seeds=[0])


def eval_parts(sweep: Path) -> list[Path]:
    return sorted(sweep.glob("*/rollouts/eval-*.parquet"))


def test_without_gold_answers_nothing_can_be_said(one_run: Path) -> None:
    """As in the log of another trainer that has none."""
    for part in [*eval_parts(one_run), *one_run.parent.glob("_stages/*/rollouts/*.parquet")]:
        table = pq.read_table(part)
        place = table.schema.get_field_index("gold_reward")
        field = ROLLOUT_SCHEMA.field("gold_reward").with_nullable(True)
        nothing = pa.nulls(len(table), field.type)
        pq.write_table(table.set_column(place, field, nothing), part)
    (found,) = run_health(one_run)
    assert found.outcome == "undecided"
    assert "gold answers" in found.why
    assert check(one_run).exit_code == 0


def test_a_damaged_file_is_named_and_the_rest_is_judged(one_run: Path) -> None:
    part = eval_parts(one_run)[0]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.warns(CorruptFileWarning, match=part.name):
        (found,) = run_health(one_run)
    assert [Path(file).name for file in found.damaged_files] == [part.name]
    assert part.name in found.why
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # not as an error
        told = check(one_run)
    assert told.exit_code == 0
    assert part.name in told.stderr, "whoever asks for collapses alone is told too"
    assert part.name not in told.stdout


def test_what_is_no_run_is_refused_in_one_line(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "nowhere", tmp_path / "empty"):
        result = check(folder)
        assert result.exit_code == 2
        assert len(result.output.splitlines()) == 1
        assert "plan.json" in result.output
    stranger = sweep / "stranger"
    stranger.mkdir()
    assert check(stranger).exit_code == 2
    shutil.rmtree(stranger)
