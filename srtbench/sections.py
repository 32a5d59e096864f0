"""Base class of every section of a sweep file, and what a field can be marked as."""

import functools
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_DASHES = re.compile("-+")


def slug(text: str) -> str:
    """Make ``text`` safe as one part of a folder name: ``Qwen/Qwen3-4B`` -> ``Qwen-Qwen3-4B``.

    Letters, marks and digits of every script stay, composed (Unicode NFC).
    """
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        one if one == "." or unicodedata.category(one)[0] in "LMN" else "-" for one in composed
    )
    return _DASHES.sub("-", kept).strip("-.") or "unnamed"


def folder_part(label: str, characters: int = 32) -> str:
    """The beginning of a label, as one of three parts of a folder's name: its bytes are bounded."""
    part = slug(label)[:characters]
    while len(part.encode()) > 2 * characters:
        part = part[:-1]
    return part


def _check_name(name: str) -> str:
    name = unicodedata.normalize("NFC", name)
    if slug(name) != name.replace("_", "-") or not name[0].isalnum():
        raise ValueError(
            "a name holds letters, digits, '.', '-', '_' and starts with a letter or digit"
        )
    return name


_M = TypeVar("_M")
_S = TypeVar("_S", bound=BaseModel)

Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_check_name)]


class Section(BaseModel):
    """A section of a sweep file: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


@dataclass(frozen=True)
class NotInId:
    """Marks a field that cannot change a result, so that no id depends on it.

    Attributes:
        keys: of a mapping that others are given, only these; empty: the whole field.
    """

    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnyOrder:
    """Marks a list whose order cannot change a result."""


@dataclass(frozen=True)
class FilePath:
    """Marks a path, relative to the sweep file: an id depends on what is there, not on the place.

    ``FILE.py:CLASS`` names a class in a file.
    """

    @staticmethod
    def split(text: str) -> tuple[Path, str]:
        """The path itself, and the rest of the text: ``:CLASS`` or nothing."""
        file, colon, name = text.rpartition(":")
        if colon and file.endswith(".py"):
            return Path(file), colon + name
        return Path(text), ""


@functools.cache
def marked(section: type[BaseModel], marker: type[_M]) -> Mapping[str, _M]:
    """Fields of a class of sections that carry a marker -> the marker."""
    return MappingProxyType(
        {
            name: found
            for name, info in section.model_fields.items()
            for found in info.metadata
            if isinstance(found, marker)
        }
    )


def with_absolute_paths(section: _S, folder: Path) -> _S:
    """The section with the relative paths in it, at any depth, taken from ``folder``."""
    changes: dict[str, Any] = {}
    paths = marked(type(section), FilePath)
    for name in type(section).model_fields:
        value = getattr(section, name)
        if name in paths and value is not None:
            place, rest = FilePath.split(value)
            changes[name] = f"{(folder / place.expanduser()).resolve()}{rest}"
        elif isinstance(value, BaseModel):
            if (found := with_absolute_paths(value, folder)) is not value:
                changes[name] = found
        elif isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
            changes[name] = tuple(with_absolute_paths(item, folder) for item in value)
    return section.model_copy(update=changes) if changes else section


def deep_merge(*layers: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings from left to right; nested mappings merge, every other value is replaced."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = deep_merge(merged[key], value)
            else:
                merged[key] = value
    return merged
