"""The points of a grid, and where their sections stand in the sweep file."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from srtbench.config.models import ModelConfig, TinyModel
from srtbench.config.sweep import SweepConfig


class Origin(NamedTuple):
    """Places in the lists of a sweep file; ``part``: name of the part of the sweep, if it has any.

    Where several entries make the same run, those of the first.
    """

    part: str | None
    model: int
    dataset: int
    variant: int


def points(config: SweepConfig, part: str | None) -> Iterator[tuple[Any, Any, Any, Origin]]:
    """Model, dataset and variant of each point of a grid, and where they stand."""
    for first, model in config.used("models"):
        for second, dataset in config.used("datasets"):
            for third, variant in config.used("variants"):
                yield model, dataset, variant, Origin(part, first, second, third)


def with_seed(model: ModelConfig, seed: int) -> ModelConfig:
    """A tiny model whose start model is the run's own gets the run's seed."""
    if isinstance(model, TinyModel) and model.warm_start.seed == "run":
        warm_start = model.warm_start.model_copy(update={"seed": seed})
        return model.model_copy(update={"warm_start": warm_start})
    return model


def excluded(config: SweepConfig, model: Any, dataset: Any, variant: Any, seed: int) -> bool:
    """Whether the file leaves out that cell."""
    values = {
        "model": model.label,
        "dataset": dataset.label,
        "variant": variant.label,
        "seed": seed,
    }
    return any(
        all(
            getattr(rule, axis) is None or value in getattr(rule, axis)
            for axis, value in values.items()
        )
        for rule in config.exclude
    )
