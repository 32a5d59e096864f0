"""Level rules: both forms, their errors, and valid items for every built-in rule."""

from itertools import islice
from typing import Any

import pytest

from srtbench.config.datasets import ReasoningGymDataset
from srtbench.datasets import DatasetError
from srtbench.datasets.gym import stream_items, tasks
from srtbench.datasets.levels import builtin_rules, task_options

ITEMS = 3
# Three levels that a rule with "{level}" takes; the rest take 3, 4 and 5.
LEVELS = {
    "string_insertion": (5, 8, 12),
    "palindrome_partitioning": (5, 6, 8),
    "course_schedule": (5, 7, 9),
    "zebra_puzzles": (2, 3, 4),
    "futoshiki": (4, 5, 6),
    "modulo_grid": (6, 8, 10),
    "arc_1d": (10, 20, 30),
    "tsumego": (6, 9, 13),
    "sudoku": (10, 20, 30),
    "bf": (1, 2, 3),
    "codeio": (4, 5, 6),
    "needle_haystack": (10, 20, 50),
    "mahjong_puzzle": (5, 10, 20),
    "number_sequence": (2, 4, 9),  # an upper bound, as the next four
    "quantum_lock": (2, 4, 9),
    "rectangle_count": (2, 4, 9),
    "string_splitting": (2, 3, 9),
    "string_synthesis": (2, 3, 9),
}


def _levels(task: str) -> tuple[int, ...]:
    listed = sorted(key for key in builtin_rules()[task] if isinstance(key, int))
    if listed:
        return listed[0], listed[len(listed) // 2], listed[-1]
    return LEVELS.get(task, (3, 4, 5))


@pytest.mark.parametrize("task", sorted(builtin_rules()))
def test_built_in_rules_give_valid_items(task: str) -> None:
    questions = []
    for level in _levels(task):
        dataset = ReasoningGymDataset(task=task, level=level)
        items = list(islice(stream_items(dataset, level), ITEMS))
        assert all(item.question.strip() and item.answer.strip() for item in items)
        assert {item.level for item in items} == {level}
        assert len({item.question for item in items}) > 1
        questions.append([item.question for item in items])
    assert questions[0] != questions[1] != questions[2]


def test_built_in_rules_are_for_tasks_that_exist() -> None:
    assert set(builtin_rules()) <= set(tasks())


@pytest.mark.parametrize(
    ("task", "level", "expected"),
    [
        ("spell_backward", 7, {"min_word_len": 7, "max_word_len": 7}),
        ("bitwise_arithmetic", 3, {"difficulty": 3}),
        ("family_relationships", 5, {"min_family_size": 5, "max_family_size": 5}),
        ("knights_knaves", 9, {"n_people": 9, "depth_constraint": 2, "width_constraint": 2}),
        ("gcd", 2, {"min_value": 10, "max_value": 99}),
    ],
)
def test_rules_of_known_tasks(task: str, level: int, expected: dict[str, Any]) -> None:
    assert task_options(ReasoningGymDataset(task=task, level=level), level) == expected


def test_a_written_rule_replaces_the_built_in_one() -> None:
    rule = {
        "min_terms": "{level}",
        "max_terms": "{level}",
        "nested": {"a": ["{level}", "x{level}"]},
    }
    dataset = ReasoningGymDataset(task="chain_sum", level_rule=rule, config={"nested": {"b": 1}})
    assert task_options(dataset, 4) == {
        "min_terms": 4,
        "max_terms": 4,
        "nested": {"a": [4, "x4"], "b": 1},
    }


@pytest.mark.parametrize("key", [int, str])
def test_a_rule_can_list_levels(key: type) -> None:
    rule = {key(1): {"max_value": 9}, key(2): {"max_value": 99, "min_value": 10}}
    dataset = ReasoningGymDataset(task="gcd", level_rule=rule)
    assert task_options(dataset, 2) == {"max_value": 99, "min_value": 10}
    with pytest.raises(DatasetError, match="no level 3; it lists 1, 2"):
        task_options(dataset, 3)


def test_without_a_level_only_config_counts() -> None:
    dataset = ReasoningGymDataset(task="gcd", config={"max_value": 9}, level_rule={"x": "{level}"})
    assert task_options(dataset, None) == {"max_value": 9}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "syllogism"}, "syllogism: level 2 given, but there is no built-in level rule"),
        ({"task": "syllogism"}, "level_rule: {some_option: '{level}'}, or level by level"),
        ({"level_rule": {1: {"a": 1}, "b": 2}}, "give options or levels as keys, not both"),
        ({"level_rule": {2: 5}}, "level 2 must be a mapping"),
        ({"config": {"min_value": 3}}, "min_value: set by the level rule and by config"),
    ],
)
def test_rules_that_cannot_be_used(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DatasetError) as error:
        task_options(ReasoningGymDataset(**({"task": "gcd"} | options)), 2)
    assert message in str(error.value)
