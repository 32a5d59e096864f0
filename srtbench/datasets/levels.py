"""A level number as options of a Reasoning Gym task."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from srtbench.config.datasets import ReasoningGymDataset
from srtbench.config.packaged import packaged_table
from srtbench.datasets.problems import DatasetError
from srtbench.sections import deep_merge

_TOKEN = "{level}"


@cache
def builtin_rules() -> dict[str, dict[Any, Any]]:
    """Task -> level rule, from the packaged ``levels.yaml``."""
    return packaged_table("srtbench.datasets", "levels.yaml")


def task_options(dataset: ReasoningGymDataset, level: int | None) -> dict[str, Any]:
    """Options of the task at ``level``: those of the level rule, then ``config`` on top.

    Raises:
        DatasetError: a level without a rule, a level that the rule does not list, a rule of mixed
            form, or an option that both the rule and ``config`` set.
    """
    if level is None:
        return dict(dataset.config)
    rule = dataset.level_rule
    if rule is None:
        rule = builtin_rules().get(dataset.task)
    if not rule:
        raise DatasetError(
            f"{dataset.task}: level {level} given, but there is no built-in level rule; say what "
            f"a level means, e.g. level_rule: {{some_option: '{_TOKEN}'}}, or level by level: "
            f"level_rule: {{{level}: {{some_option: 10}}}}"
        )
    options = _apply(rule, level, dataset.task)
    clash = sorted(_leaves(options) & _leaves(dataset.config))
    if clash:
        raise DatasetError(
            f"{dataset.task}: {', '.join(clash)}: set by the level rule and by config; "
            "keep one of them, or write a level_rule"
        )
    return deep_merge(options, dataset.config)


def _apply(rule: Mapping[Any, Any], level: int, task: str) -> dict[str, Any]:
    listed = {number: value for key, value in rule.items() if (number := _number(key)) is not None}
    if not listed:
        return {str(key): _fill(value, level) for key, value in rule.items()}
    if len(listed) != len(rule):
        raise DatasetError(f"{task}: level_rule: give options or levels as keys, not both")
    if level not in listed:
        known = ", ".join(map(str, sorted(listed)))
        raise DatasetError(f"{task}: level_rule: no level {level}; it lists {known}")
    options = listed[level]
    if not isinstance(options, Mapping):
        raise DatasetError(f"{task}: level_rule: level {level} must be a mapping of options")
    return {str(key): _fill(value, level) for key, value in options.items()}


def _number(key: Any) -> int | None:
    try:
        return int(key)
    except ValueError:
        return None


def _fill(value: Any, level: int) -> Any:
    """``"{level}"`` becomes the number; in a longer text it becomes its digits."""
    if isinstance(value, Mapping):
        return {str(key): _fill(inner, level) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, level) for inner in value]
    if value == _TOKEN:
        return level
    return value.replace(_TOKEN, str(level)) if isinstance(value, str) else value


def _leaves(options: Mapping[str, Any], prefix: str = "") -> set[str]:
    names: set[str] = set()
    for key, value in options.items():
        inner = isinstance(value, Mapping)
        names |= _leaves(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}"}
    return names
