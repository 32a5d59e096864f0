"""What a file of a log is: its packing and its kind by its first bytes, by its suffix where they do
not tell."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa

Kind = Literal["jsonl", "json", "parquet", "csv", "eval"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".eval": "eval",
}
PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt")
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bz2",
    b"\xfd7zXZ\x00": "xz",
}
_PACKED_SUFFIXES = (".gz", ".zst", ".bz2", ".xz")
_HEAD = 64 * 2**10
BROKEN = (OSError, EOFError, lzma.LZMAError)
"""What reading a packed file raises that is cut off or damaged."""


def packing_of(path: Path) -> str | None:
    """How a file is packed; None: it is plain."""
    with path.open("rb") as source:
        head = source.read(6)
    return next((name for mark, name in _PACKED.items() if head.startswith(mark)), None)


def open_log(path: Path) -> Any:
    """The bytes of a file, unpacked."""
    packing = packing_of(path)
    if packing is None:
        return path.open("rb")
    if packing == "bz2":
        return bz2.open(path)
    if packing == "xz":
        return lzma.open(path)
    return io.BufferedReader(pa.input_stream(str(path), compression=packing))


def kind_of(path: Path) -> Kind | None:
    """How a file is read; None: it is nothing that is read here."""
    suffixes = [one.lower() for one in path.suffixes]
    if not path.is_file() or (suffixes and suffixes[-1] in PICKLES):
        return None
    while suffixes and suffixes[-1] in _PACKED_SUFFIXES:
        suffixes.pop()
    by_suffix = SUFFIXES.get(suffixes[-1]) if suffixes else None
    head = b""
    with suppress(*BROKEN), open_log(path) as source:
        head = source.read(_HEAD)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return "eval" if by_suffix == "eval" or _is_inspect(path) else by_suffix
    if by_suffix in ("parquet", "csv", "eval") or not head.strip():
        return by_suffix
    return _of_text(head, by_suffix)


def _of_text(head: bytes, by_suffix: Kind | None) -> Kind | None:
    """JSON, or JSON lines: by whether the first line is a whole record and others follow."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first, newline, rest = text.partition(b"\n")
    if text.startswith(b"["):
        listed = text[1:].lstrip()[:1] in (b"{", b"")
        if not listed or not newline:
            return by_suffix if by_suffix or not listed else "json"
        return "json" if by_suffix != "jsonl" or not _whole(first) else "jsonl"
    if not text.startswith(b"{"):
        return by_suffix
    if first.strip() == b"{":
        return "json"
    if newline and rest.strip() and _whole(first):
        return "jsonl"
    return by_suffix or "jsonl"


def _whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _is_inspect(path: Path) -> bool:
    """Whether an archive is a log of Inspect, by the names in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False
    return "header.json" in names or "_journal/start.json" in names
