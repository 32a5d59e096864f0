"""Base class of every section of a sweep file."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

_SLUG = re.compile(r"[^A-Za-z0-9.]+")


def slug(text: str) -> str:
    """Make ``text`` safe as one part of a folder name: ``Qwen/Qwen3-4B`` -> ``Qwen-Qwen3-4B``."""
    return _SLUG.sub("-", text).strip("-.") or "unnamed"


def _check_name(name: str) -> str:
    if slug(name) != name.replace("_", "-") or not name[0].isalnum():
        raise ValueError(
            "a name holds letters, digits, '.', '-', '_' and starts with a letter or digit"
        )
    return name


Name = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_check_name)]


class Section(BaseModel):
    """A section of a sweep file: unknown keys are errors, values are fixed once read."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


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
