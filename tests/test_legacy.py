"""A sweep that an older srtbench left: still opened, reported, audited and revoted."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

import srtbench as package
from tests.micro import srtbench

LEGACY = Path(__file__).parent / "fixtures" / "legacy"
"""Written by commit f3abf8e: see ``fixtures/make_legacy.py``."""

OWN = "where eval_set = 'own'"
QUESTIONS = {
    "runs": "select run_id, variant, state, step, learning_rate from runs order by all",
    "eval_curves": "select variant, step, avg_at_k, maj_at_k from eval_curves {own} order by all",
    "train": "select variant, rollouts.step, avg(train_reward), avg(gold_reward), avg(vote_share),"
    " count(*) from rollouts join runs using (run_id) where phase = 'train'"
    " group by all order by all",
    "set_curves": "select variant, step, avg_at_k, maj_at_k from {sets} order by all",
}


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """A copy of the sweep, with its stages beside it."""
    shutil.copytree(LEGACY, tmp_path / "runs")
    return tmp_path / "runs" / "micro"


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == expected)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_views_give_the_numbers_that_its_own_code_gave(name: str) -> None:
    sweep = package.open_sweep(LEGACY / "micro")
    views = {row[0] for row in sweep.execute("show tables").fetchall()}
    one_view = "eval_set_curves" not in views
    question = QUESTIONS[name].format(
        own=OWN if one_view else "",
        sets="eval_curves where eval_set = 'further'" if one_view else "eval_set_curves",
    )
    expected = json.loads((LEGACY / "numbers.json").read_text())[name]
    found = sweep.execute(question).fetchall()
    assert len(found) == len(expected) > 0
    for row, other in zip(found, expected, strict=True):
        assert all(map(same, row, other)), (row, other)


def test_every_phase_of_its_rollouts_is_read() -> None:
    sweep = package.open_sweep(LEGACY / "micro")
    rows = sweep.execute("select phase, count(*) from rollouts group by phase").fetchall()
    assert dict(rows).keys() == {"train", "eval"}


def test_it_is_reported(legacy: Path) -> None:
    result = srtbench("report", legacy)
    assert result.returncode == 0, result.stderr
    page = (legacy / "report" / "report.html").read_text()
    assert all(name in page for name in ("ema_teacher", "fixed_teacher", "gold", "srt"))


def test_it_is_audited_without_a_breach(legacy: Path) -> None:
    result = srtbench("audit", legacy)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "BREACH" not in result.stdout
    assert "clean" in result.stdout


def test_it_is_voted_over_again_and_what_comes_out_is_clean(legacy: Path, tmp_path: Path) -> None:
    result = srtbench("revote", legacy, "--tie", "abstain", "--out", tmp_path / "runs" / "abstain")
    assert result.returncode == 0, result.stderr
    assert "tiny-swap-srt" in result.stdout
    again = srtbench("audit", tmp_path / "runs" / "abstain")
    assert again.returncode == 0, again.stdout + again.stderr


def test_its_state_is_printed(legacy: Path) -> None:
    result = srtbench("status", legacy)
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()]
    assert sum(row[:1] != [] and "-s0-" in row[0] and "done" in row for row in rows) == 4
    assert sum("done" in row for row in rows) == 4 + 7  # and the shared stages
