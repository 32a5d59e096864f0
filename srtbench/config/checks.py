"""Checks across sections, on the raw content of a sweep file.

They run on raw content, so that they report beside the mistakes that pydantic finds.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from srtbench.config.datasets import FILE_SUFFIXES, FileDataset
from srtbench.config.errors import Problem, allowed
from srtbench.config.eval_sets import RESERVED, FileEvalSet
from srtbench.config.rounds import OWN_FIT_OPTIONS
from srtbench.config.tasks import task_reviews
from srtbench.config.train import OWN_TRL_OPTIONS
from srtbench.config.trl_options import trl_options
from srtbench.config.yaml_source import KeyPath
from srtbench.sections import FilePath, marked


def cross_checks(content: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """Yield the problems that no single section can see."""
    labels = {axis: list(_labels(content.get(axis), axis)) for axis in (*_AXES, "eval_sets")}
    for axis, names in labels.items():
        for position, name in enumerate(names):
            before = [other.casefold() for other in names[:position] if other is not None]
            if name is not None and name.casefold() in before:
                yield Problem(
                    f"two entries are called '{name}'; give one of them another `name`",
                    (axis, position),
                )
            if axis == "eval_sets" and name is not None and name.casefold() in RESERVED:
                yield Problem(
                    f"a set cannot be called '{name}', as the run's own prompts are; give it "
                    "another `name`",
                    (axis, position),
                )
    yield from _check_seeds(content.get("seeds"))
    yield from _check_exclude(content, labels)
    yield from _check_trl(content)
    yield from _check_files(content, folder)
    yield from _check_tasks(content)


_AXES = {"models": "model", "datasets": "dataset", "variants": "variant"}


def _labels(entries: Any, axis: str) -> Iterator[str | None]:
    """Label of each entry of an axis, None where the entry is not valid by itself."""
    from pydantic import TypeAdapter, ValidationError

    from srtbench.config.datasets import DatasetConfig
    from srtbench.config.eval_sets import EvalSetEntry
    from srtbench.config.models import ModelConfig
    from srtbench.config.variants import VariantEntry

    unions: dict[str, Any] = {
        "models": ModelConfig,
        "datasets": DatasetConfig,
        "variants": VariantEntry,
        "eval_sets": EvalSetEntry,
    }
    adapter: TypeAdapter[Any] = TypeAdapter(unions[axis])
    for entry in entries if isinstance(entries, list) else []:
        try:
            yield adapter.validate_python(entry).label
        except ValidationError:
            yield entry.get("name") if isinstance(entry, dict) else None


def _check_seeds(seeds: Any) -> Iterator[Problem]:
    if isinstance(seeds, list):
        for position, seed in enumerate(seeds):
            if seed in seeds[:position]:
                yield Problem(f"seed {seed} is given twice", ("seeds", position))


def _check_exclude(
    content: dict[str, Any], labels: dict[str, list[str | None]]
) -> Iterator[Problem]:
    exclude = content.get("exclude")
    for position, entry in enumerate(exclude if isinstance(exclude, list) else []):
        if not isinstance(entry, dict):
            continue
        if not entry:
            yield Problem("names no axis, and would exclude every run", ("exclude", position))
        for axis, key in _AXES.items():
            given = entry.get(key, [])
            known = [name for name in labels[axis] if name is not None]
            for name in given if isinstance(given, list) else [given]:
                if name not in known:
                    yield Problem(
                        f"excludes the unknown {key} '{name}'; {allowed(name, known)}",
                        ("exclude", position, key),
                    )
        seeds = content.get("seeds", [0])
        seeds = seeds if isinstance(seeds, list) else [seeds]
        given = entry.get("seed", [])
        for seed in given if isinstance(given, list) else [given]:
            if seed not in seeds:
                yield Problem(
                    f"excludes the unknown seed {seed}; allowed: {', '.join(map(str, seeds))}",
                    ("exclude", position, "seed"),
                )


def _train_sections(content: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    yield ("train",), content.get("train") or {}
    for axis in _AXES:
        entries = content.get(axis)
        for position, entry in enumerate(entries if isinstance(entries, list) else []):
            if not isinstance(entry, dict):
                continue
            yield (axis, position, "train"), entry.get("train") or {}
            for number, stage in _stages(entry):
                here: KeyPath = (axis, position, "stages", number)
                yield (*here, "train"), stage.get("train") or {}
                if isinstance(stage.get("variant"), dict):
                    yield (*here, "variant", "train"), stage["variant"].get("train") or {}


def _stages(entry: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The stages of a curriculum, each with its position."""
    stages = entry.get("stages")
    for number, stage in enumerate(stages if isinstance(stages, list) else []):
        if isinstance(stage, dict):
            yield number, stage


