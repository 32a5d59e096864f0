"""A sweep file: axes models x datasets x variants x seeds, shared sections, exclusions."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from srtbench.config.checks import cross_checks
from srtbench.config.datasets import DatasetConfig
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.eval_sets import EvalSetEntry
from srtbench.config.external import external_problems
from srtbench.config.models import ModelConfig
from srtbench.config.train import EvalOverride, ExecutionConfig, TrainOverride
from srtbench.config.translate import telling, to_problem
from srtbench.config.variants import VariantEntry
from srtbench.config.yaml_source import KeyPath, YamlSource, read_yaml
from srtbench.sections import Name, Section


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | int) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Seeds = Annotated[tuple[int, ...], BeforeValidator(_as_tuple)]


class Exclusion(Section):
    """Cells to leave out: every named axis must match; an axis left out matches all."""

    model: Names | None = None
    dataset: Names | None = None
    variant: Names | None = None
    seed: Seeds | None = None


class SweepConfig(Section):
    """A whole sweep file."""

    name: Name
    description: str = ""
    models: tuple[ModelConfig, ...] = Field(min_length=1)
    datasets: tuple[DatasetConfig, ...] = Field(min_length=1)
    variants: tuple[VariantEntry, ...] = Field(min_length=1)
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), BeforeValidator(_as_tuple)] = (0,)
    train: TrainOverride = Field(default_factory=TrainOverride)
    eval: EvalOverride = Field(default_factory=EvalOverride)
    eval_sets: tuple[EvalSetEntry, ...] = Field(
        (), description="further prompts on which every run is evaluated"
    )
    execution: ExecutionConfig = Field(default_factory=ExecutionConfig)
    exclude: tuple[Exclusion, ...] = ()

    _folder: Path = PrivateAttr(default_factory=Path)
    _source: Path | None = PrivateAttr(None)

    @property
    def folder(self) -> Path:
        """Folder that relative paths in the file start from."""
        return self._folder

    @property
    def source(self) -> Path:
        """The file, or the sweep's name where it was made in code."""
        return self._source or Path(self.name)


class SweepOfParts(Section):
    """A sweep file that is made of others: their grids, in one folder, under one command."""

    name: Name
    description: str = ""
    parts: tuple[str, ...] = Field(min_length=1, description="sweep files, relative to this one")
    execution: ExecutionConfig = Field(default_factory=ExecutionConfig)

    _grids: tuple[SweepConfig, ...] = PrivateAttr(())
    _source: Path | None = PrivateAttr(None)

    @property
    def grids(self) -> tuple[SweepConfig, ...]:
        """The parts, read."""
        return self._grids

    @property
    def source(self) -> Path:
        """The file."""
        return self._source or Path(self.name)


def load_sweep(path: str | Path) -> SweepConfig | SweepOfParts:
    """Read and check a sweep file, and its parts if it is made of others.

    Raises:
        ConfigError: with every mistake in the file, each with its line, its key path, the
            allowed values and the nearest match.
    """
    source = _read(Path(path))
    return (_load_parts if "parts" in source.content else _load_grid)(Path(path), source)


def _read(path: Path) -> YamlSource:
    source = read_yaml(path)
    if not isinstance(source.content, dict):
        raise ConfigError(path, [Problem("a sweep file is a mapping with the key 'name' ...")])
    return source


def _load_grid(path: Path, source: YamlSource) -> SweepConfig:
    problems = list(source.problems)
    config: SweepConfig | None = None
    try:
        config = SweepConfig.model_validate(source.content)
    except ValidationError as error:
        problems += [to_problem(item, source, SweepConfig) for item in telling(error.errors())]
    problems += [
        Problem(problem.message, problem.key_path, source.line(problem.key_path))
        for problem in cross_checks(source.content, path.parent)
    ]
    problems += external_problems(source, path.parent)
    if problems or config is None:
        problems.sort(key=lambda problem: problem.line or 0)
        raise ConfigError(path, problems)
    config._folder, config._source = path.parent.resolve(), path
    return config


def _load_parts(path: Path, source: YamlSource) -> SweepOfParts:
    """The parts are read one by one; a mistake in one is reported with that part's file."""
    problems = list(source.problems)
    config: SweepOfParts | None = None
    try:
        config = SweepOfParts.model_validate(source.content)
    except ValidationError as error:
        problems += [to_problem(item, source, SweepOfParts) for item in error.errors()]
    if problems or config is None:
        raise ConfigError(path, problems)
    grids: list[SweepConfig] = []
    for position, part in enumerate(config.parts):
        key_path: KeyPath = ("parts", position)
        place = path.parent / Path(part).expanduser()
        if not place.is_file():
            message = f"file '{part}' not found"
        elif "parts" in (part_source := _read(place)).content:
            message = f"'{part}' is made of parts itself; list those here"
        else:
            grid = _load_grid(place, part_source)
            if grid.name not in [known.name for known in grids]:
                grids.append(grid)
                continue
            message = f"two parts have the name '{grid.name}'"
        problems.append(Problem(message, key_path, source.line(key_path)))
    if problems:
        raise ConfigError(path, problems)
    config._grids, config._source = tuple(grids), path
    return config
