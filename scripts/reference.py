"""Write docs/reference.md and sweeps/sweep.schema.json from the sections of a sweep file.

    python scripts/reference.py

Run it after a key, a default or a preset has changed; a test holds both files equal to what it
writes. Nothing in them is written by hand: descriptions stand in `srtbench/config` and
`srtbench/variants`.
"""

import json
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from srtbench.config.schema import (
    OVERRIDES,
    SCHEMA_FILE,
    editor_comment,
    schema_text,
    sweep_schema,
)
from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.config.train import (
    EVAL_PRESETS,
    OWN_TRL_OPTIONS,
    TRAIN_PRESETS,
    EvalOverride,
    TrainOverride,
)
from srtbench.sections import FilePath, NotInId, marked

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "reference.md"
SCHEMA = REPOSITORY / "sweeps" / SCHEMA_FILE

PRESETS: dict[type[BaseModel], dict[Any, dict[str, Any]]] = {
    TrainOverride: TRAIN_PRESETS,
    EvalOverride: EVAL_PRESETS,
}
LONG = 30
"""A list of allowed values above this is only counted."""

HEAD = """\
# Every key of a sweep file

Written by `scripts/reference.py`; do not edit by hand. `srtbench schema` prints the same as a JSON
schema. A sweep file that begins with

```yaml
{comment}
```

is completed and checked while it is written, in an editor with a YAML language server (VS Code with
the YAML extension, Neovim, JetBrains); `srtbench schema > {file}` puts the schema beside it.

- `train` and `eval` are merged key by key, the later wins: preset, sweep, model, dataset, variant;
  inside a curriculum the curriculum, its stage and the stage's variant come last. `null` says
  nothing. Without `train.preset`, the preset is `tiny` for tiny models, else `srt_reasoning_gym`
  for Reasoning Gym tasks and `srt_math` for the rest.
- **in id**: whether the hash in the ids of runs depends on the key. If it does, another value is
  another run; if not, a sweep whose value changed goes on with what is there. A key that is `null`
  or empty never enters. *its keys*: see there. *what it sets*: the id depends on the outcome.
- A path is relative to the sweep file.
"""


@dataclass
class Place:
    """Where a section stands in a sweep file."""

    path: str
    section: type[BaseModel]
    in_id: bool


@dataclass
class Reference:
    """The sections of a sweep file, by the names of their schemas."""

    schemas: dict[str, Any]
    classes: dict[str, type[BaseModel]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)

    def walk(self, root: type[BaseModel]) -> None:
        """Find every section below ``root``; the shortest path to one is its place."""
        queue = deque([Place("", root, True)])
        while queue:
            here = queue.popleft()
            name = here.section.__name__
            if name in self.places:
                continue
            self.places[name] = here
            left_out = marked(here.section, NotInId)
            for key, info in here.section.model_fields.items():
                content = self.schemas[name]["properties"][key]
                path = f"{here.path}.{key}" if here.path else key
                for section in sections_in(info.annotation):
                    in_id = here.in_id and (key not in left_out or section in OVERRIDES)
                    queue.append(Place(path + "[]" * is_list(content), section, in_id))

    def page(self) -> str:
        """The whole page, but for its head."""
        parts: list[str] = []
        for path in dict.fromkeys(place.path for place in self.places.values()):
            here = [place for place in self.places.values() if place.path == path]
            title = f"`{path}`" if path else "A grid"
            if len(here) == 1:
                parts += [f"## {title}", self.table(here[0]), *extras(here[0].section)]
                continue
            rows = {place.section.__name__: list(self.rows(place)) for place in here}
            first, *others = rows.values()
            shared = [row for row in first if all(row in other for other in others)]
            parts += [f"## {title}", f"An entry is a mapping with `type`{self.short(path)}."]
            if shared:
                parts += ["Every entry may have these keys.", table(header(None), shared)]
            for place in here:
                own = [row for row in rows[place.section.__name__] if row not in shared]
                kind = place.section.model_fields["type"].default
                parts.append(f"### `{path}`: `type: {kind}`")
                parts.append(describe(place.section))
                own = [row for row in own if row[0] != "`type`"]
                parts.append(table(header(None), own) if own else "No keys of its own.")
        return "\n\n".join(parts)

    def short(self, path: str) -> str:
        """What a short form means."""
        words = {
            "models[]": "; short forms: `tiny`, a repository id (with a `/`), a path (from `.`, "
            "`/` or `~`)",
            "datasets[]": "; short forms: a task of Reasoning Gym, a repository id (with a `/`), "
            "a file (by its ending)",
            "eval_sets[]": "; short forms as of a dataset",
            "variants[]": "; short form: the type itself",
        }
        return words.get(path, "")

    def table(self, place: Place) -> str:
        """The keys of a section."""
        return table(header(PRESETS.get(place.section)), list(self.rows(place)))

    def rows(self, place: Place) -> Iterator[tuple[str, ...]]:
        """A row for each key of a section."""
        section = place.section
        schema = self.schemas[section.__name__]
        presets = PRESETS.get(section)
        for key, info in section.model_fields.items():
            content = schema["properties"][key]
            default = "required" if info.is_required() else self.default(section, key)
            columns = [f"`{key}`", self.kind(content), default]
            for values in (presets or {}).values():
                columns.append(code(values[key]) if key in values and key != "trl" else "")
            in_id = self.in_id(place, key) if place.in_id else "no"
            yield (*columns, in_id, cell(content.get("description", "")))

    def default(self, section: type[BaseModel], key: str) -> str:
        """What a key is when it is left out; of a section as it is written, as it will be."""
        full = OVERRIDES.get(section)
        info = (full if full and key in full.model_fields else section).model_fields[key]
        value = None if info.is_required() else info.get_default(call_default_factory=True)
        if isinstance(value, BaseModel):
            return "as there"
        return code(value)

    def in_id(self, place: Place, key: str) -> str:
        """Whether ids depend on a key."""
        full = OVERRIDES.get(place.section, place.section)
        if key not in full.model_fields or key == "recipe":
            return "what it sets"
        inner = list(sections_in(place.section.model_fields[key].annotation))
        mark = marked(full, NotInId).get(key)
        if mark is not None and mark.keys:
            return f"yes, but {', '.join(f'`{one}`' for one in mark.keys)}"
        if inner and (mark is None or inner[0] in OVERRIDES):
            return "its keys"
        if mark is None and key in marked(full, FilePath):
            return "what is there"
        return "yes" if mark is None else "no"

    def kind(self, content: Any) -> str:
        """Type and allowed values of a key."""
        if "$ref" in content:
            return self.link(content["$ref"])
        if "anyOf" in content:
            options = content["anyOf"]
            if any("oneOf" in one for one in options):  # the other one is a short form
                options = [{"type": "string"}, *(one for one in options if "oneOf" in one)]
            return " or ".join(dict.fromkeys(map(self.kind, options)))
        if "oneOf" in content:
            return self.link(content["oneOf"][0]["$ref"], "an entry")
        values = content.get("enum", [content["const"]] if "const" in content else [])
        if len(values) > LONG:
            return f"one of {len(values)}"
        if values:
            return ", ".join(f"`{value}`" for value in values)
        kind = content.get("type")
        if kind == "array":
            items = content.get("items") or content.get("prefixItems")
            least = content.get("minItems", 0)
            bound = f", at least {least}" if least else ""
            return f"list of {self.kind(items)}{bound}"
        if kind == "object":
            inner = content.get("additionalProperties")
            return f"mapping to {self.kind(inner)}" if isinstance(inner, dict) else "mapping"
        names = {
            "integer": "whole number",
            "number": "number",
            "string": "text",
            "boolean": "`true`, `false`",
            "null": "`null`",
            None: "anything",
        }
        return names[kind] + bounds(content)

    def link(self, ref: str, word: str | None = None) -> str:
        """A link to the section of a reference."""
        place = self.places[ref.rpartition("/")[2]]
        anchor = "".join(c for c in place.path.lower() if c.isalnum() or c in "-_")
        return f"[{word or 'mapping'}](#{anchor})"


