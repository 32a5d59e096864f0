"""A sweep file: axes models x datasets x variants x seeds, shared sections, exclusions."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from srtbench.config.checks import cross_checks
from srtbench.config.datasets import DatasetConfig
from srtbench.config.errors import ConfigError, Problem
from srtbench.config.eval_sets import EvalSetEntry
from srtbench.config.external import external_problems
from srtbench.config.generation import GenerationConfig
from srtbench.config.models import ModelConfig
from srtbench.config.rest import without_faults
from srtbench.config.train import EvalOverride, ExecutionConfig, TrainOverride
from srtbench.config.translate import telling, to_problem
from srtbench.config.variants import BUILT_IN, VariantEntry
from srtbench.config.yaml_source import KeyPath, YamlSource, read_yaml
from srtbench.sections import Name, NotInId, Section


def _as_tuple(value: Any) -> Any:
    return (value,) if isinstance(value, str | int) else value


def _want_list(seeds: Any) -> Any:
    """One number can mean a seed or how many seeds: it is asked about."""
    if isinstance(seeds, bool) or not isinstance(seeds, int):
        return seeds
    if not 0 < seeds < 2**32:
        raise ValueError("a list of seeds is wanted, e.g. [0, 1, 2]")
    many = [str(seed) for seed in range(min(seeds, 4))]
    if seeds > len(many):
        many[2:] = ["...", str(seeds - 1)]
    raise ValueError(f"{seeds}: did you mean [{seeds}] or [{', '.join(many)}]?")


Names = Annotated[
    tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])
]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**32)]
Seeds = Annotated[
    tuple[int, ...], BeforeValidator(_as_tuple, json_schema_input_type=int | tuple[int, ...])
]


class Exclusion(Section):
    """Cells to leave out: every named axis must match; an axis left out matches all."""

    model: Names | None = Field(None, description="labels of models")
    dataset: Names | None = Field(None, description="labels of datasets")
    variant: Names | None = Field(None, description="labels of variants")
    seed: Seeds | None = Field(None, description="seeds")


class SweepConfig(Section):
    """A whole sweep file."""

    name: Annotated[Name, NotInId()] = Field(description="of the folder of its results")
    description: Annotated[str, NotInId()] = Field("", description="a sentence for its readers")
    models: tuple[ModelConfig, ...] = Field(min_length=1, description="policies to train")
    datasets: tuple[DatasetConfig, ...] = Field(min_length=1, description="prompts to train on")
    variants: tuple[VariantEntry, ...] = Field(min_length=1, description="rewards to train with")
    seeds: Annotated[
        tuple[Seed, ...],
        Field(min_length=1, description="a run each"),
        BeforeValidator(_want_list, json_schema_input_type=tuple[Seed, ...]),
    ] = (0,)
    train: TrainOverride = Field(
        default_factory=TrainOverride, description="how every run trains; entries may override it"
    )
    eval: EvalOverride = Field(
        default_factory=EvalOverride,
        description="how every run is evaluated; entries may override it",
    )
    generation: GenerationConfig = Field(
        default_factory=GenerationConfig, description="what generates completions"
    )
    eval_sets: tuple[EvalSetEntry, ...] = Field(
        (), description="further prompts on which every run is evaluated"
    )
    execution: Annotated[ExecutionConfig, NotInId()] = Field(
        default_factory=ExecutionConfig, description="where and how runs are executed"
    )
    exclude: Annotated[tuple[Exclusion, ...], NotInId()] = Field(
        (), description="cells of the grid to leave out"
    )

    _folder: Path = PrivateAttr(default_factory=Path)
    _source: Path | None = PrivateAttr(None)
    _left_out: frozenset[KeyPath] = PrivateAttr(frozenset())

    def used(self, axis: str) -> Iterator[tuple[int, Any]]:
        """Place and entry of each entry of a list that is planned with."""
        for place, entry in enumerate(getattr(self, axis)):
            if (axis, place) not in self._left_out:
                yield place, entry

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

    name: Annotated[Name, NotInId()] = Field(description="of the folder of its results")
    description: Annotated[str, NotInId()] = Field("", description="a sentence for its readers")
    parts: Annotated[tuple[str, ...], NotInId()] = Field(
        min_length=1, description="sweep files, relative to this one"
    )
    execution: Annotated[ExecutionConfig, NotInId()] = Field(
        default_factory=ExecutionConfig,
        description="where and how runs are executed; that of the parts is not looked at",
    )

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
    is_whole = config is not None
    if config is None:
        config = _less_faults(source.content, problems)
    problems += [
        Problem(problem.message, problem.key_path, source.line(problem.key_path))
        for problem in cross_checks(source.content, path.parent)
    ]
    problems += external_problems(source, path.parent)
    if config is not None:
        config._folder, config._source = path.parent.resolve(), path
    if problems or config is None or not is_whole:
        problems.sort(key=lambda problem: problem.line or 0)
        raise ConfigError(path, problems, config and _rest(config, problems))
    return config


def _less_faults(content: dict[str, Any], problems: Iterable[Problem]) -> SweepConfig | None:
    """What is read of a file that is no valid sweep; None if nothing can be said of it."""
    mended = without_faults(content, problems, SweepConfig.model_fields)
    try:
        return None if mended is None else SweepConfig.model_validate(mended)
    except ValidationError:
        return None


def _rest(config: SweepConfig, problems: Iterable[Problem]) -> SweepConfig:
    """The sweep less the entries at fault; a variant at fault stands for self-reward."""
    at_fault = {problem.key_path[:2] for problem in problems}
    plain = BUILT_IN["srt"]
    variants = tuple(
        plain(type="srt", name=f"entry-{place}") if ("variants", place) in at_fault else entry
        for place, entry in enumerate(config.variants)
    )
    rest = config.model_copy(update={"variants": variants})
    rest._folder, rest._source = config._folder, config._source
    rest._left_out = frozenset(at_fault - {path for path in at_fault if path[:1] == ("variants",)})
    return rest


def _load_parts(path: Path, source: YamlSource) -> SweepOfParts:
    """The parts are read one by one; mistakes of all of them are told, each with its file."""
    problems = list(source.problems)
    config: SweepOfParts | None = None
    try:
        config = SweepOfParts.model_validate(source.content)
    except ValidationError as error:
        problems += [to_problem(item, source, SweepOfParts) for item in error.errors()]
    grids, rests = _load_grids(path, source, problems)
    if problems or config is None:
        rest = config or SweepOfParts(name="sweep", parts=("",))
        rest._grids, rest._source = tuple(rests), path
        raise ConfigError(path, problems, rest)
    config._grids, config._source = tuple(grids), path
    return config


def _load_grids(
    path: Path, source: YamlSource, problems: list[Problem]
) -> tuple[list[SweepConfig], list[SweepConfig]]:
    """The parts that are as they should be, and what was read of all; adds to ``problems``."""
    grids: list[SweepConfig] = []
    rests: list[SweepConfig] = []
    parts = source.content["parts"]
    for position, part in enumerate(parts if isinstance(parts, list) else []):
        if not isinstance(part, str):
            continue
        place = path.parent / Path(part).expanduser()
        try:
            found = _load_part(place, part)
        except ConfigError as error:
            problems += [replace(one, file=place) for one in error.problems]
            if isinstance(error.rest, SweepConfig):
                rests.append(error.rest)
            continue
        if isinstance(found, SweepConfig):
            if found.name not in [known.name for known in grids]:
                grids.append(found)
                rests.append(found)
                continue
            found = f"two parts have the name '{found.name}'"
        key_path: KeyPath = ("parts", position)
        problems.append(Problem(found, key_path, source.line(key_path)))
    names = [rest.name for rest in rests]
    return grids, [rest for place, rest in enumerate(rests) if rest.name not in names[:place]]


def _load_part(place: Path, name: str) -> SweepConfig | str:
    """The grid of a part, or why it is none."""
    if not place.is_file():
        return f"file '{name}' not found"
    source = _read(place)
    if "parts" in source.content:
        return f"'{name}' is made of parts itself; list those here"
    return _load_grid(place, source)
