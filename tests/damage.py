"""Ways in which a file of a sweep folder can be damaged, and what they do to one file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def _json(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))))

    return apply


def _table(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def apply(path: Path) -> None:
        pq.write_table(change(pq.read_table(path)), path)

    return apply


def _cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def _retyped(content: dict[str, Any]) -> dict[str, Any]:
    """The first text or number becomes a list."""
    name = next(key for key, value in content.items() if isinstance(value, str | int))
    return content | {name: [1]}


def _other_column(table: pa.Table) -> pa.Table:
    """The first column as bytes that are no text."""
    rows = pa.array([b"\xff\x00"] * len(table))
    return table.set_column(0, table.column_names[0], rows)


def _without_values(table: pa.Table) -> pa.Table:
    """A column that every reader needs is empty."""
    name = next(one for one in ("prompt_id", "step") if one in table.column_names)
    place = table.column_names.index(name)
    return table.set_column(place, name, pa.nulls(len(table), table.schema.field(name).type))


def _newer(table: pa.Table) -> pa.Table:
    return table.replace_schema_metadata({"srtbench_schema_version": "99"})


_BOTH: dict[str, Callable[[Path], None]] = {
    "empty": lambda path: path.write_bytes(b"") and None,
    "cut": _cut,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 4) and None,
    "missing": Path.unlink,
}
JSON_DAMAGE: dict[str, Callable[[Path], None]] = {
    **_BOTH,
    "list": _json(lambda content: [content]),
    "wrong type": _json(_retyped),
    "unknown key": _json(lambda content: content | {"magic": 1}),
    "newer": _json(lambda content: content | {"version": 99}),
    "not text": lambda path: path.write_bytes(b'{"sweep": "\xff"}') and None,
    "no numbers": _json(lambda content: dict.fromkeys(content)),
}
TABLE_DAMAGE: dict[str, Callable[[Path], None]] = {
    **_BOTH,
    "wrong type": _table(_other_column),
    "unknown column": _table(lambda t: t.append_column("magic", pa.array([1] * len(t)))),
    "newer": _table(_newer),
    "no column": _table(lambda t: t.drop_columns([t.column_names[0]])),
    "no rows": _table(lambda t: t.slice(0, 0)),
    "empty values": _table(_without_values),
}


def damages_of(path: Path) -> dict[str, Callable[[Path], None]]:
    """The ways to damage a file of this name."""
    return JSON_DAMAGE if path.suffix == ".json" else TABLE_DAMAGE
