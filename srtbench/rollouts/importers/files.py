"""Files of a log as records: JSON (lines), Parquet, Arrow, CSV; damaged lines are named.

Nothing here executes what it reads: a pickle is refused, never loaded.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from srtbench.config.errors import StoreError
from srtbench.rollouts.importers.csv_rows import csv_records
from srtbench.rollouts.importers.kinds import (
    BROKEN,
    KINDS,
    PICKLES,
    Kind,
    kind_of,
    open_log,
    packing_of,
)
from srtbench.rollouts.importers.row import RowError

Record = dict[str, Any]
_T = TypeVar("_T")

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


class Seen(Protocol):
    """What is known of a file that an earlier import read.

    Attributes:
        size: bytes. modified_ns, changed_ns: its times of then; 0: not known. kind: how it was
            read; empty: not known.
    """

    size: int
    modified_ns: int
    changed_ns: int
    kind: str


def unchanged(seen: Seen, now: os.stat_result) -> bool:
    """Whether a file is as it was read, by what the system says: it is not opened.

    A file that another one of equal size was moved or copied over may keep the time of its last
    change of content (mtime), never that of its last change of state (ctime).
    """
    same = (seen.size, seen.modified_ns) == (now.st_size, now.st_mtime_ns)
    return same and seen.changed_ns in (0, now.st_ctime_ns)


@dataclass
class SourceFile:
    """A file of a log, read from where an earlier import stopped.

    Attributes:
        name: its path below the folder that was given, for messages.
        start: bytes (JSON lines) or records (other kinds) that were read before.
        stop: where the next import goes on: after the last whole record.
        damage: what was skipped. cut: the name of a last line that is not whole yet.
    """

    path: Path
    name: str
    kind: Kind
    start: int = 0
    stop: int = 0
    damage: Damage = field(default_factory=Damage)
    cut: str = ""

    def records(self) -> Iterator[tuple[str, Record]]:
        """(where, record) of each whole record; a damaged one is noted and skipped."""
        self.stop = self.start
        if self.kind == "eval":  # Inspect's own, which its own reader reads
            return
        if self.kind == "jsonl":
            yield from self._unbroken(self._lines())
            return
        read = {
            "json": self._json, "parquet": self._parquet, "csv": self._csv, "arrow": self._arrow,
        }[self.kind]  # fmt: skip
        for number, record in enumerate(self._unbroken(read()), 1):
            if number > self.start:
                self.stop = number
                yield f"{self.name} record {number}", record

    def _unbroken(self, found: Iterator[_T]) -> Iterator[_T]:
        """What can be read of a packed file that is cut off or damaged."""
        if packing_of(self.path) is None:
            yield from found
            return
        try:
            yield from found
        except BROKEN as error:
            self.damage.add(self.name, f"cannot be unpacked to its end ({error})")

    def skip(self, where: str, reason: str) -> None:
        """Note a record that is no rollout."""
        self.damage.add(where, reason)

    @property
    def names_step(self) -> bool:
        """Whether the path says a step."""
        return bool(_STEP.search(self.name) or _STEP.search(str(self.path.parent)))

    def step(self, default: int | None = None) -> int:
        """The step that the path names, as ``global_step_10`` or ``checkpoint-10`` do.

        Raises:
            RowError: it names none, and there is no default.
        """
        found = _STEP.findall(self.name) or _STEP.findall(str(self.path.parent))
        if not found and default is None:
            raise RowError("step: neither the record nor the path says it")
        return int(found[-1]) if found else int(default or 0)

    def _lines(self) -> Iterator[tuple[str, Record]]:
        packed = packing_of(self.path) is not None
        with open_log(self.path) as source:
            if self.start and not packed:
                source.seek(self.start)
            elif self.start:
                source.read(self.start)
            number = 0
            while line := source.readline(MAX_LINE):
                number += 1
                size, whole = len(line), line.endswith(b"\n")
                after = f" after byte {self.start}" if self.start else ""
                where = f"{self.name} line {number}{after}"
                if not whole and size >= MAX_LINE:
                    while not whole and (more := source.readline(MAX_LINE)):
                        size, whole = size + len(more), more.endswith(b"\n")
                    self.damage.add(where, f"is longer than {MAX_LINE:,} bytes")
                    self.stop += size
                    continue
                text = line.strip()
                if not text:
                    self.stop += size
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
                        self.cut = where
                    self.damage.add(where, reason)
                    if whole:
                        self.stop += size
                    continue
                self.stop += size
                yield where, record

    def _json(self) -> Iterator[Record]:
        """The objects of a list, or the one object."""
        if self.path.stat().st_size > MAX_JSON:
            raise StoreError(f"{self.name}: is larger than {MAX_JSON:,} bytes, use JSON lines")
        with open_log(self.path) as source:
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
                    yield from _as_written(batch).to_pylist(maps_as_pydicts="lossy")
        except (OSError, pa.ArrowException) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.damage.add(self.name, f"not a whole Parquet file ({reason})")

    def _arrow(self) -> Iterator[Record]:
        """Arrow's own format, as a file or as the stream that `datasets` saves."""
        try:
            with pa.OSFile(str(self.path)) as source:
                for batch in _arrow_batches(source):
                    for start in range(0, batch.num_rows, _BATCH):
                        part = _as_written(batch.slice(start, _BATCH))
                        yield from part.to_pylist(maps_as_pydicts="lossy")
        except (OSError, pa.ArrowException) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            self.damage.add(self.name, f"not a whole Arrow file ({reason})")

    def _csv(self) -> Iterator[Record]:
        yield from csv_records(open_log(self.path), self.name, self.damage.add)


