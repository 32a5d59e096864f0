"""Logs of other trainers into a sweep folder, on which all of the analysis works.

Names are resolved when first used: the command asks `looked` first, which needs none of the rest.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from srtbench.imports.importing import import_many, import_rollouts
    from srtbench.imports.looked import ImportResult

_HOMES = {
    "ImportResult": "srtbench.imports.looked",
    "import_many": "srtbench.imports.importing",
    "import_rollouts": "srtbench.imports.importing",
}

__all__ = ["ImportResult", "import_many", "import_rollouts"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'srtbench.imports' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
