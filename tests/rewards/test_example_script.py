"""The script of docs/examples for TRL, as it stands, and a report of the folder that it fills."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from srtbench import open_sweep
from srtbench.config import TinyModel
from srtbench.execute.base import worker_environment
from srtbench.models.tiny import build_tiny
from srtbench.replay.audit import audit_sweep

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "docs" / "examples" / "trl_srt.py"
TINY = TinyModel(
    hidden_size=16, intermediate_size=32, num_layers=1, num_heads=2, alphabet="0123456789+="
)


def run(*command: object) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | worker_environment(1) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_it_is_a_bare_script_of_25_lines() -> None:
    assert len(SCRIPT.read_text(encoding="utf-8").strip().splitlines()) <= 25


@pytest.mark.slow
def test_it_trains_and_its_folder_is_reported(tmp_path: Path) -> None:
    model, tokenizer = build_tiny(TINY)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    run(SCRIPT, tmp_path / "model", tmp_path / "out")

    mine = tmp_path / "out" / "mine"
    connection = open_sweep(mine)
    sql = "SELECT model, variant, state, step, algorithm, learning_rate, beta FROM runs"
    assert connection.sql(sql).fetchall() == [("model", "srt", "done", 4, "grpo", 1e-6, 0.0)]
    counted = connection.sql(
        "SELECT phase, step, count(*) FROM rollouts GROUP BY phase, step ORDER BY phase, step"
    )
    evaluated, trained = (
        [("eval", step, 16) for step in (2, 4)],
        [("train", n, 12) for n in (1, 2, 3, 4)],
    )
    assert counted.fetchall() == evaluated + trained
    assert audit_sweep(mine).ok

    run("-m", "srtbench.cli", "report", mine)
    page = (mine / "report" / "report.md").read_text(encoding="utf-8")
    assert "srt" in page
    assert (mine / "report" / "report.html").is_file()
