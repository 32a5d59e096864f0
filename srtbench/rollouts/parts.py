"""The rollout log: Arrow schemas, an atomic writer, a reader.

A folder of Parquet parts (zstd), each written under a temporary name and renamed, so that a
reader at any moment sees whole parts only. A part is named by its phase and its steps,
``train-00000001-00000005.parquet``; every fact that analysis needs is in the columns.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from srtbench.config.eval_sets import OWN
from srtbench.rollouts.tables import read_table

SCHEMA_VERSION = 3

Phase = Literal["train", "eval"]
VERIFIER_STATUSES = ("ok", "unparsable", "timeout", "error")

_DESCRIPTIONS = {
    "run_id": "run that sampled the completion",
    "phase": "train or eval",
    "eval_set": "evaluation set: own for the run's own held-out prompts; null in train",
    "step": "optimiser steps done before an evaluation; step (from 1) that a rollout trains; "
    "rounds, where a run trains by rounds",
    "policy_step": "optimiser steps that the policy had done when it wrote; null if unknown",
    "prompt_id": "prompt, as in prompts.parquet",
    "group_id": "group: the completions that vote together",
    "sample_index": "place of the completion in its group, from 0",
    "completion": "text that the policy wrote",
    "completion_tokens": "its length in tokens, the end token included; null if unknown",
    "truncated": "cut off at max_completion_length; null if unknown",
    "answer": "answer extracted from the completion; null: none found",
    "answer_key": "canonical form of the answer; null: unparsable",
    "pseudo_label": "answer key that the group was rewarded for; in eval the group's majority",
    "vote_share": "share of the votes for the most frequent key",
    "train_reward": "what the optimiser saw; null in eval",
    "gold_reward": "1 if the answer equals the hidden gold answer, else 0; null if there is none",
    "advantage": "advantage that the optimiser used; null in eval",
    "mean_logprob": "mean log-probability of the completion's tokens, in nats; null if unknown",
    "self_certainty": "mean KL(uniform || policy) over the completion's tokens, in nats; or null",
    "entropy_nats": "mean entropy of the policy over the completion's tokens; null if unknown",
    "verifier_status": "ok, unparsable, timeout or error",
    "selected": "whether the round's fit has it; null but in train rollouts of rounds",
    "role": "what it is fitted as: sft, chosen or rejected; null if not selected",
    "weight": "factor of its loss, or of its pair's; null if not selected",
    "their_reward": "reward that another trainer logged, in train and eval; null in native runs",
    "their_correct": "whether that trainer judged the completion right; null if it does not say",
    "their_group": "what it calls the group; null: the prompt",
    "source_file": "file of its log that the rollout was read from",
}


def _field(name: str, kind: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable, {"description": _DESCRIPTIONS[name]})


_VERSION = {"srtbench_schema_version": str(SCHEMA_VERSION)}

ROLLOUT_SCHEMA = pa.schema(
    [
        _field("run_id", pa.string()),
        _field("phase", pa.string()),
        _field("eval_set", pa.string(), nullable=True),
        _field("step", pa.int32()),
        _field("policy_step", pa.int32(), nullable=True),
        _field("prompt_id", pa.string()),
        _field("group_id", pa.string()),
        _field("sample_index", pa.int32()),
        _field("completion", pa.string()),
        _field("completion_tokens", pa.int32(), nullable=True),
        _field("truncated", pa.bool_(), nullable=True),
        _field("answer", pa.string(), nullable=True),
        _field("answer_key", pa.string(), nullable=True),
        _field("pseudo_label", pa.string(), nullable=True),
        _field("vote_share", pa.float32(), nullable=True),
        _field("train_reward", pa.float32(), nullable=True),
        _field("gold_reward", pa.float32(), nullable=True),
        _field("advantage", pa.float32(), nullable=True),
        _field("mean_logprob", pa.float32(), nullable=True),
        _field("self_certainty", pa.float32(), nullable=True),
        _field("entropy_nats", pa.float32(), nullable=True),
        _field("verifier_status", pa.string()),
        _field("selected", pa.bool_(), nullable=True),
        _field("role", pa.string(), nullable=True),
        _field("weight", pa.float32(), nullable=True),
    ],
    _VERSION,
)

SELECTION = ("selected", "role", "weight")
"""Columns of what a round selects."""

LACKED = {1: ("eval_set", "policy_step", *SELECTION), 2: SELECTION}
"""Older version -> columns that its files lack."""

ADDED = LACKED[1]
"""Columns that files of some older version lack."""

IMPORTED_SCHEMA = pa.schema(
    [
        *ROLLOUT_SCHEMA,
        _field("their_reward", pa.float32(), nullable=True),
        _field("their_correct", pa.bool_(), nullable=True),
        _field("their_group", pa.string(), nullable=True),
        _field("source_file", pa.string(), nullable=True),
    ],
    _VERSION,
)
"""Rollouts that another trainer logged: what it said of them stands beside what the judge says."""

PROMPT_SCHEMA = pa.schema(
    [
        pa.field("prompt_id", pa.string(), False, {"description": "hash of the prompt"}),
        pa.field("dataset", pa.string(), False, {"description": "dataset label"}),
        pa.field("level", pa.int32(), True, {"description": "difficulty, where there is one"}),
        pa.field("split", pa.string(), False, {"description": "train, eval or warm_start"}),
        pa.field("eval_set", pa.string(), True, {"description": _DESCRIPTIONS["eval_set"]}),
        pa.field("prompt", pa.string(), False, {"description": "text given to the policy"}),
        pa.field(
            "gold_answer", pa.string(), True, {"description": "hidden right answer; null: none"}
        ),
        pa.field("gold_key", pa.string(), True, {"description": "its answer key"}),
    ],
    _VERSION,
)

METRIC_SCHEMA = pa.schema(
    [
        pa.field("run_id", pa.string(), False, {"description": "run"}),
        pa.field("step", pa.int32(), False, {"description": "optimiser step, from 1"}),
        pa.field("metric", pa.string(), False, {"description": "name, as TRL logs it"}),
        pa.field("value", pa.float64(), True, {"description": "value"}),
    ],
    _VERSION,
)

_PART = re.compile(r"(train|eval)-([0-9]{8})-([0-9]{8})\.parquet")


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write ``table`` (zstd) so that ``path`` is either absent, old or complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as sink:
        pq.write_table(table, sink, compression="zstd")
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


def eval_group_id(eval_set: str | None, step: int, position: int) -> str:
    """Group of an evaluation's prompt; own prompts, and a shared stage's, need no set in it."""
    label = "" if eval_set in (None, OWN) else f"{eval_set}-"
    return f"eval-{label}{step}-{position}"


def of_set(table: pa.Table, label: str) -> pa.Table:
    """Rows of an evaluation that no set was named for, as rows of a set."""
    groups = _group_ids(table["group_id"], label)
    return with_columns(table, eval_set=pa.repeat(label, len(table)), group_id=groups)


def _group_ids(ids: pa.ChunkedArray, label: str) -> pa.ChunkedArray:
    """`eval_group_id` of a set, from that of own prompts."""
    if label == OWN:
        return ids
    return pc.replace_substring(ids, "eval-", f"eval-{label}-", max_replacements=1)


def with_columns(table: pa.Table, **columns: Any) -> pa.Table:
    """The table with other values in some of its columns."""
    for name, values in columns.items():
        field = table.schema.field(name)
        if not isinstance(values, pa.Array | pa.ChunkedArray):
            values = pa.array(values, field.type)
        table = table.set_column(table.schema.get_field_index(name), field, values)
    return table


def rollout_table(columns: Mapping[str, Sequence[Any]]) -> pa.Table:
    """Columns -> a table of ROLLOUT_SCHEMA; those of a selection may be left out, and are null.

    Raises:
        KeyError: a column is missing. ValueError: one is unknown, or lengths differ.
    """
    unknown = sorted(set(columns) - set(ROLLOUT_SCHEMA.names))
    if unknown:
        raise ValueError(f"unknown rollout columns: {', '.join(unknown)}")
    rows = len(next(iter(columns.values()), ()))
    columns = dict.fromkeys(SELECTION, [None] * rows) | dict(columns)
    arrays = [pa.array(columns[field.name], field.type) for field in ROLLOUT_SCHEMA]
    return pa.Table.from_arrays(arrays, schema=ROLLOUT_SCHEMA)


class RolloutWriter:
    """Collects the rollouts of a run and writes them as parts.

    ``add`` keeps rows in memory; ``flush`` writes one part per phase. Whoever saves a checkpoint
    flushes first, so that no part spans one.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self._pending: dict[Phase, list[tuple[int, pa.Table]]] = {"train": [], "eval": []}

    def add(self, phase: Phase, step: int, table: pa.Table) -> None:
        """Keep the rollouts of one step."""
        self._pending[phase].append((step, table))

    def flush(self) -> None:
        """Write what is kept; afterwards it survives a kill."""
        for phase, kept in self._pending.items():
            if kept:
                first, last = kept[0][0], kept[-1][0]
                path = self.folder / f"{phase}-{first:08d}-{last:08d}.parquet"
                write_parquet(pa.concat_tables([table for _, table in kept]), path)
                kept.clear()


