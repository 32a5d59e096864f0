"""What the system refuses is one line that names the file, exit code 2, for every command."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from srtbench.cli import main
from srtbench.cli.common import system_error
from tests.micro import srtbench, write_sweep

LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of a finished sweep."""
    shutil.copytree(LEGACY, tmp_path / "old")
    return tmp_path / "old" / "micro"


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def assert_refused(result: Result, *names: object) -> None:
    assert result.exit_code == 2, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert all(str(name) in lines[0] for name in names), lines[0]


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
NO_RIGHT = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/runs/other/file")
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS), "/runs/read-only/file")

WORKERS = {
    "report": "srtbench.analysis.report.write_report",
    "export": "srtbench.analysis.export.export_sweep",
    "audit": "srtbench.replay.audit.audit_sweep",
    "revote": "srtbench.replay.revote.revote_sweep",
}


@pytest.mark.parametrize("command", WORKERS)
@pytest.mark.parametrize("error", [NO_RIGHT, READ_ONLY], ids=["other user", "read-only"])
def test_a_file_that_cannot_be_used_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, error: OSError
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(WORKERS[command], fail)
    assert_refused(call(command, folder), error.filename, error.strerror)


@pytest.mark.parametrize("command", ["report", "export", "revote"])
def test_a_full_disk_names_the_folder_that_was_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(WORKERS[command], fail)
    assert_refused(call(command, folder, "--out", "somewhere"), "somewhere", FULL.strerror)


def test_a_full_disk_during_a_sweep_names_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("srtbench.execute.sweep.run_sweep", fail)
    file = write_sweep(tmp_path)
    assert_refused(call("sweep", file, "--root", tmp_path / "runs"), "runs/micro", FULL.strerror)


def test_a_real_place_that_takes_no_file(folder: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file, no folder")
    for command in (["report", folder], ["export", folder], ["revote", folder]):
        result = srtbench(*command, "--out", taken / "below")
        assert result.returncode == 2, result.stderr
        assert "Traceback" not in result.stderr
        assert "taken" in result.stderr
    result = srtbench("audit", folder, "--json", taken / "below" / "audit.json")
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert "taken" in result.stderr
    result = srtbench("sweep", write_sweep(tmp_path), "--root", taken / "below")
    assert (result.returncode, "Traceback" in result.stderr) == (2, False)
    assert "taken" in result.stderr


def test_two_places_and_none() -> None:
    two = OSError(errno.EXDEV, "cross-device", "a", None, "b")
    assert system_error(two) == "a -> b: cross-device"
    assert system_error(OSError("only words")) == "only words"


def test_srtbenchs_own_mistakes_stay_visible(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(WORKERS["report"], fail)
    result = call("report", folder)
    assert isinstance(result.exception, ZeroDivisionError)
