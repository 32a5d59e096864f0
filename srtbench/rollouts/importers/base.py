"""What an importer is: records of a log file -> rows, and what the log cannot tell."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import (
    Row,
    RowError,
    completion_of,
    gold_of,
    mean_of,
    number_of,
    text_of,
    truth_of,
    whole_of,
)

Tokenizer = Callable[[Sequence[int]], str]
"""Token ids -> text."""


NO_ROLLOUT = (TypeError, KeyError, IndexError, AttributeError, ValueError)
"""What reading a record raises that is none (RowError is a ValueError)."""


class ImporterError(ValueError):
    """A log cannot be read as asked; the message says why."""


class NoLogYetError(ImporterError):
    """There is no log yet: no file, or none with a record in it."""


class Importer(ABC):
    """Reads one format. It finds what a log says and never grades."""

    name: ClassVar[str]

    writer: ClassVar[str]
    """Who writes the format, for a sentence."""

    lost: ClassVar[tuple[str, ...]] = ()
    """Sentences on what no log of the format can tell, besides columns that are empty."""

    rewrites: ClassVar[bool] = False
    """Whether the trainer may write one batch of rollouts again under the next steps."""

    needs_tokenizer: ClassVar[bool] = False

    refuses: ClassVar[str] = ""
    """Why a format that is recognised cannot be read."""

    def __init__(self, tokenizer: Tokenizer | None = None):
        self.tokenizer = tokenizer

    @classmethod
    @abstractmethod
    def recognises(cls, record: Record) -> bool:
        """Whether a record is of the format, by what is in it."""

    @classmethod
    def recognises_file(cls, file: SourceFile, records: Sequence[Record]) -> bool:
        """Whether a file is of the format, by its first records."""
        return bool(records) and cls.recognises(records[0])

    def prepare(self, files: Sequence[SourceFile]) -> None:
        """Look at all files of the log, those too that were read before, before any is read."""
        return

    def reading_of(self, file: SourceFile) -> str:
        """In which of several ways a file is read; a file of another way than before, anew."""
        return ""

    @abstractmethod
    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """Rollouts of one record.

        Raises:
            RowError: it is none.
        """

    def rows(self, file: SourceFile) -> Iterator[Row]:
        """Rollouts of a file; records that are none are noted as damage."""
        for where, record in file.records():
            try:
                found = list(self.of_record(record, file))
            except NO_ROLLOUT as error:
                file.skip(where, self.why(error))
                continue
            yield from found

    def why(self, error: Exception) -> str:
        """What is wrong with a record that is no rollout."""
        if isinstance(error, RowError):
            return str(error)
        return f"not as {self.writer} writes it ({type(error).__name__}: {error})"

    def notes(self) -> list[str]:
        """Sentences on what was seen in the files that were read."""
        return []


def need(value: Any, name: str) -> str:
    """Text that must be there.

    Raises:
        RowError: it is not.
    """
    if value is None:
        raise RowError(f"{name}: is missing")
    if not isinstance(value, str):
        raise RowError(f"{name}: is {type(value).__name__}, no text")
    return value


def prompt_in(record: Mapping[str, Any], key: str) -> str:
    """The prompt of a record, text or messages."""
    return need(text_of(record.get(key)), key)


def completion_in(record: Mapping[str, Any], key: str) -> str:
    """The completion of a record, text or messages."""
    return need(completion_of(record.get(key)), key)


def short_hash(*parts: Any) -> str:
    """A name of values."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


__all__ = [
    "NO_ROLLOUT",
    "Importer",
    "ImporterError",
    "NoLogYetError",
    "Tokenizer",
    "completion_in",
    "gold_of",
    "mean_of",
    "need",
    "number_of",
    "prompt_in",
    "short_hash",
    "truth_of",
    "whole_of",
]
