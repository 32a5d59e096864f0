"""Which importers there are, and which of them reads a log."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from srtbench.config.errors import allowed
from srtbench.rollouts.importers.areal import AReaL
from srtbench.rollouts.importers.base import Importer, ImporterError, NoLogYetError, Tokenizer
from srtbench.rollouts.importers.episodes import PrimeRl
from srtbench.rollouts.importers.files import (
    Seen,
    SourceFile,
    first_records,
    log_files,
    pickles,
)
from srtbench.rollouts.importers.inspect_logs import Inspect
from srtbench.rollouts.importers.lm_eval import LmEval
from srtbench.rollouts.importers.mapping import LogMap, MappedImporter
from srtbench.rollouts.importers.ms_swift import MsSwift
from srtbench.rollouts.importers.nemo import NemoRl
from srtbench.rollouts.importers.nemo_gym import NemoGym
from srtbench.rollouts.importers.open_instruct import OpenInstruct
from srtbench.rollouts.importers.skyrl import SkyRl
from srtbench.rollouts.importers.tinker import Tinker
from srtbench.rollouts.importers.trl import Trl
from srtbench.rollouts.importers.verifiers import Verifiers
from srtbench.rollouts.importers.verl import Verl

ENTRY_POINTS = "srtbench.importers"
"""Group of entry points that packages put importer classes into."""

IMPORTERS: dict[str, type[Importer]] = {one.name: one for one in (
    Verl, Trl, PrimeRl, Verifiers, Inspect, NemoRl, NemoGym, OpenInstruct, SkyRl, AReaL, MsSwift,
    LmEval, Tinker,
)}  # fmt: skip


@dataclass(frozen=True)
class Log:
    """A log that can be read.

    Attributes:
        files: in the order of their names. others: files that are of no known format.
    """

    importer: Importer
    files: Sequence[SourceFile]
    others: Sequence[str] = ()


def formats() -> dict[str, type[Importer]]:
    """Name -> importer, those of installed packages too.

    Raises:
        ImporterError: an entry point cannot be loaded, or is no importer.
    """
    found = dict(IMPORTERS)
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        try:
            kind = entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise ImporterError(f"importer {entry.name}: cannot be loaded ({reason})") from None
        if not (isinstance(kind, type) and issubclass(kind, Importer)):
            raise ImporterError(f"importer {entry.name}: {entry.value} is no Importer")
        found.setdefault(entry.name, kind)
    return found


def find_log(
    path: Path,
    name: str | None = None,
    log_map: LogMap | None = None,
    tokenizer: Tokenizer | None = None,
    known_files: Mapping[str, Seen] | None = None,
) -> Log:
    """How the log in a file or folder is read.

    Args:
        name: of the format; None: by the content of the files.
        log_map: read by a map, whatever they are.
        tokenizer: for formats that log token ids and no text.
        known_files: files that are of the format ``name`` by their names: which format they are
            of is not looked for, and those that are unchanged are not opened.

    Raises:
        FileNotFoundError: there is nothing. ImporterError: the format is not known, or there are
            two.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: is not there")
    known_files = known_files or {}
    if log_map is not None:
        files = [
            file
            for pattern in log_map.patterns
            for file in log_files(path, pattern, log_map.kind, known_files)
        ]
        if not files:
            wanted = log_map.files or "jsonl, parquet or csv"
            raise NoLogYetError(f"{path}: no file of the map is there ({wanted})")
        unique = {file.path: file for file in files}
        return Log(MappedImporter(log_map), list(unique.values()))
    known = formats()
    if name is not None and name not in known:
        raise ImporterError(f"format '{name}' is not known; {allowed(name, known)}")
    files = log_files(path, seen=known_files)
    if not files:
        refused = pickles(path)
        raise (ImporterError if refused else NoLogYetError)(
            f"{path}: holds no log: no .jsonl, .json, .parquet, .csv or .eval file"
            + (f"; a pickle is a program, so it is not read ({refused[0]})" if refused else "")
        )
    kinds, others = _settle(path, files, known, name, known_files)
    kind = known[kinds]
    if kind.refuses:
        raise ImporterError(f"{path}: {kind.refuses}")
    if kind.needs_tokenizer and tokenizer is None:
        raise ImporterError(
            f"{path}: {kind.writer} logs token ids and no text; give --tokenizer with the name or "
            "folder of the model's"
        )
    return Log(kind(tokenizer), others[0], others[1])


def _settle(
    path: Path,
    files: list[SourceFile],
    known: dict[str, type[Importer]],
    name: str | None,
    known_files: Collection[str],
) -> tuple[str, tuple[list[SourceFile], list[str]]]:
    """The one format, its files, and the names of the others."""
    mine: dict[str, list[SourceFile]] = {}
    others: list[str] = []
    for file in files:
        if name is not None and file.name in known_files:
            mine.setdefault(name, []).append(file)
            continue
        records = first_records(file)
        fits = [one for one, kind in known.items() if kind.recognises_file(file, records)]
        if name is not None:
            fits = [name] if name in fits else []
        if not fits:
            others.append(file.name)
            continue
        mine.setdefault(fits[0], []).append(file)
    if len(mine) > 1:
        counts = ", ".join(f"{one} ({len(found)} files)" for one, found in mine.items())
        raise ImporterError(
            f"{path}: holds logs of several formats: {counts}; import one with --format, or give "
            "the folder of one"
        )
    if not mine:
        seen = Counter(file.kind for file in files)
        kinds = ", ".join(f"{count} {kind}" for kind, count in seen.items())
        asked = f"of the format '{name}'" if name else "of a known format"
        empty = not any(first_records(file, 1) for file in files)
        raise (NoLogYetError if empty else ImporterError)(
            f"{path}: no file is {asked} ({kinds}; {_keys(files)}); tried: "
            f"{name or ', '.join(known)}; any other JSONL, Parquet or CSV is read with "
            "--map FILE.yaml"
        )
    (found,) = mine
    return found, (mine[found], others)


def _keys(files: Sequence[SourceFile]) -> str:
    """What the first record has, for who must write a map."""
    for file in files:
        if records := first_records(file, 1):
            keys = [str(key)[:40] for key in records[0]]
            more = ", ..." if len(keys) > 12 else ""
            return f"a record of {file.name} has {', '.join(keys[:12])}{more}"
    return "no record can be read"
