"""The same import again, with nothing new: told from what the system says of the files alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import srtbench
from srtbench.imports.looked import LOOKED, ImportResult, call_of, nothing_new

COLUMNS: dict[str, Any] = {"columns": {"prompt": "q", "completion": "a", "step": "s"}}


def line(step: int, answer: int) -> str:
    record = {"q": "What is it?", "a": f"\\boxed{{{answer}}}", "s": step}
    return json.dumps(record) + "\n"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "1.jsonl").write_text(line(1, 5) + "{\n" + line(1, 6), encoding="utf-8")
    (tmp_path / "map.yaml").write_text(json.dumps(COLUMNS), encoding="utf-8")
    return tmp_path


def imported(study: Path, **labels: Any) -> ImportResult:
    return srtbench.import_rollouts(
        study / "log", out=study / "out", map=study / "map.yaml", labels=labels
    )


def known(study: Path, **labels: Any) -> ImportResult | None:
    options = dict.fromkeys(("format", "style", "kind", "tokenizer"))
    call = call_of([study / "log"], study / "map.yaml", labels, **options)
    return nothing_new(study / "out", call, [study / "log"])


def test_the_second_of_equal_calls_says_what_the_import_would(study: Path) -> None:
    assert known(study, seed=3) is None
    first = imported(study, seed=3)
    assert (first.rows, first.total, first.skipped) == (2, 2, 1)
    assert known(study, seed="3") == replace(first, rows=0) == imported(study, seed=3)
    assert known(study, seed=3) is not None
    assert known(study, seed=4) is None


def grow(study: Path) -> None:
    with (study / "log" / "1.jsonl").open("a", encoding="utf-8") as log:
        log.write(line(2, 7))


def change_in_place(study: Path) -> None:
    """Of equal size, with the time of its last change put back."""
    log = study / "log" / "1.jsonl"
    times = log.stat()
    log.write_text(log.read_text(encoding="utf-8").replace("6", "8"), encoding="utf-8")
    os.utime(log, ns=(times.st_atime_ns, times.st_mtime_ns))


def add_a_file(study: Path) -> None:
    (study / "log" / "more").mkdir()
    (study / "log" / "more" / "2.jsonl").write_text(line(2, 7), encoding="utf-8")


def remove(study: Path) -> None:
    (study / "log" / "1.jsonl").unlink()


def other_map(study: Path) -> None:
    content = COLUMNS | {"phase": "eval"}
    (study / "map.yaml").write_text(json.dumps(content), encoding="utf-8")


def damaged_run(study: Path) -> None:
    next(study.glob("out/*/config.json")).write_text("{", encoding="utf-8")


def cut_short(study: Path) -> None:
    (next(study.glob("out/*/config.json")).parent / ".moving").touch()


def lost_part(study: Path) -> None:
    next(study.glob("out/*/rollouts/*.parquet")).unlink()


def unplanned(study: Path) -> None:
    (study / "out" / "plan.json").unlink()


def damaged_memory(study: Path) -> None:
    next(study.glob(f"out/*/{LOOKED}")).write_text("[]", encoding="utf-8")


@pytest.mark.parametrize("said", [{"total": "2"}, {"damaged": 5}, {"others": [1]}, {"more": 0}])
def test_a_memory_of_wrong_types_counts_for_nothing(study: Path, said: dict[str, Any]) -> None:
    imported(study)
    (memory,) = study.glob(f"out/*/{LOOKED}")
    content = json.loads(memory.read_bytes())
    memory.write_text(json.dumps(content | {"said": content["said"] | said}), encoding="utf-8")
    assert known(study) is None
    assert imported(study).total == 2


def test_a_link_to_nothing_in_a_log_is_no_file_of_it(study: Path) -> None:
    (study / "log" / "latest.jsonl").symlink_to(study / "gone.jsonl")
    assert imported(study).total == 2
    assert known(study) is not None
    (study / "gone.jsonl").write_text(line(2, 7), encoding="utf-8")
    assert known(study) is None
    assert imported(study).total == 3


CHANGES = [
    grow, change_in_place, add_a_file, remove, other_map, damaged_run, cut_short, lost_part,
    unplanned, damaged_memory,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_whatever_changed_is_looked_at(study: Path, change: Callable[[Path], None]) -> None:
    imported(study)
    assert known(study) is not None
    change(study)
    assert known(study) is None


def test_the_command_then_loads_no_reader(study: Path) -> None:
    """Nor anything else that takes longer than the command line itself."""
    given = ["import", study / "log", "--map", study / "map.yaml", "--out", study / "out"]
    code = (
        "import sys; from srtbench.cli.app import main\n"
        f"try: main({[str(one) for one in given]!r})\n"
        "except SystemExit as end: assert not end.code\n"
        "heavy = {'numpy', 'pyarrow', 'duckdb', 'pydantic', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        ).stdout.splitlines()
        for _ in range(2)
    ]
    assert "2 new rollouts" in said[0][0]
    assert "0 new rollouts, 2 in all" in said[1][0]
    assert said[0][1:-1] == said[1][1:-1]
    assert (said[0][-1], said[1][-1]) != ("[]", "[]")
    assert said[1][-1] == "[]"
