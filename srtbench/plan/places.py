"""Where a sweep file says what a run is made of: its keys, their files and their lines."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from srtbench.config.errors import ConfigError, Problem
from srtbench.config.misfit import Misfit
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.yaml_source import KeyPath, YamlSource, read_yaml
from srtbench.plan.grid import Origin


class Place(NamedTuple):
    """A key of a sweep file, or of the part that has a name."""

    part: str | None
    keys: KeyPath

    def below(self, *keys: str | int) -> "Place":
        """A key within it."""
        return Place(self.part, (*self.keys, *keys))


class Places:
    """The keys of a sweep, or of its parts; files are read when the first line is asked for."""

    def __init__(self, config: SweepConfig | SweepOfParts):
        self._grids: dict[str | None, SweepConfig] = (
            {grid.name: grid for grid in config.grids}
            if isinstance(config, SweepOfParts)
            else {None: config}
        )
        self._whole = config
        self._files: dict[str | None, YamlSource | None] = {}

    def grid(self, part: str | None) -> SweepConfig:
        """The sweep, or the part of that name."""
        return self._grids[part]

    def problem(self, place: Place, message: str) -> Problem:
        """A mistake there, with its line, and its file if there are several."""
        source = self._source(place.part)
        line = source.line(place.keys) if source is not None else None
        file = self._path(place.part) if place.part is not None else None
        return Problem(message, place.keys, line, file)

    def of_misfit(self, origin: Origin, found: Misfit, stage: int | None) -> Place:
        """Where a misfit of a cell is written; if nowhere, the entry it is of.

        Args:
            stage: number of the stage of a curriculum, from 0.
        """
        for key in found.keys:
            for place in self._of_key(origin, key, stage):
                source = self._source(place.part)
                if source is not None and place.keys in source.lines:
                    return place
        return next(self._entries(origin, found.keys[0].partition(".")[0], stage))

    def _of_key(self, origin: Origin, key: str, stage: int | None) -> Iterator[Place]:
        """Where a key may be written, the one that counts first."""
        first, *rest = key.split(".")
        overridden = first in ("train", "eval")
        for place in self._entries(origin, first, stage):
            yield place.below(first, *rest) if overridden else place.below(*rest)

    def _entries(self, origin: Origin, first: str, stage: int | None) -> Iterator[Place]:
        entry = {
            axis: Place(origin.part, (f"{axis}s", getattr(origin, axis)))
            for axis in ("variant", "dataset", "model")
        }
        if first in ("train", "eval", "variant"):
            if stage is not None:
                here = entry["variant"].below("stages", stage)
                yield from (here.below("variant"), here)
            yield entry["variant"]
            if first != "variant":
                yield from (entry["dataset"], entry["model"], Place(origin.part, ()))
        elif first == "execution":  # that of the parts is not looked at
            yield Place(None, (first,))
        else:
            yield entry.get(first, Place(origin.part, (first,)))

    def _path(self, part: str | None) -> Path:
        return (self._whole if part is None else self._grids[part]).source

    def _source(self, part: str | None) -> YamlSource | None:
        """The text of a sweep; None where it was made in code."""
        if part not in self._files:
            try:
                self._files[part] = read_yaml(self._path(part))
            except (ConfigError, OSError):
                self._files[part] = None
        return self._files[part]


def located(places: Places, found: Iterable[tuple[Place, str]]) -> list[Problem]:
    """Mistakes in the order of the files."""
    listed = [places.problem(place, message) for place, message in found]
    return sorted(listed, key=lambda one: (str(one.file or ""), one.line or 0))
