"""Logs of other trainers: one module per format, found by the content of the files."""

from srtbench.rollouts.importers.base import Importer, ImporterError, NoLogYetError
from srtbench.rollouts.importers.files import Damage, Seen, SourceFile, log_files, unchanged
from srtbench.rollouts.importers.mapping import AnswerOptions, LogMap, MappedImporter, read_map
from srtbench.rollouts.importers.registry import Log, find_log, formats
from srtbench.rollouts.importers.row import Row, RowError

__all__ = [
    "AnswerOptions",
    "Damage",
    "Importer",
    "ImporterError",
    "Log",
    "LogMap",
    "MappedImporter",
    "NoLogYetError",
    "Row",
    "RowError",
    "Seen",
    "SourceFile",
    "find_log",
    "formats",
    "log_files",
    "read_map",
    "unchanged",
]
