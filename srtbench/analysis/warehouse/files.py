"""Which Parquet files are read: parts of a log that keep to its schema. Every other one is named.

A file is read if its name is that of a part, its footer can be read, it has every column that a log
must have, each with its type, and no newer srtbench wrote it. Any other file changes no number.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import duckdb
import pyarrow as pa

from srtbench.config.errors import NO_FILE
from srtbench.rollouts import ADDED, IMPORTED_SCHEMA, ROLLOUT_SCHEMA, SCHEMA_VERSION
from srtbench.rollouts.tables import FURTHER

Check = Literal["footer", "data"]
NOT_A_PART = "not a part of the log: its name is not train|eval-<first step>-<last step>.parquet"
FURTHER_LOGS = ("votes", "further", "dropped")
"""Folders of a run with completions that were drawn beside its rollouts; only counted."""
_MAY_LACK = {*ADDED, "mean_logprob", "self_certainty", "entropy_nats"}
_MAY_LACK |= {*IMPORTED_SCHEMA.names} - {*ROLLOUT_SCHEMA.names}
"""Columns younger than the first schema, token statistics, and what another trainer said: null
where a file lacks them."""
_TEXT = {"completion", "prompt", "gold_answer", "answer"}
_TYPES = {
    "string": ("VARCHAR", "BYTE_ARRAY"),
    "int32": ("INTEGER", "INT32"),
    "bool": ("BOOLEAN", "BOOLEAN"),
    "float": ("FLOAT", "FLOAT"),
    "double": ("DOUBLE", "DOUBLE"),
}
"""Arrow's name of a type -> its names in DuckDB and in Parquet."""


@dataclass(frozen=True)
class Source:
    """A Parquet file, with what the plan says it holds."""

    path: str
    sweep: str
    owner: str
    label: str
    eval_set: str = ""
    """The one set it holds, where its folder tells (version 1); empty: its rows tell."""
    stage: str = ""

    @property
    def name(self) -> str:
        """The file, below the folder that holds the sweep."""
        folder, file = self.path.rsplit("/", 2)[-2:]
        inside = file not in ("prompts.parquet", "metrics.parquet")
        return f"{self.label}/{folder}/{file}" if inside else f"{self.label}/{file}"


@dataclass(frozen=True)
class Damage:
    """A file that is left out, and why."""

    source: Source
    reason: str


def is_special(path: str) -> bool:
    """Whether a path on this machine is there and no regular file: DuckDB would wait for a pipe."""
    return "://" not in path and os.path.lexists(path) and not os.path.isfile(path)


def readable(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    schema: pa.Schema,
    check: Check,
) -> tuple[dict[str, frozenset[str]], list[Damage]]:
    """Path -> columns of each file that can be used; and the others with the reason.

    All files are asked at once, and one by one only where that fails.
    """
    special = [source for source in sources if is_special(source.path)]
    if special:
        rest = [source for source in sources if source not in special]
        columns, damaged = readable(connection, rest, schema, check)
        return columns, [*(Damage(source, NO_FILE) for source in special), *damaged]
    if not sources:
        return {}, []
    try:
        return _probe(connection, sources, schema, check)
    except duckdb.Error as error:
        if len(sources) == 1:
            reason = str(error).splitlines()[0].replace(sources[0].path, "the file")
            return {}, [Damage(sources[0], reason)]
    columns, damaged = {}, []
    for source in sources:
        found, bad = readable(connection, [source], schema, check)
        columns |= found
        damaged += bad
    return columns, damaged


def _probe(
    connection: duckdb.DuckDBPyConnection,
    sources: Sequence[Source],
    schema: pa.Schema,
    check: Check,
) -> tuple[dict[str, frozenset[str]], list[Damage]]:
    paths = [escape(source.path) for source in sources]
    fields: dict[str, dict[str, str]] = {source.path: {} for source in sources}
    rows = connection.execute(
        "SELECT file_name, name, CASE WHEN type = 'BYTE_ARRAY' AND logical_type IS NULL "
        "AND converted_type IS DISTINCT FROM 'UTF8' THEN 'bytes' ELSE coalesce(type, 'nested') END "
        "FROM parquet_schema(?)",
        [paths],
    ).fetchall()
    for path, name, kind in rows:
        fields[path].setdefault(name, kind)
    versions = dict(
        connection.execute(
            "SELECT file_name, decode(value) FROM parquet_kv_metadata(?) "
            "WHERE decode(key) = 'srtbench_schema_version'",
            [paths],
        ).fetchall()
    )
    rows_of = dict(
        connection.execute(
            "SELECT file_name, num_rows FROM parquet_file_metadata(?)", [paths]
        ).fetchall()
    )
    known = {*schema.names, "eval_set"}
    columns: dict[str, frozenset[str]] = {}
    damaged: list[Damage] = []
    for source in sources:
        reason = _breach(fields[source.path], versions.get(source.path), schema)
        if reason is None and not rows_of.get(source.path):
            reason = "holds no rows"
        if reason is None:
            columns[source.path] = frozenset(fields[source.path]) & known
        else:
            damaged.append(Damage(source, reason))
    if check == "data":
        for present in set(columns.values()):
            group = [escape(path) for path, names in columns.items() if names == present]
            light = sorted(present - _TEXT)
            asked = [f'max("{name}"), count(*) - count("{name}")' for name in light]
            found = connection.execute(
                f"SELECT filename, {', '.join(asked)} FROM read_parquet(?, filename = true) "
                "GROUP BY filename",
                [group],
            ).fetchall()
            for path, *numbers in found:
                empty = dict(zip(light, numbers[1::2], strict=True))
                bad = [name for name in empty if empty[name] and _is_due(schema, name)]
                if bad:
                    del columns[path]
                    (source,) = (one for one in sources if one.path == path)
                    damaged.append(
                        Damage(source, f"column {bad[0]} has {empty[bad[0]]} empty values")
                    )
    return columns, damaged


def _is_due(schema: pa.Schema, name: str) -> bool:
    return name in schema.names and not schema.field(name).nullable


def _breach(fields: dict[str, str], version: str | None, schema: pa.Schema) -> str | None:
    """How a file breaks the schema; None: it keeps to it. No version: as any that fits."""
    if version is not None and not (version.isdecimal() and int(version) <= SCHEMA_VERSION):
        return (
            f"its schema has version {version}; this srtbench reads versions up to {SCHEMA_VERSION}"
        )
    missing = [name for name in schema.names if name not in fields and name not in _MAY_LACK]
    if missing:
        return f"has no column {', '.join(missing)}"
    wrong = [
        f"column {field.name} has type {fields[field.name]}, not {_TYPES[str(field.type)][1]}"
        for field in schema
        if field.name in fields and fields[field.name] != _TYPES[str(field.type)][1]
    ]
    names = {*schema.names, *_MAY_LACK, *FURTHER, *list(fields)[:1]}  # the root is a field too
    wrong += [f"column {name} is not known to this version" for name in fields if name not in names]
    return "; ".join(wrong) or None


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of a type."""
    return _TYPES[str(kind)][0]


def escape(path: str) -> str:
    """A path as a pattern that matches it alone."""
    return "".join(f"[{mark}]" if mark in "*?[" else mark for mark in path)