def _arrow_batches(source: pa.NativeFile) -> Iterator[pa.RecordBatch]:
    if source.read(6) == b"ARROW1":
        file = pa.ipc.open_file(source)
        yield from (file.get_batch(number) for number in range(file.num_record_batches))
    else:
        source.seek(0)
        yield from pa.ipc.open_stream(source)


def _as_written(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Floats of 32 bits as the shortest number that they are read from: 0.8, not 0.800000012."""
    for index, column in enumerate(batch.schema):
        if column.type == pa.float32():
            near = pc.cast(pc.cast(batch.column(index), pa.string()), pa.float64())
            batch = batch.set_column(index, column.name, near)
    return batch


def log_files(
    path: Path,
    pattern: str | None = None,
    kind: Kind | None = None,
    seen: Mapping[str, Seen] | None = None,
) -> list[SourceFile]:
    """Files of a log in the order of their names, numbers by value.

    Args:
        pattern: glob below ``path``; None: every file of a known kind.
        kind: how they are read; None: by their first bytes and their suffix.
        seen: name -> what an earlier import knows of it; one that is unchanged is not opened.

    Raises:
        StoreError: a file of the pattern has no known kind, or is a pickle.
    """
    if path.is_file():
        found, root = [path], path.parent
    else:
        pattern = f"{pattern}/*" if pattern and pattern.endswith("**") else pattern
        found, root = [*path.glob(pattern or "**/*")], path
    files = []
    for one in sorted(found, key=lambda file: natural(str(file))):
        name = str(one.relative_to(root))
        if not one.is_file() or any(part.startswith(".") for part in Path(name).parts):
            continue
        how = kind or _known_kind(one, (seen or {}).get(name)) or kind_of(one)
        if how is None:
            if one.suffix.lower() in PICKLES and (pattern is not None or path.is_file()):
                raise StoreError(f"{name}: is a pickle, which is a program, so it is not read")
            if pattern is not None or path.is_file():
                raise StoreError(
                    f"{name}: neither its suffix nor its first bytes say whether it is jsonl, "
                    "parquet or csv; say it in the map's 'format'"
                )
            continue
        files.append(SourceFile(one, name, how))
    return files


def _known_kind(path: Path, seen: Seen | None) -> Kind | None:
    if seen is None or not unchanged(seen, path.stat()):
        return None
    return next((one for one in KINDS if one == seen.kind), None)


def pickles(path: Path) -> list[str]:
    """Names of the pickles below a folder, which nothing here loads."""
    found = sorted(one for one in path.rglob("*") if one.suffix.lower() in PICKLES)
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
