"""A sweep file: axes models x datasets x variants x seeds, shared sections, exclusions."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field, PrivateAttr, ValidationError

from srtbench.config.checks import cross_checks
from srtbench.config.datasets import DatasetConfig
from srtbench.config.errors import ConfigError, Problem, allowed
from srtbench.config.eval_sets import EvalSetEntry
from srtbench.config.models import ModelConfig
from srtbench.config.train import EvalOverride, ExecutionConfig, TrainOverride
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
        problems += [_to_problem(item, source) for item in _telling(error.errors())]
    problems += [
        Problem(problem.message, problem.key_path, source.line(problem.key_path))
        for problem in cross_checks(source.content, path.parent)
    ]
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
        problems += [_to_problem(item, source, SweepOfParts) for item in error.errors()]
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


def _telling(found: Sequence[Any]) -> Iterator[Any]:
    """Errors, less those that others say better: a list with a wrong entry is also "too short"."""
    for item in found:
        loc = item["loc"]
        inside = any(len(o["loc"]) > len(loc) and o["loc"][: len(loc)] == loc for o in found)
        if item["type"] != "too_short" or not inside:
            yield item


_WANTED = {
    "tuple_type": "a list is wanted, e.g. [srt]",
    "too_short": "the list is empty; give at least one entry",
    "model_type": "a mapping is wanted, e.g. {steps: 10}",
    "dict_type": "a mapping is wanted, e.g. {steps: 10}",
    "model_attributes_type": "a mapping or a short name is wanted",
}


def _to_problem(item: Any, source: YamlSource, root: type[Section] = SweepConfig) -> Problem:
    """Turn one pydantic error into a problem with the file's own words."""
    section, key_path = _follow(item["loc"], root)
    kind, given = item["type"], item["input"]
    if kind == "extra_forbidden":
        names = section.model_fields if section is not None else ()
        message = f"unknown key '{key_path[-1]}'; {allowed(key_path[-1], names)}"
    elif kind == "union_tag_invalid":
        expected = [tag.strip(" '") for tag in item["ctx"]["expected_tags"].split(",")]
        message = f"unknown type '{item['ctx']['tag']}'; {allowed(item['ctx']['tag'], expected)}"
    elif kind == "union_tag_not_found":
        message = "an entry is a short name or a mapping with the key 'type'"
    elif kind == "literal_error":
        expected = [tag.strip(" '") for tag in _split_or(item["ctx"]["expected"])]
        message = f"{given!r} is not allowed; {allowed(given, expected)}"
    elif kind == "missing":
        message = f"key '{key_path[-1]}' is missing"
    elif kind == "too_short" and given:
        message = f"at least {item['ctx']['min_length']} entries are wanted, given: {len(given)}"
    elif kind in _WANTED:
        empty = " (the key has no value: fill it in or remove it)" if given is None else ""
        message = f"{_WANTED[kind]}{empty}"
    else:
        text = item["msg"].removeprefix("Value error, ")
        message = f"{text[0].lower()}{text[1:]}"
        if isinstance(given, str | int | float):
            message += f" (given: {given!r})"
    return Problem(message, key_path, source.line(key_path))


def _split_or(text: str) -> list[str]:
    return text.replace(" or ", ",").split(",")


def _follow(
    loc: tuple[str | int, ...], root: type[Section]
) -> tuple[type[Section] | None, KeyPath]:
    """Walk a pydantic location: the section it ends in, and its path without union tags."""
    section: Any = root
    owner: type[Section] | None = root
    path: list[str | int] = []
    for part in loc:
        if isinstance(part, int):
            path.append(part)
            continue
        tagged = _by_tag(section, part)
        if tagged is not None:
            section = owner = tagged
            continue
        path.append(part)
        if isinstance(section, type) and issubclass(section, Section):
            owner = section
            info = section.model_fields.get(part)
            section = info.annotation if info is not None else None
            section = _inner(section)
    return owner, tuple(path)


def _inner(annotation: Any) -> Any:
    """The section type inside tuple[...], Optional[...] and Annotated[...], unions kept."""
    arguments = [a for a in get_args(annotation) if a not in (Ellipsis, type(None))]
    while arguments and not isinstance(annotation, type):
        sections = _sections(annotation)
        if len(sections) != 1:
            return annotation
        return sections[0]
    if arguments:
        sections = _sections(annotation)
        return sections[0] if len(sections) == 1 else annotation
    return annotation


def _sections(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and not get_args(annotation):
        return [annotation] if issubclass(annotation, Section) else []
    found: list[type[Section]] = []
    for argument in get_args(annotation):
        found += _sections(argument)
    return found


def _by_tag(annotation: Any, tag: str) -> type[Section] | None:
    """The member of a union whose `type` is ``tag``."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return None
    for section in _sections(annotation):
        kind = section.model_fields.get("type")
        if kind is not None and tag in get_args(kind.annotation):
            return section
    return None