def _check_trl(content: dict[str, Any]) -> Iterator[Problem]:
    written = [(p, section) for p, section in _train_sections(content) if isinstance(section, dict)]
    sections = [(path, one) for path, one in written if isinstance(one.get("trl"), dict)]
    for path, section in written:
        fit = section.get("fit")
        if isinstance(fit, dict) and isinstance(fit.get("trl"), dict):
            yield from _check_fit((*path, "fit", "trl"), fit["trl"])
    for path, section in sections:
        own = section.get("algorithm")
        algorithms = [own] if own in ("grpo", "rloo") else ["grpo", "rloo"]
        known = frozenset().union(*(trl_options(algorithm) for algorithm in algorithms))
        classes = " or ".join(f"{algorithm.upper()}Config" for algorithm in algorithms)
        for key in section["trl"]:
            here = (*path, "trl", key)
            if key in OWN_TRL_OPTIONS:
                yield Problem(f"'{key}' is set by srtbench: use {OWN_TRL_OPTIONS[key]}", here)
            elif key not in known:
                yield Problem(
                    f"'{key}' is no option of TRL's {classes}; {allowed(key, known)}", here
                )


def _check_fit(path: KeyPath, options: dict[str, Any]) -> Iterator[Problem]:
    known = trl_options("sft") | trl_options("dpo")
    for key in options:
        if key in OWN_FIT_OPTIONS:
            yield Problem(f"'{key}' is set by srtbench: use {OWN_FIT_OPTIONS[key]}", (*path, key))
        elif key not in known:
            message = f"'{key}' is no option of TRL's SFTConfig or DPOConfig; {allowed(key, known)}"
            yield Problem(message, (*path, key))


def _check_tasks(content: dict[str, Any]) -> Iterator[Problem]:
    for here, entry in _prompt_sources(content):
        if isinstance(entry, dict) and entry.get("type") == "reasoning_gym":
            task, here = entry.get("task"), (*here, "task")
        elif isinstance(entry, str) and "/" not in entry and not entry.endswith(FILE_SUFFIXES):
            task = entry
        else:
            continue
        known = task_reviews()
        if isinstance(task, str) and task not in known:
            yield Problem(f"unknown Reasoning Gym task '{task}'; {allowed(task, known)}", here)


def _prompt_sources(content: dict[str, Any]) -> Iterator[tuple[KeyPath, Any]]:
    """Entries that say where prompts come from, each with its place."""
    for key in ("datasets", "eval_sets"):
        entries = content.get(key)
        for position, entry in enumerate(entries if isinstance(entries, list) else []):
            yield (key, position), entry


def _check_files(content: dict[str, Any], folder: Path) -> Iterator[Problem]:
    for here, entry in _prompt_sources(content):
        if isinstance(entry, str) and entry.endswith(FILE_SUFFIXES):
            entry = {"type": "file", "path": entry}
        if not isinstance(entry, dict) or entry.get("type") != "file":
            continue
        section = FileDataset if here[0] == "datasets" else FileEvalSet
        for key in marked(section, FilePath):
            path = entry.get(key)
            if not isinstance(path, str):
                continue
            if not path.endswith(FILE_SUFFIXES):
                yield Problem(
                    f"'{path}' has an unknown ending; allowed: {', '.join(FILE_SUFFIXES)}",
                    (*here, key),
                )
            elif not (folder / Path(path).expanduser()).is_file():
                yield Problem(f"file '{path}' not found", (*here, key))
