"""Which run of a sweep folder a log is, what it is called, and its row of the plan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from srtbench.config.errors import ConfigError, Problem, allowed
from srtbench.config.translate import telling, to_problem
from srtbench.config.yaml_source import read_yaml
from srtbench.rollouts.importers import (
    AnswerOptions,
    Importer,
    ImporterError,
    LogMap,
    Seen,
    SourceFile,
    find_log,
    read_map,
)
from srtbench.sections import FilePath, Section, slug
from srtbench.store import Folder
from srtbench.store.imported import UNKNOWN, ImportedSpec
from srtbench.store.written import LABELS, new_spec, written_runs
from srtbench.variants import VARIANTS


@dataclass(frozen=True)
class Asked:
    """What was asked for; None where nothing was said."""

    paths: Sequence[Path]
    format: str | None
    log_map: LogMap | None
    labels: Mapping[str, Any]
    answer_style: str | None
    answer_kind: str | None
    tokenizer: str | None


@dataclass
class Found:
    """The run that a log is, new or known."""

    sweep: Path
    folder: Folder
    spec: ImportedSpec
    log_map: LogMap | None
    planned: bool = True

    def log(self, known: Mapping[str, Seen]) -> tuple[Importer, list[SourceFile], list[str]]:
        """Its importer, its files, and the files of no known format."""
        tokenizer = None if self.spec.tokenizer is None else load_tokenizer(self.spec.tokenizer)
        files: list[SourceFile] = []
        others: list[str] = []
        importer: Importer | None = None
        paths = [Path(path) for path in self.spec.paths]
        name = None if self.spec.format in ("map", "") else self.spec.format
        for path in paths:
            prefix = f"{path.name}/" if len(paths) > 1 else ""
            mine = {
                one.removeprefix(prefix): seen
                for one, seen in known.items()
                if one.startswith(prefix)
            }
            log = find_log(path, name, self.log_map, tokenizer, mine)
            if importer is not None and type(log.importer) is not type(importer):
                raise ImporterError(
                    f"{path}: is of the format '{log.importer.name}', not '{importer.name}' as the "
                    "one before it"
                )
            importer = importer or log.importer
            for file in log.files:
                file.name = prefix + file.name
            files += log.files
            others += [prefix + other for other in log.others]
        assert importer is not None
        self.spec = self.spec.model_copy(update={"format": importer.name})
        return importer, files, others


def settle(
    paths: Sequence[Path],
    format: str | None,
    log_map: str | Path | Mapping[str, Any] | None,
    labels: Mapping[str, Any] | None,
    answer_style: str | None,
    answer_kind: str | None,
    tokenizer: str | None,
) -> Asked:
    """What was asked for, checked.

    Raises:
        ImporterError, ConfigError, FileNotFoundError: it cannot be done.
    """
    if not paths:
        raise ImporterError("nothing to import: give a file or folder")
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: is not there")
    given = dict(labels or {})
    for name in given:
        if name not in LABELS:
            raise ImporterError(f"label '{name}' is not known; {allowed(name, LABELS)}")
        text = str(given[name]).strip()
        if not text:
            raise ImporterError(f"label '{name}' is empty")
        given[name] = text
    if "seed" in given:
        if not given["seed"].removeprefix("-").isdecimal():
            raise ImporterError(f"label seed={given['seed']}: a whole number is wanted")
        given["seed"] = int(given["seed"])
    if given.get("variant_type", UNKNOWN) not in (*VARIANTS, UNKNOWN):
        known = allowed(given["variant_type"], [*VARIANTS, UNKNOWN])
        raise ImporterError(f"label variant_type={given['variant_type']}: {known}")
    found: LogMap | None = None
    if isinstance(log_map, Mapping):
        try:
            found = LogMap.model_validate(dict(log_map))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(one) for one in ("map", *first["loc"]))
            raise ImporterError(f"{place}: {first['msg'].removeprefix('Value error, ')}") from None
    elif log_map is not None:
        found = read_map(Path(log_map))
    if found is not None and format not in (None, "map"):
        raise ImporterError("give --format or --map, not both")
    try:
        AnswerOptions(style=answer_style or "boxed", kind=answer_kind or "math")
    except ValidationError as error:
        raise ImporterError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    return Asked(paths, format, found, given, answer_style, answer_kind, tokenizer)


def find_run(sweep: Path, asked: Asked) -> Found:
    """The run of the folder that was imported from these paths under these labels, or a new one.

    Raises:
        StoreError: the folder holds something else, or another run has the labels.
        ImporterError: the run was imported in another way.
    """
    paths = [str(path.resolve()) for path in asked.paths]
    taken = written_runs(sweep)
    for spec in taken:
        given = {name: _label(spec, name) for name in asked.labels}
        if spec.paths == paths and given == dict(asked.labels):
            return Found(sweep, Folder(sweep / spec.run_id), spec, _same(spec, asked))
    spec = _new(sweep, paths, asked, taken)
    return Found(sweep, Folder(sweep / spec.run_id), spec, asked.log_map, planned=False)


def _label(spec: ImportedSpec, name: str) -> Any:
    if name in ("seed", "variant_type"):
        return getattr(spec, name)
    return getattr(spec, f"{name}_label")


def _same(spec: ImportedSpec, asked: Asked) -> LogMap | None:
    """The map of a run that goes on, if nothing else is asked of it than before."""
    wanted = {
        "format": asked.format,
        "answer style": asked.answer_style,
        "answer kind": asked.answer_kind,
        "tokenizer": asked.tokenizer,
        "map": None if asked.log_map is None else _content(asked.log_map),
    }
    for name, value in wanted.items():
        before = getattr(spec, name.replace(" ", "_"))
        if value is not None and value != before:
            shown = "" if name == "map" else f" '{before}', not '{value}'"
            raise ImporterError(
                f"{spec.run_id}: was imported with another {name}{shown}; its rows would be of two "
                "kinds, so import it into another folder"
            )
    return None if spec.map is None else LogMap.model_validate(_tuples(spec.map))


def _content(log_map: LogMap) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(log_map.model_dump_json())
    return content


def _tuples(content: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}


def _new(
    sweep: Path, paths: Sequence[str], asked: Asked, taken: Sequence[ImportedSpec]
) -> ImportedSpec:
    style, kind = asked.answer_style, asked.answer_kind
    if asked.log_map is not None and asked.log_map.answer is not None:
        style, kind = style or asked.log_map.answer.style, kind or asked.log_map.answer.kind
    return new_spec(
        sweep,
        asked.labels,
        taken,
        called=slug(Path(paths[0]).stem),
        format="map" if asked.log_map is not None else asked.format or "",
        paths=list(paths),
        map=None if asked.log_map is None else _content(asked.log_map),
        tokenizer=asked.tokenizer,
        answer_style=style or "boxed",
        answer_kind=kind or "math",
    )


def load_tokenizer(name: str) -> Any:
    """Token ids -> text, special tokens left out.

    Raises:
        ImporterError: there is no such tokenizer.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise ImporterError(f"tokenizer {name}: {str(error).splitlines()[0]}") from None
    return lambda ids: tokenizer.decode(ids, skip_special_tokens=True)


