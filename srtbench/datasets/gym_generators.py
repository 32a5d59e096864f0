"""Reasoning Gym's generators, made from the options of a task."""

from typing import Any

from srtbench.datasets.problems import DatasetError

CHUNK = 4096
"""Items per generator; some tasks plan all items of one when it is made."""


def registry() -> dict[str, tuple[Any, Any]]:
    """Name of a task -> its dataset class and config class."""
    import reasoning_gym.factory  # loads every task: about a second

    found: dict[str, tuple[Any, Any]] = reasoning_gym.factory.DATASETS
    return found


def make_generator(task: str, options: dict[str, Any], seed: int) -> Any:
    """Reasoning Gym's dataset object.

    Raises:
        DatasetError: the task refuses the options.
    """
    dataset_class, config_class = registry()[task]
    try:
        return dataset_class(config_class(**options, seed=seed, size=CHUNK))
    except Exception as error:  # tasks assert, or fail deep inside on odd values
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        reason = str(error) or type(error).__name__
        raise DatasetError(f"{task}: options refused ({given}): {reason}") from error
