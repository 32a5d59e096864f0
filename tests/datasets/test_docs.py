"""What docs/datasets.md shows is accepted, and its Python runs."""

import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from srtbench.config.datasets import (
    DatasetBase,
    DatasetConfig,
    ReasoningGymDataset,
    TableColumns,
)
from srtbench.datasets import load_problems
from srtbench.train.prompts import grader_of
from srtbench.train.stages.target_checks import check_targets

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", _blocks("yaml"))
def test_entries_are_valid(block: str) -> None:
    adapter: TypeAdapter[DatasetConfig] = TypeAdapter(DatasetConfig)
    for entry in yaml.safe_load(block)["datasets"]:
        dataset = adapter.validate_python(entry)
        if isinstance(dataset, ReasoningGymDataset):
            problems = load_problems(dataset, "eval", 5)
            assert {problem.level for problem in problems} == {dataset.level}
            check_targets(grader_of(dataset), problems)


def test_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = _blocks("python")
    exec(compile(code, "docs/datasets.md", "exec"), {})
    assert "Greatest Common Divisor" in capsys.readouterr().out


def test_every_key_of_an_entry_is_explained() -> None:
    keys = DatasetBase.model_fields.keys() | TableColumns.model_fields.keys()
    for key in keys - {"system_prompt", "train", "eval"}:
        assert f"`{key}`" in PAGE or f"    {key}: " in PAGE
