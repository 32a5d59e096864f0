"""Logs of other trainers into a sweep folder, on which all of the analysis works."""

from srtbench.imports.importing import ImportResult, import_many, import_rollouts

__all__ = ["ImportResult", "import_many", "import_rollouts"]
