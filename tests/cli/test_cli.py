"""The command line: help, exit codes, and messages a user can act on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import srtbench as package
from tests.micro import FinishedSweep, srtbench, write_sweep

COMMANDS = [
    "plan",
    "sweep",
    "status",
    "report",
    "export",
    "revote",
    "audit",
    "import",
    "check",
    "schema",
    "init",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    result = srtbench(command, "--help")
    assert result.returncode == 0
    assert "Examples:" in result.stdout
    assert f"srtbench {command} " in result.stdout


def test_help_lists_every_command() -> None:
    result = srtbench("--help")
    assert all(command in result.stdout for command in COMMANDS)


def test_light_commands_import_nothing_heavy() -> None:
    code = (
        "import sys, srtbench.cli\n"
        "heavy = {'torch', 'trl', 'transformers', 'pandas', 'pyarrow', 'duckdb', 'pydantic'}\n"
        "sys.exit(f'imported {heavy & set(sys.modules)}' if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_public_names_resolve_and_are_all_there_is() -> None:
    assert sorted(package.__all__) == sorted(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


def test_a_wrong_sweep_file_is_exit_code_two(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("name: bad\nmodels: [tinny]\n")
    for command in ("plan", "sweep"):
        result = srtbench(command, file)
        assert result.returncode == 2
        assert "did you mean 'tiny'?" in result.stderr
        assert "key 'datasets' is missing" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("varient=srt", "unknown axis 'varient'; did you mean 'variant'?"),
        ("variant=srtt", "unknown variant 'srtt'; did you mean 'srt'?"),
        ("srt", "write AXIS=LABEL"),
    ],
)
def test_a_wrong_selection_is_named(tmp_path: Path, only: str, message: str) -> None:
    result = srtbench("sweep", write_sweep(tmp_path), "--only", only, "--dry-run")
    assert result.returncode == 2
    assert message in result.stderr


def test_dry_run_starts_nothing(tmp_path: Path) -> None:
    result = srtbench(
        "sweep",
        write_sweep(tmp_path),
        "--root",
        tmp_path / "runs",
        "--only",
        "variant=srt,variant=gold,seed=0",
        "--dry-run",
    )
    assert result.returncode == 0
    assert result.stdout.count("run ") == 2
    assert not (tmp_path / "runs").exists()


def test_report_and_status_of_no_sweep_say_so(tmp_path: Path) -> None:
    for command in ("report", "status"):
        result = srtbench(command, tmp_path)
        assert result.returncode == 2
        assert "no plan.json there" in result.stderr


def test_status_and_report_of_a_finished_sweep(micro_sweep: FinishedSweep, tmp_path: Path) -> None:
    folder = tmp_path / "micro"
    shutil.copytree(micro_sweep.store.path, folder)
    status = srtbench("status", folder)
    assert status.returncode == 0
    assert status.stdout.count("done") == 4
    report = srtbench("report", folder)
    assert report.returncode == 0, report.stderr
    for line in report.stdout.splitlines():
        assert Path(line.split(maxsplit=1)[1]).exists(), "what is printed is there"
    assert (folder / "report" / "report.html").is_file()


FIXTURE = Path(__file__).parents[1] / "fixtures" / "smoke"


def test_export_writes_what_it_prints(tmp_path: Path) -> None:
    out = tmp_path / "tables"
    result = srtbench("export", FIXTURE, "--out", out, "--format", "csv", "--format", "latex")
    assert result.returncode == 0, result.stderr
    printed = [Path(line) for line in result.stdout.splitlines()]
    assert sorted(printed) == sorted(out.iterdir())
    assert {path.suffix for path in printed} == {".csv", ".tex"}
    assert "\\toprule" in (out / "differences.tex").read_text()
    assert (out / "runs.csv").read_text().count("\n") == 6


def test_export_goes_into_the_sweep_by_default(tmp_path: Path) -> None:
    folder = tmp_path / "smoke"
    shutil.copytree(FIXTURE, folder)
    assert srtbench("export", folder, "--format", "parquet").returncode == 0
    assert {path.suffix for path in (folder / "export").iterdir()} == {".parquet"}


def test_export_of_the_wrong_things_is_exit_code_two(tmp_path: Path) -> None:
    nowhere = srtbench("export", tmp_path)
    assert nowhere.returncode == 2
    assert "no plan.json there" in nowhere.stderr
    unknown = srtbench("export", FIXTURE, "--format", "xml")
    assert unknown.returncode == 2
    assert "'csv', 'parquet', 'latex'" in unknown.stderr
    (tmp_path / "file").write_text("taken")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        result = srtbench("export", FIXTURE, "--out", out)
        assert result.returncode == 2
        assert "file" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_broken_data_row_is_named(tmp_path: Path) -> None:
    file = write_sweep(tmp_path)
    lines = (tmp_path / "swap.jsonl").read_text().splitlines()
    lines[6] = '{"question": "ab"'
    (tmp_path / "swap.jsonl").write_text("\n".join(lines))
    result = srtbench("sweep", file, "--root", tmp_path / "runs", "--only", "variant=srt")
    assert result.returncode == 2, "before anything is trained"
    assert "datasets[0].path: swap.jsonl: row 7" in result.stderr
    assert "row 7" in result.stderr
