"""Specifications of config.json files of version 1, as this version writes them."""

from typing import Any


def upgrade_run(spec: dict[str, Any]) -> dict[str, Any]:
    """A run's specification of version 1: what has moved since stands here."""
    return spec


def upgrade_stage(spec: dict[str, Any]) -> dict[str, Any]:
    """A stage's specification of version 1: what has moved since stands here."""
    return spec
