"""What the system refuses is one line that names the file, exit code 2, for every command."""

import errno
import io
import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner, Result

from srtbench.cli import main
from srtbench.cli.common import system_error
from srtbench.config import load_sweep
from srtbench.plan import Plan, plan_sweep
from srtbench.store import Folder, SweepStore
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


def refuse(
    monkeypatch: pytest.MonkeyPatch, number: int, below: Path, *, reading: str | None = None
) -> None:
    """Below a folder the system refuses to write, or to read files of one name."""

    def check(place: Any, refuses: bool) -> None:
        if refuses and isinstance(place, str | os.PathLike) and below in Path(place).parents:
            raise OSError(number, os.strerror(number), str(place))

    opened, replaced, made = io.open, os.replace, os.mkdir

    def open_(place: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        writes = bool(set(mode) & set("wax+"))
        reads = reading is not None and not writes and Path(place).name == reading
        check(place, writes if reading is None else reads)
        return opened(place, mode, *rest, **options)

    def replace(first: Any, second: Any, **options: Any) -> None:
        check(second, reading is None)
        replaced(first, second, **options)

    def mkdir(place: Any, *rest: Any, **options: Any) -> None:
        check(place, reading is None)
        made(place, *rest, **options)

    monkeypatch.setattr(io, "open", open_)
    monkeypatch.setattr("builtins.open", open_)
    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "mkdir", mkdir)


NUMBERS = [errno.ENOSPC, errno.EROFS, errno.EACCES]


@pytest.mark.parametrize("number", NUMBERS, ids=[errno.errorcode[n] for n in NUMBERS])
@pytest.mark.parametrize("command", ["sweep", "report", "export", "revote", "audit"])
def test_a_place_that_refuses_to_be_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, number: int
) -> None:
    out = folder.parent / "out"
    arguments: dict[str, list[Any]] = {
        "sweep": [write_sweep(tmp_path), "--root", folder.parent],
        "audit": [folder, "--json", out / "audit.json"],
    }
    given = arguments.get(command, [folder, "--out", out])
    refuse(monkeypatch, number, folder.parent)
    assert_refused(call(command, *given), folder.parent, os.strerror(number))


@pytest.mark.parametrize("command", ["status", "sweep", "dry-run", "audit", "revote", "plan"])
def test_a_file_that_refuses_to_be_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Another user's: what is damaged is told apart from what the system refuses."""
    file = write_sweep(tmp_path)
    in_root = [file, "--root", folder.parent]
    given: dict[str, tuple[str, list[Any]]] = {
        "plan": ("plan", [file]),
        "sweep": ("sweep", in_root),
        "dry-run": ("sweep", [*in_root, "--dry-run"]),
        "revote": ("revote", [folder, "--out", tmp_path / "out"]),
    }
    name, arguments = given.get(command, (command, [folder]))
    read = "micro.yaml" if command == "plan" else "status.json"
    if "sweep" in name:
        SweepStore(folder.parent, "micro").run(plan_of(file).runs[0].run_id).update_status()
    refuse(monkeypatch, errno.EACCES, tmp_path, reading=read)
    assert_refused(call(name, *arguments), read, os.strerror(errno.EACCES))


def plan_of(file: Path) -> Plan:
    return plan_sweep(load_sweep(file))


def test_what_duckdb_may_not_read_is_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise duckdb.IOException("IO Error: Could not write /tmp/x: No space left on device")

    monkeypatch.setattr(WORKERS["report"], fail)
    assert_refused(call("report", folder), "No space left on device")


NASTY = "\x1b[2J\x1b]0;title\x07\x9b5Ax\u202efdp"


@pytest.mark.parametrize("command", ["status", "audit", "revote", "report", "export", "dry-run"])
def test_no_command_lets_a_folder_speak_to_the_terminal(
    folder: Path, tmp_path: Path, command: str
) -> None:
    """Names, errors and files of a folder hold escape sequences; none reaches the terminal."""
    plan = json.loads((folder / "plan.json").read_text())
    run_id = plan["runs"][0]["run_id"]
    plan["runs"][0] |= {"variant": NASTY, "model": NASTY, "dataset": NASTY}
    (folder / "plan.json").write_text(json.dumps(plan))
    run = Folder(folder / run_id)
    run.update_status(state="failed", error=f"Traceback\nValueError: {NASTY}", note=NASTY)
    (run.rollouts_path / f"{NASTY.replace('/', '')}.parquet").write_bytes(b"no part")
    shutil.copytree(folder / plan["runs"][1]["run_id"], folder / f"old{NASTY}")
    given: dict[str, list[Any]] = {
        "dry-run": ["sweep", write_sweep(tmp_path), "--root", folder.parent, "--dry-run"],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        result = call(*given.get(command, [command, folder]))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "old" in result.output or command in ("report", "export", "revote")
    said = result.output + result.stderr
    assert not [char for char in said if char in "\x1b\x07\x9b\u202e"]


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
