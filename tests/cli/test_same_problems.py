"""`plan`, `sweep --dry-run` and `sweep` find the same mistakes, say the same, and end the same."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from srtbench.cli import main
from tests.micro import write_sweep

ROWS = '{"question": "1+1", "answer": "2"}\n' * 3
MISTAKES: dict[str, dict[str, Any]] = {
    "a file that is not there": {"datasets": ["none.jsonl"]},
    "a gold answer without a key": {
        "datasets": [{"type": "file", "path": "rows.jsonl", "answer_kind": "choice"}]
    },
    "a class that is not there": {"variants": ["srt", {"type": "python", "path": "mine.py:Mine"}]},
    "sections that do not fit together": {"train": {"micro_batch_size": 7}},
    "a tool that is not installed": {"train": {"trl": {"report_to": "dvclive"}}},
    "two at once, of the plan and of the data": {
        "train": {"micro_batch_size": 7},
        "datasets": [{"type": "file", "path": "rows.jsonl", "question_column": "ask"}],
    },
}
COMMANDS = {"plan": ["plan"], "dry run": ["sweep", "--dry-run"], "sweep": ["sweep"]}


def call(command: list[str], file: Path, *options: object) -> Result:
    root = ["--root", str(file.parent / "runs")]
    return CliRunner().invoke(main, [*command, str(file), *root, *map(str, options)])


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_in_the_same_words(name: str, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(ROWS)
    (tmp_path / "mine.py").write_text("")
    file = write_sweep(tmp_path, **MISTAKES[name])
    results = {title: call(command, file) for title, command in COMMANDS.items()}
    assert {one.exit_code for one in results.values()} == {2}
    (said,) = {one.stderr for one in results.values()}
    assert f"error: {file}: " in said
    assert results["dry run"].stdout == "", "nothing is listed that would not be run"
    assert not (tmp_path / "runs").exists()


def test_a_dry_run_warns_as_a_plan_does(tmp_path: Path) -> None:
    rows = "".join(f'{{"question": "{n}+1", "answer": "{n + 1}"}}\n' for n in range(40))
    (tmp_path / "rows.jsonl").write_text(rows)
    dataset = {"type": "file", "path": "rows.jsonl", "answer_kind": "text"}
    dataset |= {"prompt_template": "{question}=", "target_template": "{answer}"}
    dataset |= {"answer_style": "text"}
    model = {"type": "tiny", "alphabet": "0123456789+="}
    file = write_sweep(
        tmp_path, models=[model], datasets=[dataset], train={"max_completion_length": 4}
    )
    planned, dry = (call(COMMANDS[name], file) for name in ("plan", "dry run"))
    assert planned.exit_code == dry.exit_code == 0, planned.output + dry.output
    assert planned.stderr == dry.stderr
    assert "warning: line" in dry.stderr
