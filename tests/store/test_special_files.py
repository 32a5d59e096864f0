"""What has the name of a file and is none: a pipe would be waited for, a device has no end."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from srtbench.analysis import open_sweep
from srtbench.analysis.warehouse.open import CorruptFileWarning
from srtbench.cli import main
from srtbench.cli.evidence_text import MAX_LINE

LEGACY = Path(__file__).parents[1] / "fixtures" / "legacy"
RUN = "micro/tiny-swap-ema-teacher-s0-4b2ab87d"
PART = f"{RUN}/rollouts/eval-00000006-00000006.parquet"

KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to nothing": lambda path: path.symlink_to("nowhere"),
    "link to itself": lambda path: path.symlink_to(path.name),
}
FILES = [f"{RUN}/config.json", f"{RUN}/status.json", f"{RUN}/metrics.parquet", PART]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A copy of a finished sweep and its stages."""
    return Path(shutil.copytree(LEGACY, tmp_path / "runs"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("file", [*FILES, "micro/plan.json"])
def test_no_command_opens_it_and_the_audit_names_it(runs: Path, file: str, kind: str) -> None:
    path = runs / file
    path.unlink()
    KINDS[kind](path)
    for command in ("status", "audit"):
        result = CliRunner().invoke(main, [command, str(runs / "micro")])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        if command == "audit" or file.endswith("plan.json"):
            assert result.exit_code in (1, 2)
            lines = [line for line in result.output.splitlines() if path.name in line]
            assert any("is no regular file" in line or "gone" in line for line in lines), lines


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to nothing"])
@pytest.mark.parametrize("file", FILES)
def test_a_report_leaves_it_out_and_says_so(runs: Path, file: str, kind: str) -> None:
    """Before, it was passed over in silence, and the numbers were those of the other files."""
    path = runs / file
    path.unlink()
    KINDS[kind](path)
    with pytest.warns(CorruptFileWarning, match=f"{path.name}.*is no regular file"):
        connection = open_sweep(runs / "micro")
    assert connection.execute("SELECT count(*) FROM damaged_files").fetchone() == (1,)


def test_a_name_that_is_no_utf_8_is_named_and_changes_nothing(runs: Path) -> None:
    (runs / RUN / "rollouts" / os.fsdecode(b"eval-\xff.parquet")).write_bytes(b"PAR1")
    with pytest.warns(CorruptFileWarning, match="xff.parquet is left out: not a part of the log"):
        connection = open_sweep(runs / "micro")
    assert connection.execute("SELECT count(*) FROM damaged_files").fetchone() == (1,)
    result = CliRunner().invoke(main, ["audit", str(runs / "micro")])
    assert result.exit_code == 1
    assert "is no part of the log" in result.output


@pytest.mark.parametrize("name", ["eval-0000000\u0669-0000000\u0669.parquet", "eval-1.parquet\n"])
def test_a_name_that_only_looks_like_a_part_is_none(runs: Path, name: str) -> None:
    shutil.copy(runs / PART, (runs / PART).with_name(name))
    with pytest.warns(CorruptFileWarning, match="not a part of the log"):
        open_sweep(runs / "micro")
    result = CliRunner().invoke(main, ["audit", str(runs / "micro")])
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if "is no part of the log" in line]
    assert line.startswith("  rollouts/eval-")


def test_a_plan_with_half_a_character_is_named(runs: Path) -> None:
    plan = runs / "micro" / "plan.json"
    content = json.loads(plan.read_text())
    content["runs"][0]["variant"] = "\ud800"
    plan.write_text(json.dumps(content))
    result = CliRunner().invoke(main, ["status", str(runs / "micro")])
    assert result.exit_code == 2
    assert "plan.json: holds a lone surrogate" in result.output


def test_a_long_value_is_cut_where_the_audit_prints_it(runs: Path) -> None:
    plan = runs / "micro" / "plan.json"
    content = json.loads(plan.read_text())
    content["runs"][0]["variant"] = "x" * 100_000
    plan.write_text(json.dumps(content))
    result = CliRunner().invoke(main, ["audit", str(runs / "micro")])
    assert result.exit_code == 1
    assert "variant: is 'xxx" in result.output
    assert max(map(len, result.output.splitlines())) <= MAX_LINE + len("...")
