"""The JSON schema of a sweep file, for editors that complete keys and underline mistakes."""

import json
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.tasks import task_reviews
from srtbench.config.train import EvalConfig, EvalOverride, TrainConfig, TrainOverride
from srtbench.sections import Section

SCHEMA_FILE = "sweep.schema.json"
"""Usual name of the schema beside sweep files."""

OVERRIDES: dict[type[Section], type[Section]] = {
    TrainOverride: TrainConfig,
    EvalOverride: EvalConfig,
}
"""Section as it is written -> the same with nothing left out, which describes its keys."""


def editor_comment(schema: str = SCHEMA_FILE) -> str:
    """First line of a sweep file: where an editor with a YAML language server finds the schema."""
    return f"# yaml-language-server: $schema={schema}"


def sweep_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a sweep file: a grid, or one made of parts.

    It knows what a section can know of itself. What needs more than one section, or the files that
    are named, is left to `srtbench plan`.
    """
    sections = [
        (SweepConfig, "validation", TypeAdapter(SweepConfig)),
        (SweepOfParts, "validation", TypeAdapter(SweepOfParts)),
    ]
    found, schema = TypeAdapter.json_schemas(
        sections,  # type: ignore[arg-type]
        schema_generator=_Generator,
    )
    definitions = schema["$defs"]
    for name, definition in definitions.items():
        _complete(name, definition)
    grid, parts = (found[section, "validation"] for section in (SweepConfig, SweepOfParts))
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "A sweep file of srtbench",
        "if": {"type": "object", "required": ["parts"]},
        "then": parts,
        "else": grid,
        "$defs": definitions,
    }


def schema_text() -> str:
    """The same as text, as `srtbench schema` prints it."""
    return json.dumps(sweep_schema(), indent=1) + "\n"


class _Generator(GenerateJsonSchema):
    """Without a title for each key, which would be the key again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """No title."""
        return False

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        """Only `oneOf`; `discriminator` is a word of OpenAPI."""
        made = super().tagged_union_schema(schema)
        made.pop("discriminator", None)
        return made


def _complete(name: str, definition: dict[str, Any]) -> None:
    """What pydantic does not know of a section."""
    keys = definition.get("properties", {})
    if "const" in keys.get("type", {}):  # an entry that is a mapping must say its type
        definition["required"] = sorted({"type", *definition.get("required", [])})
    for section, full in OVERRIDES.items():
        if name == section.__name__:
            describe(keys, full)
    if "task" in keys:
        keys["task"]["enum"] = sorted(task_reviews())


def describe(keys: dict[str, Any], section: type[BaseModel]) -> None:
    """Give keys that say nothing of themselves the description of the section's."""
    for key, content in keys.items():
        info = section.model_fields.get(key)
        if info is not None and info.description and "description" not in content:
            content["description"] = info.description
