"""Every script of the study draws its figure from a sweep folder, or says what is missing."""

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.fake_sweep import Shape, write_fake_sweep

REPOSITORY = Path(__file__).parents[2]
SMOKE = REPOSITORY / "tests" / "fixtures" / "smoke"
SCRIPTS = ("accuracy", "majority", "collapse", "teacher", "curriculum", "spurious")
SMALL = Shape(steps=20, every=10, prompts_per_step=2, generations=4, eval_prompts=6)


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A script as its user starts it."""
    command = [sys.executable, "-W", "error", "-m", f"analysis.{script}", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up sweep over two levels, gold only."""
    task = {"type": "reasoning_gym", "task": "spell_backward", "answer_kind": "text"}
    datasets = [task | {"level": 5}, task | {"level": 6}]
    folder = tmp_path_factory.mktemp("levels")
    return write_fake_sweep(folder, SMALL, variants=["gold"], seeds=[0], datasets=datasets)


def test_every_script_is_tested() -> None:
    found = {path.stem for path in (REPOSITORY / "analysis").glob("*.py")}
    assert found == {*SCRIPTS, "phase", "mitigation", "publish", "__init__", "common"}


@pytest.mark.parametrize("script", SCRIPTS)
def test_each_draws_one_figure(script: str, levels: Path, tmp_path: Path) -> None:
    result = run(script, levels if script == "curriculum" else SMOKE, "--out", tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    files = [Path(line) for line in result.stdout.splitlines()]
    assert [path.name for path in files] == [f"{script}.{kind}" for kind in ("png", "svg", "csv")]
    assert files[0].read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in files[1].read_bytes()
    assert pl.read_csv(files[2]).height > 0


def test_the_collapse_csv_holds_every_panel(tmp_path: Path) -> None:
    assert run("collapse", SMOKE, "--out", tmp_path).returncode == 0
    measures = set(pl.read_csv(tmp_path / "collapse.csv")["measure"])
    assert measures >= {"train_reward", "gold_reward", "avg_at_k", "maj_at_k", "modal_share"}


@pytest.mark.parametrize(
    ("script", "missing"),
    [
        ("curriculum", "two levels"),
        ("collapse", "no variant of this sweep collapsed"),
        ("teacher", "no variant of type srt"),
        ("spurious", "random, format or incorrect"),
    ],
)
def test_what_is_missing_is_said(script: str, missing: str, levels: Path, tmp_path: Path) -> None:
    sweep = SMOKE if script == "curriculum" else levels
    result = run(script, sweep, "--out", tmp_path / "figures")
    assert (result.returncode, result.stdout) == (2, "")
    assert missing in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize("script", ["accuracy", "majority"])
def test_a_sweep_that_has_not_begun(script: str, tmp_path: Path) -> None:
    sweep = write_fake_sweep(
        tmp_path, SMALL, variants=["srt"], seeds=[0], states={("srt", 0): "waiting"}
    )
    result = run(script, sweep, "--out", tmp_path)
    assert result.returncode == 2
    assert "evaluated" in result.stderr


def test_a_folder_that_is_no_sweep(tmp_path: Path) -> None:
    result = run("accuracy", tmp_path)
    assert result.returncode == 2
    assert "no plan.json" in result.stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_has_an_example(script: str) -> None:
    result = run(script, "--help")
    assert result.returncode == 0
    assert f"python -m analysis.{script} runs/" in result.stdout
