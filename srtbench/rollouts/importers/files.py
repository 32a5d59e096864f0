"""Files of a log as records: JSON lines, JSON, Parquet, CSV; damaged lines are named and skipped.

Nothing here executes what it reads: a pickle is refused, never loaded.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.config.errors import StoreError
from srtbench.rollouts.importers.row import RowError

Kind = Literal["jsonl", "json", "parquet", "csv", "eval"]
Record = dict[str, Any]

SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".eval": "eval",
}
_PACKED = {".gz": "gzip", ".zst": "zstd"}
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt")
MAX_LINE = 256 * 2**20
"""Bytes of the longest line that is read."""
MAX_JSON = 2**30
_BATCH = 4096
_STEP = re.compile(r"(?:step|checkpoint|iteration|iter)[_-]?(\d+)", re.IGNORECASE)
_NAMED = 20


@dataclass
class Damage:
    """Records that were skipped: how many, and the first ones by name."""

    count: int = 0
    named: list[str] = field(default_factory=list)

    def add(self, where: str, reason: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.named) < _NAMED:
            self.named.append(f"{where}: {' '.join(reason.split())[:200]}")


@dataclass
class SourceFile:
    """A file of a log, read from where an earlier import stopped.

    Attributes:
        name: its path below the folder that was given, for messages.
        start: bytes (JSON lines) or records (other kinds) that were read before.
        stop: where the next import goes on: after the last whole record.
        damage: what was skipped.
    """

    path: Path
    name: str
    kind: Kind
    start: int = 0
    stop: int = 0
    damage: Damage = field(default_factory=Damage)

    def records(self) -> Iterator[tuple[str, Record]]:
        """(where, record) of each whole record; a damaged one is noted and skipped."""
        self.stop = self.start
        if self.kind == "eval":  # Inspect's own, which its own reader reads
            return
        if self.kind == "jsonl":
            yield from self._lines()
            return
        read = {"json": self._json, "parquet": self._parquet, "csv": self._csv}[self.kind]
        for number, record in enumerate(read(), 1):
            if number > self.start:
                self.stop = number
                yield f"{self.name} record {number}", record

    def skip(self, where: str, reason: str) -> None:
        """Note a record that is no rollout."""
        self.damage.add(where, reason)

    def step(self, default: int | None = None) -> int:
        """The step that the path names, as ``global_step_10`` or ``checkpoint-10`` do.

        Raises:
            RowError: it names none, and there is no default.
        """
        found = _STEP.findall(self.name) or _STEP.findall(str(self.path.parent))
        if not found and default is None:
            raise RowError("step: neither the record nor the path says it")
        return int(found[-1]) if found else int(default or 0)

    def _open(self) -> Any:
        packed = _PACKED.get(self.path.suffix.lower())
        if packed is None:
            return self.path.open("rb")
        return io.BufferedReader(pa.input_stream(str(self.path), compression=packed))

    def _lines(self) -> Iterator[tuple[str, Record]]:
        with self._open() as source:
            if self.start and self.path.suffix.lower() not in _PACKED:
                source.seek(self.start)
            elif self.start:
                source.read(self.start)
            number = 0
            while line := source.readline(MAX_LINE):
                number += 1
                whole = line.endswith(b"\n")
                text = line.strip()
                after = f" after byte {self.start}" if self.start else ""
                where = f"{self.name} line {number}{after}"
                if not text:
                    self.stop += len(line)
                    continue
                try:
                    record = json.loads(text)
                    if not isinstance(record, dict):
                        raise ValueError(f"holds {type(record).__name__}, no JSON object")
                except (ValueError, RecursionError) as error:
                    if isinstance(error, RecursionError):
                        reason = "nested too deeply"
                    elif whole:
                        reason = f"not valid JSON ({error})"
                    else:
                        reason = "cut off; it is read again when it is whole"
                    self.damage.add(where, reason)
                    if whole:
                        self.stop += len(line)
                    continue
                self.stop += len(line)
                yield where, record

    def _json(self) -> Iterator[Record]:
        """The objects of a list, or the one object."""
        if self.path.stat().st_size > MAX_JSON:
            raise StoreError(f"{self.name}: is larger than {MAX_JSON:,} bytes, use JSON lines")
        with self._open() as source:
            try:
                content = json.load(source)
            except (ValueError, RecursionError) as error:
                self.damage.add(self.name, f"not valid JSON ({error})")
                return
        for number, one in enumerate(content if isinstance(content, list) else [content], 1):
            if isinstance(one, dict):
                yield one
            else:
                self.damage.add(f"{self.name} record {number}", "no JSON object")

    def _parquet(self) -> Iterator[Record]:
        try:
            with pq.ParquetFile(self.path) as file:
                for batch in file.iter_batches(_BATCH):
                    yield from batch.to_pylist()
        except (OSError, pa.ArrowException) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.damage.add(self.name, f"not a whole Parquet file ({reason})")

    def _csv(self) -> Iterator[Record]:
        csv.field_size_limit(MAX_LINE)
        with io.TextIOWrapper(self._open(), "utf-8-sig", errors="replace", newline="") as source:
            reader = csv.DictReader(source, strict=False)
            number = 0
            while True:
                number += 1
                try:
                    record = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    self.damage.add(f"{self.name} record {number}", str(error))
                    continue
                if None in record or None in record.values():
                    fields = len(reader.fieldnames or ())
                    self.damage.add(f"{self.name} record {number}", f"not of {fields} fields")
                    continue
                yield {key: (value if value != "" else None) for key, value in record.items()}


def kind_of(path: Path) -> Kind | None:
    """How a file is read, by its suffix; a packed one by the suffix before; without one by its
    first byte, which in JSON lines is a brace."""
    if not path.suffix and path.is_file():
        with path.open("rb") as source:
            return "jsonl" if source.read(1) == b"{" else None
    suffixes = [one.lower() for one in path.suffixes[-2:]]
    if suffixes and suffixes[-1] in _PACKED:
        found = SUFFIXES.get(suffixes[-2]) if len(suffixes) > 1 else None
        return found if found in ("jsonl", "json", "csv") else None
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def log_files(path: Path, pattern: str | None = None, kind: Kind | None = None) -> list[SourceFile]:
    """Files of a log in the order of their names, numbers by value.

    Args:
        pattern: glob below ``path``; None: every file of a known kind.
        kind: how they are read; None: by their suffix.

    Raises:
        StoreError: a file of the pattern has no known kind, or is a pickle.
    """
    if path.is_file():
        found, root = [path], path.parent
    else:
        found, root = [*path.glob(pattern or "**/*")], path
    files = []
    for one in sorted(found, key=lambda file: natural(str(file))):
        if not one.is_file() or one.name.startswith("."):
            continue
        name = str(one.relative_to(root))
        how = kind or kind_of(one)
        if how is None:
            if one.suffix.lower() in _PICKLES and (pattern is not None or path.is_file()):
                raise StoreError(f"{name}: is a pickle, which is a program, so it is not read")
            if pattern is not None or path.is_file():
                raise StoreError(
                    f"{name}: its suffix does not say whether it is jsonl, parquet or csv"
                )
            continue
        files.append(SourceFile(one, name, how))
    return files


def pickles(path: Path) -> list[str]:
    """Names of the pickles below a folder, which nothing here loads."""
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in _PICKLES)
    return [str(one.relative_to(path)) for one in found]


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts ``2.jsonl`` before ``10.jsonl``."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for char in text + "\0":
        if char.isascii() and char.isdigit():
            digits += char
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, char))
    return tuple(parts)


def first_records(file: SourceFile, count: int = 3) -> list[Record]:
    """The first whole records, to see which format it is; none of a file that has none."""
    try:
        copy = SourceFile(file.path, file.name, file.kind)
        return [record for _, record in islice(copy.records(), count)]
    except (OSError, StoreError):
        return []
