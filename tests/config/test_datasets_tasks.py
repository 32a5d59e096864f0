"""The reviewed table of Reasoning Gym tasks, the script that checks it, and the page it writes."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from srtbench.config.tasks import majority_allowed, task_reviews
from srtbench.datasets.gym import tasks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "scripts" / "reasoning_gym_table.py"
    specification = importlib.util.spec_from_file_location("reasoning_gym_table", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_task_is_reviewed() -> None:
    assert set(task_reviews()) == {*tasks(), "composite"}
    assert all(review.reason.strip() for review in task_reviews().values())


def test_majority_allowed() -> None:
    assert majority_allowed("spell_backward") == (True, "one word")
    allowed, reason = majority_allowed("countdown")
    assert not allowed
    assert reason == "many expressions give the target"
    assert majority_allowed("a_new_task") == (True, "a_new_task has not been reviewed")


def test_the_page_shows_every_task_as_reviewed() -> None:
    page = (ROOT / "docs" / "reasoning_gym.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (yes|\*\*no\*\*) \|", page, re.MULTILINE))
    assert rows == {
        task: "yes" if review.unique else "**no**" for task, review in task_reviews().items()
    }
    assert "not examined" not in page


@pytest.mark.parametrize(
    ("task", "answer", "metadata"),
    [("bitwise_arithmetic", False, True), ("gcd", True, False), ("survo", False, True)],
)
def test_examination_sees_where_gold_comes_from(
    script: ModuleType, task: str, answer: bool, metadata: bool
) -> None:
    facts = script.examine(task, count=5)
    assert facts["gold"] == facts["gold_full_marks"] == 5
    assert (facts["uses_answer"], facts["uses_metadata"]) == (answer, metadata)
    assert script.contradictions(task, facts, task_reviews()[task]) == []


def test_examination_sees_partial_credit_and_lenient_scorers(script: ModuleType) -> None:
    assert script.examine("knights_knaves", count=5)["partial"]
    assert script.examine("bitwise_arithmetic", count=5)["partial"] == []
    facts = script.examine("game_of_life_halting", count=5)
    assert facts["other_full_marks"]
    review = task_reviews()["game_of_life_halting"]
    assert script.contradictions("x", facts, review) == []
    assert script.contradictions("x", facts, task_reviews()["gcd"])
    assert script.contradictions("x", facts, None) == ["x: not in tasks.yaml"]