def is_part(name: str, phase: Phase | None = None) -> bool:
    """Whether a file of this name is a part of a log: the one rule, for whoever lists files."""
    match = _PART.fullmatch(name)
    return match is not None and phase in (None, match[1])


def part_files(folder: Path, phase: Phase | None = None) -> list[Path]:
    """Whole parts in ``folder``, by phase and first step."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_part(path.name, phase))


def discard_after(folder: Path, step: int) -> int:
    """Drop rollouts of steps after ``step``, and leftovers of broken writes; returns parts dropped.

    Raises:
        ValueError: a part spans ``step``, so the log was not written by this module's rules.
    """
    if not folder.is_dir():
        return 0
    for leftover in folder.glob(".*.tmp"):
        leftover.unlink()
    dropped = 0
    for path in part_files(folder):
        match = _PART.fullmatch(path.name)
        assert match is not None
        first, last = int(match[2]), int(match[3])
        if first > step:
            path.unlink()
            dropped += 1
        elif last > step:
            raise ValueError(f"{path}: spans the checkpoint at step {step}")
    return dropped


def read_rollouts(
    folder: Path, phase: Phase | None = None, columns: Iterable[str] | None = None
) -> pa.Table:
    """All rollouts of a run, in the order of phase, step and row; ``columns`` None: all.

    Files of version 1 are read as of this version. Then further evaluation sets have folders beside
    the run's: ``eval_sets/<label>/rollouts``.

    Raises:
        StoreError: a part is damaged.
    """
    names = list(columns) if columns is not None else ROLLOUT_SCHEMA.names
    files = [(path, OWN) for path in part_files(folder, phase)]
    if folder.name == "rollouts" and phase != "train":
        for place in sorted(folder.parent.glob("eval_sets/*/rollouts")):
            files += [(path, place.parent.name) for path in part_files(place)]
    tables = [read_part(*file, names) for file in sorted(files, key=lambda file: file[0].name)]
    if tables:
        return pa.concat_tables(tables)
    return pa.schema([ROLLOUT_SCHEMA.field(name) for name in names], _VERSION).empty_table()


def read_part(
    path: Path, label: str = OWN, names: Sequence[str] = ROLLOUT_SCHEMA.names
) -> pa.Table:
    """A part as of this version; of version 1, its evaluations are of the set ``label``.

    Raises:
        StoreError: it is damaged.
    """
    needed = [*dict.fromkeys((*names, "eval_set"))]
    table = read_table(path, ROLLOUT_SCHEMA, needed, added=ADDED)
    found = {name: table[name] for name in table.column_names}
    if "eval_set" not in found:
        held_out = is_part(path.name, "eval")
        found["eval_set"] = pa.repeat(label, len(table)) if held_out else pa.nulls(len(table))
        if "group_id" in found:
            found["group_id"] = _group_ids(found["group_id"], label)
    for name in ("policy_step", *SELECTION):
        found.setdefault(name, pa.nulls(len(table)))
    columns = [found[name] for name in names]
    schema = pa.schema([ROLLOUT_SCHEMA.field(name) for name in names], _VERSION)
    return pa.Table.from_arrays(columns, names=list(names)).cast(schema)
