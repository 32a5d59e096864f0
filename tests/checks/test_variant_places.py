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

PAIRS = """
import numpy as np
from srtbench.variants import Judgement, Pick, RoundsVariant


class Pairs(RoundsVariant):
    objective = "dpo"

    def judge(self, group, rng):
        return Judgement(np.ones(len(group.completions)))

    def select(self, candidates, rng):
        return [PICKS]
"""


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


@pytest.mark.parametrize(
    ("picks", "message"),
    [
        ('Pick(0, "chosen", 0.7), Pick(1, "rejected", 0.5)', "are not pairs of one weight"),
        ('Pick(0, "chosen")', "are not pairs of one weight"),
        ('Pick(0, "chosen"), Pick(0, "rejected")', "[0, 0] of 4; each may stand there once"),
        ('Pick(0, "chosen", 0), Pick(1, "rejected", 0)', "a weight that is not a number above 0"),
        ('Pick(0, "chosen", "1"), Pick(1, "rejected", "1")', "index and weight are numbers"),
        ('Pick("0", "chosen"), Pick(1, "rejected")', "index and weight are numbers"),
    ],
)
def test_picks_that_cannot_be_fitted_on_are_found_before_anything_is_sampled(
    tmp_path: Path, picks: str, message: str
) -> None:
    (tmp_path / "pairs.py").write_text(PAIRS.replace("PICKS", picks))
    entry = {"type": "python", "path": "pairs.py:Pairs"}
    (said,) = messages(tmp_path, ["srt", entry]).values()
    assert message in said


def test_a_select_that_takes_something_else_is_found_when_the_file_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Short.select takes \(self, candidates\), and is"):
        messages(tmp_path, [{"type": "python", "path": "own.py:Short"}])
