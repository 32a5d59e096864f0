"""`--map FILE.yaml`: any JSONL, Parquet or CSV, by saying which column is which.

files: "rollouts/step_*.jsonl"       # below PATH; left out: every file of a known suffix
explode: [responses, scores]         # lists that hold a whole group: one rollout per element
columns:
  prompt: question
  completion: responses
  train_reward: scores
  step: {from_path: 'step_(\\d+)'}
  gold: meta.answers[0]
  eval_set: {value: aime24}
phase: eval
answer: {style: boxed, kind: math}
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath
from typing import Any, Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator, model_validator

from srtbench.answers.extract import STYLES
from srtbench.answers.keys import KINDS
from srtbench.config.errors import ConfigError, Problem, allowed
from srtbench.config.translate import telling, to_problem
from srtbench.config.yaml_source import read_yaml
from srtbench.rollouts.importers.base import Importer, need
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.kinds import Kind
from srtbench.rollouts.importers.nesting import Nesting
from srtbench.rollouts.importers.paths import look_up, parse_path
from srtbench.rollouts.importers.row import (
    Row,
    RowError,
    chat_in,
    completion_of,
    cut_of,
    gold_of,
    listed,
    mean_of,
    number_of,
    phase_of,
    step_of,
    text_of,
    truth_of,
    whole_of,
)
from srtbench.sections import Section

Column: TypeAlias = str | dict[str, Any] | None


def _check_pattern(pattern: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    if groups != 1:
        raise ValueError(f"the expression has {groups} groups; one is wanted, as in step_(\\d+)")


class Columns(Section):
    """Which column is which."""

    prompt: Column = None
    completion: Column = Field()
    group: Column = None
    sample: Column = None
    step: Column = None
    phase: Column = None
    eval_set: Column = None
    gold: Column = None
    train_reward: Column = None
    their_correct: Column = None
    completion_tokens: Column = None
    truncated: Column = None
    mean_logprob: Column = None
    policy_step: Column = None

    @field_validator("*")
    @classmethod
    def _column(cls, column: Column) -> Column:
        if isinstance(column, str):
            parse_path(column)
        elif isinstance(column, dict):
            if set(column) == {"from_path"}:
                _check_pattern(str(column["from_path"]))
            elif set(column) != {"value"}:
                raise ValueError("a column is a path, {value: X} or {from_path: REGEX}")
        return column


class AnswerOptions(Section):
    """How answers are found and compared."""

    style: str = "boxed"
    kind: str = "math"

    @model_validator(mode="after")
    def _known(self) -> AnswerOptions:
        for given, known in ((self.style, STYLES), (self.kind, KINDS)):
            if given not in known:
                raise ValueError(f"'{given}' is not known; {allowed(given, known)}")
        return self


class LogMap(Section):
    """A map of a log."""

    files: str | tuple[str, ...] | None = None
    format: Literal["jsonl", "parquet", "csv"] | None = None
    explode: str | tuple[str, ...] = ()
    columns: Columns
    phase: Literal["train", "eval"] = "train"
    answer: AnswerOptions | None = None

    @field_validator("files")
    @classmethod
    def _below(cls, files: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for one in (files,) if isinstance(files, str) else files or ():
            path = PurePath(one)
            if not path.parts or path.is_absolute() or ".." in path.parts:
                raise ValueError(f"'{one}' is no glob below PATH, as rollouts/step_*.jsonl is")
        return files

    @field_validator("explode")
    @classmethod
    def _paths(cls, explode: str | tuple[str, ...]) -> tuple[str, ...]:
        paths = (explode,) if isinstance(explode, str) else explode
        for path in paths:
            parse_path(path)
        return paths

    @model_validator(mode="after")
    def _whole(self) -> LogMap:
        if self.columns.completion is None:
            raise ValueError("columns: completion is wanted")
        if self.columns.prompt is None and self.columns.group is None and not self.explode:
            raise ValueError("columns: prompt is wanted, or group where the log has no prompts")
        return self

    @property
    def patterns(self) -> tuple[str | None, ...]:
        """The globs; None: all files."""
        return (self.files,) if self.files is None or isinstance(self.files, str) else self.files

    @property
    def kind(self) -> Kind | None:
        """How the files are read; None: by their suffix."""
        return self.format


def read_map(path: Path) -> LogMap:
    """A map file.

    Raises:
        ConfigError: with every mistake in it, each with its line, key and allowed values.
    """
    source = read_yaml(path)
    if not isinstance(source.content, dict):
        raise ConfigError(path, [Problem("a map is a mapping with the key 'columns'")])
    problems = list(source.problems)
    found: LogMap | None = None
    try:
        found = LogMap.model_validate(source.content)
    except ValidationError as error:
        problems += [to_problem(item, source, LogMap) for item in telling(error.errors())]
    if problems or found is None:
        raise ConfigError(path, problems)
    return found


Getter: TypeAlias = Callable[["_Place"], Any]


class _Place:
    """One rollout within its record: the element of each exploded list."""

    __slots__ = ("elements", "file", "record")

    def __init__(self, record: Record, elements: list[Any], file: SourceFile):
        self.record, self.elements, self.file = record, elements, file


class MappedImporter(Importer):
    """Reads what a map describes."""

    name = "map"
    writer = "the map describes"

    def __init__(self, log_map: LogMap):
        super().__init__()
        self.map = log_map
        self._nesting = Nesting(log_map.explode)
        self._get: dict[str, Getter] = {}
        for name in Columns.model_fields:
            column = getattr(log_map.columns, name)
            if column is not None:
                self._get[name] = self._getter(column)
        prompt = log_map.columns.prompt
        held = self._nesting.holder(parse_path(prompt)) if isinstance(prompt, str) else None
        self._grouped = bool(log_map.explode) and not (
            held is not None and self._nesting.innermost(held[0])
        )
        self._count: tuple[SourceFile | None, int] = (None, 0)

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """Never by itself: a map is given."""
        return False

    def _getter(self, column: str | dict[str, Any]) -> Getter:
        if isinstance(column, dict):
            if "value" in column:
                value = column["value"]
                return lambda place: value
            pattern = re.compile(column["from_path"])
            return lambda place: _of_path(pattern, place.file)
        steps = parse_path(column)
        inside = self._nesting.holder(steps)
        if inside is None:
            return lambda place: look_up(place.record, steps, column)
        index, rest = inside
        return lambda place: look_up(place.elements[index], rest)

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """Its rollout, or one per element of its lists."""
        seen = self._count[1] + 1 if self._count[0] is file else 1
        self._count = (file, seen)
        if not self.map.explode:
            yield self._row(_Place(record, [], file), None, None)
            return
        for elements, trail in self._nesting.places(record):
            group = None
            if self._grouped:
                group = "/".join((f"{file.name}#{file.start}+{seen}", *map(str, trail[:-1])))
            yield self._row(_Place(record, elements, file), trail[-1], group)

    def _row(self, place: _Place, index: int | None, group: str | None) -> Row:
        found = {name: _known(get(place)) for name, get in self._get.items()}
        phase = self.map.phase
        if found.get("phase") not in (None, ""):
            column = self.map.columns.phase
            phase = phase_of(found["phase"], column if isinstance(column, str) else "")
        step = step_of(found.get("step"))
        if step is None:
            if self.map.columns.step is not None:
                raise RowError(self._missing("step", place))
            step = 1 if phase == "train" else 0
        if found.get("group") not in (None, ""):
            group = str(text_of(found["group"]))
        prompt = text_of(chat_in(found.get("prompt")))
        if prompt is None and self.map.columns.prompt is None and group is not None:
            prompt = f"(the log has no prompts; group {group})"
        completion = completion_of(chat_in(found.get("completion")))
        for name, text in (("prompt", prompt), ("completion", completion)):
            if text is None:
                raise RowError(self._missing(name, place))
        sample = whole_of(found.get("sample"), "sample")
        eval_set = found.get("eval_set")
        logprob = listed(found.get("mean_logprob"))
        return Row(
            prompt=need(prompt, "prompt"),
            completion=need(completion, "completion"),
            step=step,
            phase=phase,
            eval_set=None if eval_set in (None, "") else str(text_of(eval_set)),
            group=group,
            sample=index if sample is None else sample,
            gold=gold_of(_no_object(found.get("gold"), self.map.columns.gold)),
            reward=number_of(listed(found.get("train_reward")), "train_reward"),
            correct=truth_of(listed(found.get("their_correct")), "their_correct"),
            completion_tokens=_count_of(listed(found.get("completion_tokens"))),
            truncated=cut_of(found.get("truncated"), "truncated"),
            mean_logprob=mean_of(logprob)
            if isinstance(logprob, list)
            else number_of(logprob, "mean_logprob"),
            policy_step=step_of(found.get("policy_step"), "policy_step"),
        )

    def _missing(self, name: str, place: _Place) -> str:
        """What a record has in place of what must be there."""
        column = getattr(self.map.columns, name)
        if column is None:
            return "group: is missing, and there is no prompt"
        if isinstance(column, dict):
            where = f"the path has no {column['from_path']}" if "from_path" in column else "null"
            return f"{name}: is missing: {where}"
        there = ", ".join(map(str, [*place.record][:12]))
        return f"{name}: is missing: nothing at {column}; the record has {there or 'nothing'}"


def _known(value: Any) -> Any:
    """A value; None for NaN, which tables hold where there is nothing."""
    return None if isinstance(value, float) and math.isnan(value) else value


def _no_object(gold: Any, column: Column) -> Any:
    """A gold answer, or several.

    Raises:
        RowError: it is an object, of which a key must be named.
    """
    if isinstance(gold, Mapping):
        keys = ", ".join(f"{column}.{key}" for key in [*gold][:6])
        raise RowError(f"gold: is an object; name one of its keys: {keys or 'it has none'}")
    return gold


def _count_of(value: Any) -> int | None:
    """A number of tokens; of a list of tokens, its length."""
    return len(value) if isinstance(value, list) else whole_of(value, "completion_tokens")


def _of_path(pattern: re.Pattern[str], file: SourceFile) -> str | None:
    """The group in the path below the folder that was given, else in the whole path."""
    found = pattern.search(Path(file.name).as_posix()) or pattern.search(file.path.as_posix())
    return None if found is None else found[1]