class ManifestRun(Section):
    """A run of a manifest."""

    path: Annotated[str | tuple[str, ...], Field(description="file or folder, or several")]
    format: str | None = None
    map: Annotated[str | None, FilePath()] = None
    labels: dict[str, str | int] = Field(default_factory=dict)
    answer: AnswerOptions | None = None
    tokenizer: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """One or several."""
        return (self.path,) if isinstance(self.path, str) else self.path


class Manifest(Section):
    """Many runs: ``runs: [{path: ..., labels: {variant: srt, seed: 0}}, ...]``."""

    runs: tuple[ManifestRun, ...] = Field(min_length=1)


def read_manifest(path: Path) -> list[dict[str, Any]]:
    """Arguments of `import_rollouts` for each run; paths are relative to the manifest.

    Raises:
        ConfigError: it is wrong.
    """
    source = read_yaml(path)
    if not isinstance(source.content, dict):
        raise ConfigError(path, [Problem("a manifest is a mapping with the key 'runs'")])
    problems = list(source.problems)
    found: Manifest | None = None
    try:
        found = Manifest.model_validate(source.content)
    except ValidationError as error:
        problems += [to_problem(item, source, Manifest) for item in telling(error.errors())]
    if problems or found is None:
        raise ConfigError(path, problems)
    return [
        {
            "path": [path.parent / one for one in run.paths],
            "format": run.format,
            "map": None if run.map is None else path.parent / run.map,
            "labels": run.labels,
            "answer_style": None if run.answer is None else run.answer.style,
            "answer_kind": None if run.answer is None else run.answer.kind,
            "tokenizer": run.tokenizer,
        }
        for run in found.runs
    ]
