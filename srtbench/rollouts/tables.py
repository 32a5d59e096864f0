"""Parquet files of a log, checked where they are read."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.config.errors import StoreError, require_regular

VERSION_KEY = b"srtbench_schema_version"

FURTHER = frozenset({"question", "their_reward", "their_correct", "their_group", "source_file"})
"""Columns beside those of a schema: of the prompts of an evaluation set, of imported rollouts."""


def read_table(
    path: Path,
    schema: pa.Schema,
    columns: Sequence[str] | None = None,
    added: Sequence[str] = (),
) -> pa.Table:
    """A Parquet file that has the columns of a schema, of its types, and no other ones.

    Args:
        columns: those to read; None: all, those of ``FURTHER`` too.
        added: columns that files of an older version may lack; the table then lacks them.

    Raises:
        FileNotFoundError: there is no file. StoreError: it is no such file, or of a newer srtbench;
            the column is named.
    """
    names = list(schema.names if columns is None else columns)
    require_regular(path)
    try:
        with pq.ParquetFile(path) as file:
            _check_schema(path, file.schema_arrow, schema, added)
            rows, table = file.metadata.num_rows, file.read(columns)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise StoreError(f"{path}: not a whole Parquet file ({reason})") from None
    if not rows:
        raise StoreError(f"{path}: holds no rows")
    for name in [one for one in names if one in table.column_names]:
        if not schema.field(name).nullable and table[name].null_count:
            raise StoreError(f"{path}: column '{name}' has {table[name].null_count} empty values")
    return table


def _check_schema(path: Path, found: pa.Schema, schema: pa.Schema, added: Sequence[str]) -> None:
    newest = (schema.metadata or {}).get(VERSION_KEY)
    version = (found.metadata or {}).get(VERSION_KEY)
    if newest is not None and version is not None and _number(version) > _number(newest):
        raise StoreError(
            f"{path}: its schema has version {version.decode(errors='replace')}; this srtbench "
            f"reads up to {newest.decode()}, so update srtbench"
        )
    is_old = newest is not None and (version is None or _number(version) < _number(newest))
    for field in schema:
        if field.name not in found.names:
            if is_old and field.name in added:
                continue
            raise StoreError(f"{path}: has no column '{field.name}'")
        kind = found.field(field.name).type
        if kind != field.type:
            raise StoreError(f"{path}: column '{field.name}' holds {kind}, not {field.type}")
    for name in found.names:
        if name not in schema.names and name not in FURTHER:
            raise StoreError(f"{path}: column '{name}' is not known to this version of srtbench")
    if len(set(found.names)) != len(found.names):
        raise StoreError(f"{path}: has a column twice")


def _number(version: bytes) -> float:
    """What is no number is newer than any."""
    return int(version) if version.isdigit() else float("inf")
