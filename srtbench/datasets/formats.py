"""JSONL, CSV and Parquet files as rows, one at a time, so that a broken one can be named."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srtbench.datasets.problems import DatasetError

_BATCH = 1024
_NARROW = {"float": "float32", "halffloat": "float16"}


@dataclass(frozen=True)
class Row:
    """A row of a table: its values by column, or a sentence on why it cannot be read."""

    where: str
    values: dict[str, Any] | str


class _Number(str):
    """A JSON number as it is written, so that ``0.50`` stays ``0.50``."""

    __slots__ = ()


def jsonl_rows(path: Path) -> Iterator[Row]:
    """One object per line; empty lines are skipped, a row's number is its line's.

    Raises:
        DatasetError: it is no UTF-8 text.
    """
    _refuse_utf16(path)
    with path.open("rb") as source:
        for number, line in enumerate(source, start=1):
            if line.strip() and line != b"\xef\xbb\xbf":
                yield Row(f"row {number}", _json_object(line, first=number == 1))


def _json_object(line: bytes, first: bool) -> dict[str, Any] | str:
    try:
        text = line.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError as error:
        return f"not valid UTF-8: byte {error.start + 1} of the line"
    try:
        # NaN and Infinity are not JSON, and no answers either.
        value = json.loads(
            text,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_refuse,
            object_pairs_hook=_object,
        )
        half = _half_of_a_pair(value) if "\\u" in text else None
    except (ValueError, RecursionError) as error:
        return f"not valid JSON: {str(error) or type(error).__name__}"
    if not isinstance(value, dict):
        return f"expected an object, got {_json_type(value)}"
    return half or value


def _half_of_a_pair(values: Any) -> str | None:
    """What is wrong where an escape is half of a pair: UTF-16 that was cut within a character."""
    for name, value in values.items() if isinstance(values, dict) else ():
        try:
            json.dumps([name, value], ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(error.object[error.start]):04x}"
            return f"{name!a} holds {half} alone, half of a surrogate pair and no character"
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a key that stands twice, nobody knows which value is meant."""
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return values


def _refuse_utf16(path: Path) -> None:
    """No text of UTF-8 has a NUL; half of the bytes of UTF-16 often are.

    Raises:
        DatasetError: the file has one near its beginning.
    """
    with path.open("rb") as source:
        if b"\0" in source.read(4096):
            raise DatasetError(f"{path.name}: not UTF-8, but UTF-16 or no text: save it as UTF-8")


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _json_type(value: Any) -> str:
    names = {list: "an array", str: "a string", _Number: "a number", bool: "a boolean"}
    return names.get(type(value), "null")


def csv_rows(path: Path) -> Iterator[Row]:
    """A comma-separated table with a header; all values are text, an empty field is null.

    Raises:
        DatasetError: no header, one that names a column twice, or columns without commas.
    """
    _refuse_utf16(path)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as source:
        reader = csv.reader(source, strict=True)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise DatasetError(f"{path.name}: header: {error}") from None
        twice = sorted({name for name in header if header.count(name) > 1})
        if twice or not any(header):
            problem = f"names {', '.join(twice)} twice" if twice else "is missing"
            raise DatasetError(f"{path.name}: the header {problem}")
        if len(header) == 1 and (marks := [mark for mark in ";\t|" if mark in header[0]]):
            raise DatasetError(
                f"{path.name}: the header has no comma but {marks[0]!r}: separate the columns by "
                "commas"
            )
        number = 0
        while True:
            number += 1
            where = f"row {number} (line {reader.line_num + 1})"
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Row(where, f"not valid CSV: {error}")
                continue
            if fields:
                yield Row(where, _csv_values(header, fields))


def _csv_values(header: list[str], fields: list[str]) -> dict[str, Any] | str:
    if len(fields) != len(header):
        return f"{len(fields)} fields, the header has {len(header)}"
    if any("\udc80" <= character <= "\udcff" for field in fields for character in field):
        return "not valid UTF-8"
    return {name: field or None for name, field in zip(header, fields, strict=True)}


def shortest_floats(values: dict[str, Any], schema: Any) -> dict[str, Any]:
    """A row with its narrow floats as they were written: float32 0.8 is not 0.800000011920929.

    ``schema`` is the Arrow schema of the columns that `narrow_columns` names.
    """
    for field in schema:
        if field.name in values:
            values[field.name] = _shortest(values[field.name], field.type)
    return values


def narrow_columns(schema: Any) -> Any:
    """The columns of an Arrow schema that hold floats of fewer than 64 bits, at any depth."""
    import pyarrow

    return pyarrow.schema([field for field in schema if _is_narrow(field.type)])


def _is_narrow(kind: Any) -> bool:
    if kind.num_fields:
        return any(_is_narrow(kind.field(place).type) for place in range(kind.num_fields))
    return str(kind) in _NARROW


def _shortest(value: Any, kind: Any) -> Any:
    import numpy as np

    match value:
        case float() if (name := _NARROW.get(str(kind))) is not None:
            return float(str(np.dtype(name).type(value)))
        case dict():
            return {name: _shortest(one, kind.field(name).type) for name, one in value.items()}
        case list():
            return [_shortest(one, kind.field(0).type) for one in value]
        case _:
            return value


def parquet_rows(path: Path) -> Iterator[Row]:
    """Rows of a Parquet file, numbered from 1.

    Raises:
        DatasetError: it is not a Parquet file, or damaged.
    """
    import pyarrow
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_BATCH):
                for values in _batch_values(batch):
                    number += 1
                    yield Row(f"row {number}", values)
    except pyarrow.ArrowException as error:
        place = f" after row {number}" if number else ""
        raise DatasetError(f"{path.name}: not readable as Parquet{place}: {error}") from error


def _batch_values(batch: Any) -> Iterator[dict[str, Any] | str]:
    narrow = narrow_columns(batch.schema)
    try:
        rows = batch.to_pylist()
    except UnicodeDecodeError:  # again, one by one, to name the row
        for place in range(len(batch)):
            try:
                yield shortest_floats(batch.slice(place, 1).to_pylist()[0], narrow)
            except UnicodeDecodeError:
                yield "not valid UTF-8"
    else:
        for values in rows:
            yield shortest_floats(values, narrow)