def sections_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The sections in an annotation, in order."""
    arguments = getattr(annotation, "__args__", ())
    if isinstance(annotation, type) and not arguments and issubclass(annotation, BaseModel):
        yield annotation
    for argument in arguments:
        yield from sections_in(argument)


def is_list(content: Any) -> bool:
    """Whether a key holds a list."""
    options = content.get("anyOf", [content])
    return any(option.get("type") == "array" for option in options)


def bounds(content: Any) -> str:
    """Smallest and largest value, or the pattern."""
    signs = {
        "minimum": ">=",
        "exclusiveMinimum": ">",
        "maximum": "<=",
        "exclusiveMaximum": "<",
    }
    found = [f" {sign} {content[key]:,}" for key, sign in signs.items() if key in content]
    return ",".join(found)


def code(value: Any) -> str:
    """A value as YAML would have it."""
    if isinstance(value, float):
        return f"`{value:g}`"
    text = json.dumps(value, ensure_ascii=False)
    return "" if text in ('""',) else f"`{cell(text)}`"


def cell(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def describe(section: type[BaseModel]) -> str:
    """What a section says of itself, in one line."""
    return (section.__doc__ or "").strip().partition("\n\n")[0].replace("\n", " ")


def header(presets: dict[Any, Any] | None) -> tuple[str, ...]:
    """Column names."""
    return ("key", "type", "default", *(f"`{name}`" for name in presets or ()), "in id", "meaning")


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def extras(section: type[BaseModel]) -> Iterator[str]:
    """What belongs below the table of a section."""
    if section is TrainOverride:
        for name, values in TRAIN_PRESETS.items():
            options = ", ".join(f"{key}: {json.dumps(one)}" for key, one in values["trl"].items())
            yield f"`train.trl` of the preset `{name}`: `{{{options}}}`"
        yield "These options of TRL are set by srtbench; `train.trl` cannot have them."
        rows = [(f"`{option}`", cell(where)) for option, where in sorted(OWN_TRL_OPTIONS.items())]
        yield table(("option", "use"), rows)


def page() -> str:
    """The text of docs/reference.md."""
    schema = sweep_schema()
    reference = Reference(schema["$defs"])
    reference.walk(SweepConfig)
    parts = Reference(schema["$defs"])
    parts.walk(SweepOfParts)
    head = HEAD.format(comment=editor_comment(), file=SCHEMA_FILE)
    own = parts.places[SweepOfParts.__name__]
    made_of_parts = (
        "## A sweep made of parts\n\nOther sweep files in one folder of results, under one "
        "command.\n\n" + parts.table(own)
    )
    return f"{head}\n{reference.page()}\n\n{made_of_parts}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    print(f"written: {PAGE.relative_to(REPOSITORY)}, {SCHEMA.relative_to(REPOSITORY)}")
