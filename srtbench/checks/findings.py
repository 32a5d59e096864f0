"""What checks find, with its place in the sweep file."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from srtbench.config.errors import ConfigError, Problem
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.yaml_source import KeyPath, YamlSource, read_yaml
from srtbench.plan import Origin


class Place(NamedTuple):
    """A key of a sweep file, or of the part that has a name."""

    part: str | None
    keys: KeyPath

    def below(self, *keys: str | int) -> "Place":
        """A key within it."""
        return Place(self.part, (*self.keys, *keys))


class Findings:
    """Mistakes that would stop a run, warnings, and what was looked at; each is kept once."""

    def __init__(self, config: SweepConfig | SweepOfParts):
        self._source = config.source
        self._grids: dict[str | None, SweepConfig] = (
            {grid.name: grid for grid in config.grids}
            if isinstance(config, SweepOfParts)
            else {None: config}
        )
        self._problems: dict[tuple[Place, str], None] = {}
        self._warnings: dict[tuple[Place, str], None] = {}
        self._files: dict[str | None, YamlSource | None] = {}

    def problem(self, place: Place, message: str) -> None:
        """Note a mistake."""
        self._problems[place, message] = None

    def warning(self, place: Place, message: str) -> None:
        """Note something that trains, and is probably not meant."""
        self._warnings[place, message] = None

    @property
    def problems(self) -> list[Problem]:
        """The mistakes, in the order of the files."""
        return self._located(self._problems)

    @property
    def warnings(self) -> list[Problem]:
        """The warnings, in the order of the files."""
        return self._located(self._warnings)

    def grid(self, part: str | None) -> SweepConfig:
        """The sweep, or the part of that name."""
        return self._grids[part]

    def dataset(self, origin: Origin) -> Place:
        """The dataset entry of a run."""
        return Place(origin.part, ("datasets", origin.dataset))

    def model(self, origin: Origin) -> Place:
        """The model entry of a run."""
        return Place(origin.part, ("models", origin.model))

    def variant(self, origin: Origin) -> Place:
        """The variant entry of a run."""
        return Place(origin.part, ("variants", origin.variant))

    def eval_set(self, origin: Origin, label: str) -> Place:
        """An entry of `eval_sets:`."""
        labels = [entry.label for entry in self.grid(origin.part).eval_sets]
        return Place(origin.part, ("eval_sets", labels.index(label)))

    def written(self, origin: Origin, section: str, key: str) -> Place | None:
        """Where a key of `train` or `eval` is written that counts for a run; None: nowhere."""
        grid = self.grid(origin.part)
        entries = [
            (self.variant(origin), grid.variants[origin.variant]),
            (self.dataset(origin), grid.datasets[origin.dataset]),
            (self.model(origin), grid.models[origin.model]),
            (Place(origin.part, ()), grid),
        ]
        for place, entry in entries:
            if getattr(getattr(entry, section), key) is not None:
                return place.below(section, key)
        return None

    def of_training(self, origin: Origin, key: str, message: str) -> None:
        """Note a mistake in a value of `train` that may be its preset's."""
        place = self.written(origin, "train", key)
        hint = "" if place is not None else f" (the preset's: write train.{key})"
        self.problem(place or self.model(origin), message + hint)

    def _located(self, found: Iterable[tuple[Place, str]]) -> list[Problem]:
        listed = []
        for place, message in found:
            file = self._file(place.part)
            line = file.line(place.keys) if file is not None else None
            part = self._path(place.part) if place.part is not None else None
            listed.append(Problem(message, place.keys, line, part))
        return sorted(listed, key=lambda one: (str(one.file or ""), one.line or 0))

    def _path(self, part: str | None) -> Path:
        return self._grids[part].source

    def _file(self, part: str | None) -> YamlSource | None:
        """The text of a sweep; None where it was made in code."""
        if part not in self._files:
            try:
                self._files[part] = read_yaml(self._path(part))
            except (ConfigError, OSError):
                self._files[part] = None
        return self._files[part]
