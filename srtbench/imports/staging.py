"""Rows of a log, kept on disk until they can be judged: memory does not grow with the log.

A group's rows may stand anywhere in a log. So all rows that are new are written down as they come,
and read again in the order of phase, set, step and group by a sort that spills to disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.config.eval_sets import OWN
from srtbench.rollouts.importers import Row

STAGED_SCHEMA = pa.schema(
    [
        ("phase", pa.string()),
        ("eval_set", pa.string()),
        ("step", pa.int32()),
        ("group_order", pa.int64()),
        ("sample", pa.int64()),
        ("row_order", pa.int64()),
        ("file", pa.int32()),
        ("prompt_id", pa.string()),
        ("completion", pa.string()),
        ("their_group", pa.string()),
        ("their_reward", pa.float32()),
        ("their_correct", pa.bool_()),
        ("completion_tokens", pa.int32()),
        ("truncated", pa.bool_()),
        ("mean_logprob", pa.float32()),
        ("policy_step", pa.int32()),
        ("advantage", pa.float32()),
    ]
)
_CHUNK = 8192
_SORT_MEMORY = "400MB"
_MASK = 2**64 - 1
_BEFORE = 10**12

Place = tuple[str, str, int]
"""Phase, evaluation set (empty in train), step."""


class Staging:
    """Collects rows; see the module.

    Attributes:
        batches: (file, place) -> rows, a digest of their content that no order changes, and
            whether completions of a prompt differ. No rows that are judged again are in it.
        mixed: whether rows of one group's name have several prompts.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True)
        self.path = folder / "rows.parquet"
        self.rows = 0
        self.batches: dict[tuple[int, Place], list[int]] = {}
        self.again_rows = 0
        self._columns: list[list[Any]] = [[] for _ in STAGED_SCHEMA]
        self._some: dict[tuple[int, Place], tuple[set[str], set[bytes]]] = {}
        self._groups: dict[int, tuple[int, str]] = {}
        self.mixed = False
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: Row, prompt: str, file: int) -> None:
        """Keep a row; ``prompt`` is the id of its prompt."""
        held = row.phase == "eval"
        label = (row.eval_set or OWN) if held else ""
        place = (row.phase, label, row.step)
        order = self._group(place, row.group, prompt, len(self._groups))
        self._keep(
            row.phase, label if held else None, row.step, order, row.sample, self.rows, file,
            prompt, row.completion, row.group, row.reward, row.correct, row.completion_tokens,
            row.truncated, row.mean_logprob, row.policy_step, row.advantage,
        )  # fmt: skip
        self.rows += 1
        batch = self.batches.get((file, place))
        if batch is None:
            batch = self.batches[file, place] = [0, 0, 0]
            self._some[file, place] = (set(), set())
        found = hashlib.blake2b(f"{prompt}\0{row.completion}".encode(), digest_size=8).digest()
        batch[0] += 1
        batch[1] = (batch[1] + int.from_bytes(found, "little")) & _MASK
        if not batch[2]:
            prompts, contents = self._some[file, place]
            prompts.add(prompt)
            contents.add(found)
            if len(contents) > len(prompts):
                batch[2] = 1
                del self._some[file, place]

    def again(self, row: Mapping[str, Any], file: int) -> None:
        """Keep a row that was judged before, in front of the new ones."""
        place = (row["phase"], row["eval_set"] or "", row["step"])
        order = self._group(
            place, row["their_group"], row["prompt_id"], len(self._groups) - _BEFORE
        )
        self._keep(
            row["phase"], row["eval_set"], row["step"], order, row["sample_index"],
            self.again_rows - _BEFORE, file, row["prompt_id"], row["completion"],
            row["their_group"], row["their_reward"], row["their_correct"],
            row["completion_tokens"], row["truncated"], row["mean_logprob"], row["policy_step"],
            row["advantage"],
        )  # fmt: skip
        self.again_rows += 1

    def _group(self, place: Place, told: str | None, prompt: str, number: int) -> int:
        """Number of the group of a row: a group is of one prompt.

        Processes of a trainer may number the groups of their files alike, so rows of one name and
        other prompts are several groups.
        """
        if told is None:
            return self._groups.setdefault(hash((place, prompt)), (number, prompt))[0]
        found = self._groups.setdefault(hash((place, "group", told)), (number, prompt))
        if found[1] != prompt:
            self.mixed = True
            name = hash((place, "group", told, prompt))
            found = self._groups.setdefault(name, (number, prompt))
        return found[0]

    def _keep(self, *values: Any) -> None:
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)
        if len(self._columns[0]) >= _CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._columns[0]:
            if self._writer is None:
                self._writer = pq.ParquetWriter(self.path, STAGED_SCHEMA, compression="lz4")
            arrays = [
                pa.array(values, field.type)
                for values, field in zip(self._columns, STAGED_SCHEMA, strict=True)
            ]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=STAGED_SCHEMA))
            for values in self._columns:
                values.clear()

    def finish(self) -> None:
        """Nothing more comes."""
        self._flush()
        self._groups, self._some = {}, {}
        if self._writer is not None:
            self._writer.close()

    def ordered(self, left_out: set[tuple[int, Place]]) -> Iterator[pa.Table]:
        """All rows but those of some batches, in order, a group never in two tables."""
        if not self.rows and not self.again_rows:
            return
        with duckdb.connect(
            config={
                "memory_limit": _SORT_MEMORY,
                "threads": 1,
                "temp_directory": str(self.folder / "sort"),
            }
        ) as connection:
            drop = pa.table(
                {
                    "file": pa.array([file for file, _ in left_out], pa.int32()),
                    "phase": pa.array([place[0] for _, place in left_out], pa.string()),
                    "label": pa.array([place[1] for _, place in left_out], pa.string()),
                    "step": pa.array([place[2] for _, place in left_out], pa.int32()),
                }
            )
            connection.register("left_out", drop)
            reader = connection.sql(
                "SELECT * FROM read_parquet(?) AS row WHERE NOT EXISTS (SELECT 1 FROM left_out "
                "WHERE left_out.file = row.file AND left_out.phase = row.phase "
                "AND left_out.label = coalesce(row.eval_set, '') AND left_out.step = row.step) "
                "ORDER BY row.phase, row.step, row.eval_set, group_order, sample, row_order",
                params=[str(self.path)],
            ).to_arrow_reader(_CHUNK)
            kept: list[pa.RecordBatch] = []
            for batch in reader:
                kept.append(batch)
                if sum(len(one) for one in kept) < _CHUNK:
                    continue
                table = pa.Table.from_batches(kept)
                groups = table["group_order"].to_pylist()
                cut = len(groups) - 1
                while cut and groups[cut - 1] == groups[-1]:
                    cut -= 1
                if cut:
                    yield table.slice(0, cut).cast(STAGED_SCHEMA)
                kept = table.slice(cut).to_batches()
            if kept:
                yield pa.Table.from_batches(kept).cast(STAGED_SCHEMA)
