"""Reading a folder runs nothing that the folder names, unless it is asked to."""

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from srtbench.cli import main
from srtbench.replay import source
from srtbench.replay.audit import audit_sweep
from srtbench.replay.interrupts import Interrupts
from srtbench.replay.revote import revote_sweep
from srtbench.store import read_json, write_json
from srtbench.votes import VotingPolicy

LEGACY = Path(__file__).parent.parent / "fixtures" / "legacy"
CODE = """
from pathlib import Path
from srtbench.variants import Variant

Path({marker!r}).write_text("ran")

class Mine(Variant):
    def judge(self, group, rng):
        raise {error}
"""
ENTRY: dict[str, Any] = {"type": "python", "options": {}}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "marker"


def sweep_naming(code: str, tmp_path: Path) -> Path:
    """A sweep, two of whose configurations name a Python file: alone, and as a part."""
    (tmp_path / "mine.py").write_text(code)
    shutil.copytree(LEGACY, tmp_path / "runs")
    sweep = tmp_path / "runs" / "micro"
    entry = ENTRY | {"path": f"{tmp_path / 'mine.py'}:Mine"}
    entries: list[Any] = [entry, {"type": "all_of", "parts": [{"type": "srt"}, entry]}]
    for row, variant in zip(read_json(sweep / "plan.json")["runs"], entries, strict=False):
        file = sweep / row["run_id"] / "config.json"
        content = read_json(file)
        content["spec"]["variant"] = variant
        write_json(file, content)
    return sweep


@pytest.mark.parametrize("command", ["audit", "revote", "status", "export"])
def test_reading_a_folder_runs_no_code(command: str, tmp_path: Path, marker: Path) -> None:
    sweep = sweep_naming(CODE.format(marker=str(marker), error="SystemExit(0)"), tmp_path)
    result = CliRunner().invoke(main, [command, str(sweep)])
    assert result.exit_code in (0, 1)
    assert not marker.exists()


def test_what_is_not_run_is_told(tmp_path: Path, marker: Path) -> None:
    sweep = sweep_naming(CODE.format(marker=str(marker), error="SystemExit(0)"), tmp_path)
    report = audit_sweep(sweep)
    assert sum(source.NOT_RUN in note for note in report.notes) == 2
    assert report.checked["answer_key"]
    _, rows = revote_sweep(sweep, VotingPolicy(tie="abstain"))
    assert sum(row.note == source.NOT_RUN for row in rows) == 2
    assert not marker.exists()


@pytest.mark.parametrize("error", ["SystemExit(0)", "KeyboardInterrupt", "GeneratorExit"])
def test_code_that_ends_the_process_is_a_breach(
    error: str, tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = sweep_naming(CODE.format(marker=str(marker), error=error), tmp_path)
    monkeypatch.setattr("srtbench.replay.audit.source_state", lambda run: "same")
    report = audit_sweep(sweep, run_code=True)
    assert marker.exists()
    name = error.partition("(")[0]
    assert sum(name in breach.message for breach in report.breaches) == 2
    assert report.runs == 4, "the other runs are audited"


def test_an_import_that_exits_is_a_breach(
    tmp_path: Path, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = CODE.format(marker=str(marker), error="ValueError") + "\nraise SystemExit(0)\n"
    sweep = sweep_naming(code, tmp_path)
    monkeypatch.setattr("srtbench.replay.audit.source_state", lambda run: "same")
    messages = [breach.message for breach in audit_sweep(sweep, run_code=True).breaches]
    assert sum("SystemExit(0)" in message for message in messages) == 2


def test_the_user_can_still_interrupt() -> None:
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert interrupts.asked
