"""YAML tables that come with the package."""

from importlib.resources import files
from typing import Any

import yaml


def packaged_table(package: str, name: str) -> dict[str, Any]:
    """The mapping in file ``name`` of ``package``; libyaml reads it where PyYAML has that."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text = files(package).joinpath(name).read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.load(text, Loader=loader)
    return table
