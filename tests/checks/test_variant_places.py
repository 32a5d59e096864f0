"""A class from outside is found wherever it stands in a sweep file."""

from pathlib import Path
from typing import Any

import pytest

from srtbench.checks import check_sweep
from srtbench.config import ConfigError, load_sweep
from tests.micro import write_sweep

SOURCE = """\
import numpy as np
from srtbench.variants import Judgement, RoundsVariant, Variant


class Lists(Variant):
    def judge(self, group, rng):
        return Judgement([1.0] * len(group.completions))


class Bad(RoundsVariant):
    def judge(self, group, rng):
        return Judgement(np.ones(len(group.completions)))

    def select(self, candidates, rng):
        return [0, 1]


class Short(RoundsVariant):
    def judge(self, group, rng):
        return Judgement(np.ones(len(group.completions)))

    def select(self, candidates):
        return []
"""
LISTS = {"type": "python", "path": "own.py:Lists"}


def messages(folder: Path, variants: list[Any], **changes: Any) -> dict[tuple[Any, ...], str]:
    """Key path -> what is wrong there."""
    (folder / "own.py").write_text(SOURCE)
    config = load_sweep(write_sweep(folder, variants=variants, **changes))
    return {one.key_path: one.message for one in check_sweep(config)[-1].problems}


def test_a_part_and_a_variant_that_selects(tmp_path: Path) -> None:
    said = messages(
        tmp_path,
        [
            "srt",
            {"type": "all_of", "parts": ["format", LISTS]},
            {"type": "python", "path": "own.py:Bad"},
        ],
    )
    assert {*said} == {("variants", 1, "parts", 1, "path"), ("variants", 2, "path")}
    assert "train_reward is a list, not an array" in said["variants", 1, "parts", 1, "path"]
    wrong = said["variants", 2, "path"]
    assert "Bad.select of a made-up group of 4 completions" in wrong
    assert "the list holds an int, not a Pick; write: def select(self, candidates: Cand" in wrong


def test_a_stage_of_a_curriculum(tmp_path: Path) -> None:
    task = {"type": "reasoning_gym", "task": "chain_sum", "prompt_template": "{question}"}
    stages = [{"level": 1, "variant": "srt"}, {"level": 2, "variant": LISTS}]
    said = messages(
        tmp_path, [{"type": "curriculum", "name": "climb", "stages": stages}], datasets=[task]
    )
    assert ("variants", 0, "stages", 1, "variant", "path") in said


def test_a_select_that_takes_something_else_is_found_when_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Short.select takes \(self, candidates\), and is"):
        messages(tmp_path, [{"type": "python", "path": "own.py:Short"}])
