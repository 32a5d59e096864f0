"""What a file of a log is: its packing and its kind by its first bytes, by its suffix where they do
not tell."""

from __future__ import annotations

import bz2
import codecs
import io
import json
import lzma
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import pyarrow as pa

Kind = Literal["jsonl", "json", "parquet", "csv", "arrow", "eval"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SUFFIXES: dict[str, Kind] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
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


_WIDE = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_WIDE_JSON = {b"\0\0\0": "utf-32-be", b"\0": "utf-16-be"}
"""First bytes of JSON, before its first sign, in encodings without a mark; all of it is ASCII."""


def packing_of(path: Path) -> str | None:
    """How a file is packed, or in which wide encoding it is; None: it is plain."""
    with path.open("rb") as source:
        head = source.read(6)
    return next((name for mark, name in _PACKED.items() if head.startswith(mark)), _wide(head))


def _wide(head: bytes) -> str | None:
    for mark, name in _WIDE.items():
        if head.startswith(mark):
            return name
    if head[:1] in (b"{", b"[") and head[1:2] == b"\0":
        return "utf-32-le" if head[1:4] == b"\0\0\0" else "utf-16-le"
    for zeros, name in _WIDE_JSON.items():
        if head.startswith((zeros + b"{", zeros + b"[")):
            return name
    return None


class _AsUtf8(io.RawIOBase):
    """A text file of a wide encoding as the bytes of UTF-8, without its mark."""

    def __init__(self, source: BinaryIO, encoding: str):
        self._source, self._name = source, encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left and (data := self._source.read(_HEAD)):
            try:
                text = self._decoder.decode(data)
            except UnicodeDecodeError as error:
                raise OSError(f"is no {self._name}: {error.reason}") from None
            self._left = text.encode("utf-8", "surrogatepass")
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size

    def close(self) -> None:
        self._source.close()
        super().close()


def open_log(path: Path) -> Any:
    """The bytes of a file, unpacked, and those of UTF-16 and UTF-32 as UTF-8."""
    packing = packing_of(path)
    if packing is None:
        return path.open("rb")
    if packing.startswith("utf"):
        return io.BufferedReader(_AsUtf8(path.open("rb"), packing))
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
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):  # a file, a stream
        return "arrow"
    if head.startswith(b"PK\x03\x04"):
        return "eval" if by_suffix == "eval" or _is_inspect(path) else by_suffix
    if by_suffix in ("parquet", "csv", "arrow", "eval") or not head.strip():
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
