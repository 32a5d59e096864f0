"""sources.json of an imported run: which files were read, how far, and what was in them.

It is what an append goes on from: a file that has grown is read from where the last import stopped,
one that was replaced is read anew and its old rows go, any other is left alone.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from srtbench.imports.staging import Place
from srtbench.rollouts.importers import Damage, SourceFile, unchanged
from srtbench.store import Folder, read_json, write_json
from srtbench.store.files import checked

_EDGE = 4096
"""Bytes at the start, and before the place where reading stopped, that tell an append."""

_PIECE = 2**20


@dataclass
class Source:
    """A file that was read.

    Attributes:
        size, modified_ns, changed_ns, kind: see `Seen`.
        read: bytes or records, see `SourceFile`.
        edges: digest of the first bytes and the last ones that were read; of a file that is no
            JSON lines, of its first and its last bytes.
        reading: in which of several ways it was read, see `Importer.reading_of`.
        pieces: byte where an import stopped, and a digest of what it read; of JSON lines.
        batches: phase, set, step, rows, digest of the content, whether its completions vary.
        repeats: files that held batches of it before, so that these were left out.
        skipped: damaged records so far. cut: name of the last of them, if it was a line that was
            not whole yet.
    """

    name: str
    size: int = 0
    modified_ns: int = 0
    changed_ns: int = 0
    kind: str = ""
    read: int = 0
    edges: str = ""
    reading: str = ""
    pieces: list[tuple[int, str]] = field(default_factory=list)
    batches: list[tuple[str, str, int, int, int, bool]] = field(default_factory=list)
    repeats: list[str] = field(default_factory=list)
    rows: int = 0
    skipped: int = 0
    cut: str = ""

    def note(self, file: SourceFile, stat: os.stat_result, rows: int) -> None:
        """What was read of the file now; ``stat``: of before it was."""
        self.size, self.modified_ns, self.changed_ns = (
            stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns,
        )  # fmt: skip
        self.kind, self.read, self.cut = file.kind, file.stop, file.cut
        self.rows += rows
        self.skipped += file.damage.count
        if file.kind == "jsonl":
            self.edges = edges(file.path, file.stop)
            if file.stop > file.start:
                self.pieces.append((file.stop, _digest(file.path, file.start, file.stop)))
        else:
            self.edges = edges(file.path, stat.st_size)

    def starts(self, path: Path, size: int) -> bool:
        """Whether what was read of JSON lines is still how the file, now of that size, starts.

        A file that has grown is taken to be appended to if both edges of what was read are there;
        of one that has not, and was written to, all of it is looked at.
        """
        if size < self.read or edges(path, self.read) != self.edges:
            return False
        starts = [0, *(stop for stop, _ in self.pieces)]
        return size > self.size or all(
            _digest(path, start, stop) == digest
            for start, (stop, digest) in zip(starts, self.pieces, strict=False)
        )


@dataclass
class Sources:
    """All files of a run, and what is counted over them.

    Attributes:
        counts: column -> rows that have a value. sizes: rows of a train group -> groups.
        groups: groups of the last train steps. dropped: rows that were in the log twice.
        repeated_steps: train steps that held the batch of the step before.
        damaged: the first damaged records by name.
        notes: sentences on the log. conflicts: rows whose gold answer is another than their
            prompt's. keyless: gold answers without a key. mixed_groups: whether rows of
            one group's name have several prompts.
    """

    files: dict[str, Source] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    dropped: int = 0
    repeated_steps: list[int] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    conflicts: int = 0
    keyless: int = 0
    last_step: dict[str, int] = field(default_factory=dict)
    prompts_per_step: int = 0
    mixed_groups: bool = False

    @staticmethod
    def path(folder: Folder) -> Path:
        """Where they are kept."""
        return folder.path / "sources.json"

    @classmethod
    def read(cls, folder: Folder) -> Sources:
        """Those of a run's folder; of one that has none yet, none.

        Raises:
            StoreError: the file is damaged.
        """
        path = cls.path(folder)
        return checked(cls, read_json(path), path) if path.is_file() else cls()

    def write(self, folder: Folder) -> None:
        """Keep them."""
        content = vars(self) | {"files": {name: vars(one) for name, one in self.files.items()}}
        write_json(self.path(folder), content, indent=None)

    def plan(self, found: SourceFile, reading: str) -> bool | None:
        """How a file is read: True from where reading stopped, False anew, None not at all."""
        known, stat = self.files.get(found.name), found.path.stat()
        if known is None or known.reading != reading:
            return False
        if unchanged(known, stat):
            return None
        if found.kind != "jsonl":  # no end of it tells that its middle is as it was, but for a time
            same = (known.size, known.modified_ns) == (stat.st_size, stat.st_mtime_ns)
            return None if same and edges(found.path, known.size) == known.edges else False
        return known.starts(found.path, stat.st_size)

    def note(self, found: SourceFile, damage: Damage) -> None:
        """What was skipped."""
        self.skipped += damage.count
        self.damaged = [*self.damaged, *damage.named][:20]

    def mend(self, known: Source) -> None:
        """A line that was cut off is read again, so it is not damaged so far."""
        if known.cut:
            known.skipped -= 1
            self.skipped -= 1
            self.damaged = [one for one in self.damaged if not one.startswith(f"{known.cut}:")]
            known.cut = ""

    def forget(self, known: Source) -> None:
        """What was damaged in a file that is read anew."""
        self.skipped -= known.skipped
        own = (f"{known.name}:", f"{known.name} ")
        self.damaged = [one for one in self.damaged if not one.startswith(own)]

    def places(self, name: str) -> list[Place]:
        """What a file held."""
        return [(one[0], one[1], one[2]) for one in self.files[name].batches]


def edges(path: Path, read: int) -> str:
    """Digest of the first bytes of a file, and of the last before byte ``read``."""
    with path.open("rb") as source:
        head = source.read(min(_EDGE, read))
        source.seek(max(0, read - _EDGE))
        tail = source.read(min(_EDGE, read))
    return hashlib.sha256(head + tail).hexdigest()[:16]


def _digest(path: Path, start: int, stop: int) -> str:
    """Digest of the bytes of a file from ``start`` to before ``stop``."""
    digest = hashlib.blake2b(digest_size=8)
    with path.open("rb") as source:
        source.seek(start)
        while start < stop and (data := source.read(min(_PIECE, stop - start))):
            digest.update(data)
            start += len(data)
    return digest.hexdigest()
