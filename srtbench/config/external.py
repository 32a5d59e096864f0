"""Variants from outside in a sweep file: imported when it is read, their options checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from srtbench.config.errors import Problem
from srtbench.config.translate import telling, to_problem
from srtbench.config.yaml_source import KeyPath, YamlSource
from srtbench.sections import with_absolute_paths
from srtbench.variants import VariantError
from srtbench.variants.external import ExternalOptions, PluginOptions, PythonOptions, options_of
from srtbench.variants.interface import signature_problems

_KINDS: dict[str, type[ExternalOptions]] = {"python": PythonOptions, "plugin": PluginOptions}


def external_problems(source: YamlSource, folder: Path) -> Iterator[Problem]:
    """What is wrong with files and packages of variants, also of parts and stages."""
    for place, entry in _entries(source.content.get("variants"), ("variants",)):
        kind = entry.get("type")
        if kind not in _KINDS:
            continue
        given = {key: entry[key] for key in _KINDS[kind].model_fields if key in entry}
        try:
            options = with_absolute_paths(_KINDS[kind].model_validate(given), folder)
        except ValidationError:
            continue  # reported with the other mistakes in the file
        key = "path" if isinstance(options, PythonOptions) else "plugin"
        try:
            variant = options.load()
        except VariantError as error:
            message = str(error)
            if isinstance(options, PythonOptions):  # the file by the name that the user wrote
                absolute, written = (str(p).rpartition(":")[0] for p in (options.path, given[key]))
                message = message.replace(absolute, written)
            yield Problem(message, (*place, key), source.line((*place, key)))
            continue
        misfits = [*signature_problems(variant)]
        for message in misfits:
            yield Problem(message, (*place, key), source.line((*place, key)))
        if misfits:
            continue
        try:
            options_of(variant, options)
        except ValidationError as error:
            here = (*place, "options")
            for item in telling(error.errors()):
                yield to_problem(item, source, variant.Config, here)


def _entries(entries: Any, place: KeyPath) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """Entries that are mappings, with those inside combinations and curricula."""
    for position, entry in enumerate(entries if isinstance(entries, list) else []):
        if isinstance(entry, dict):
            here = (*place, position)
            yield here, entry
            yield from _entries(entry.get("parts"), (*here, "parts"))
            stages = entry.get("stages")
            for number, stage in enumerate(stages if isinstance(stages, list) else []):
                if isinstance(stage, dict) and isinstance(stage.get("variant"), dict):
                    below: KeyPath = (*here, "stages", number, "variant")
                    yield below, stage["variant"]
                    yield from _entries(stage["variant"].get("parts"), (*below, "parts"))
