"""Errors of pydantic in the words of a sweep file: line, key, allowed values, nearest match."""

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from srtbench.config.errors import Problem, allowed
from srtbench.config.yaml_source import KeyPath, YamlSource
from srtbench.sections import Section


def telling(found: Sequence[Any]) -> Iterator[Any]:
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


def to_problem(item: Any, source: YamlSource, root: type[Section], place: KeyPath = ()) -> Problem:
    """Turn one pydantic error into a problem with the file's own words.

    Args:
        root: the section that was read.
        place: where it stands in the file.
    """
    section, below = _follow(item["loc"], root)
    key_path = (*place, *below)
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
