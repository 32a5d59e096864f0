"""Staged rows of a log -> judged rows in parts: answers, keys, votes and grades are made anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from srtbench.answers.extract import extract
from srtbench.answers.grader import Grader
from srtbench.config.eval_sets import OWN
from srtbench.rollouts import (
    IMPORTED_SCHEMA,
    PROMPT_SCHEMA,
    SELECTION,
    eval_group_id,
    write_parquet,
)
from srtbench.rollouts.judge import Columns, gold_rewards, runs_of
from srtbench.store.imported import ImportedSpec, imported_votes
from srtbench.variants import Variant

PART_ROWS = 65_536
"""Rows after which a part ends, at the end of a step."""

COUNTED = (
    "completion_tokens", "truncated", "policy_step", "gold_reward", "their_reward",
    "their_correct", "answer", "mean_logprob",
)  # fmt: skip
"""Columns of which it is counted how many rows have a value."""

Place = tuple[str | None, str]
"""Evaluation set (None in train) and prompt id."""


class Prompts:
    """Prompts of a run by their ids, with gold answers and their keys.

    The texts of those that are known stay in their table: an append neither reads nor writes them
    one by one.
    """

    def __init__(self, grader: Grader, known: pa.Table | None = None):
        self.grader = grader
        known = PROMPT_SCHEMA.empty_table() if known is None else known
        sets, ids = known["eval_set"].to_pylist(), known["prompt_id"].to_pylist()
        rows = {place: row for row, place in enumerate(zip(sets, ids, strict=True))}
        if len(rows) < len(known):  # a place that is there twice is once there
            known = known.take(list(rows.values()))
        self._rows: dict[Place, int] = {place: number for number, place in enumerate(rows)}
        self._known = known["prompt"].chunks
        self._texts: list[str] = []  # of those that are new
        self._golds: list[str | None] = known["gold_answer"].to_pylist()
        self._keys: list[str | None] = known["gold_key"].to_pylist()
        self._new: list[Place] = []
        self.gold_keys: dict[str | None, dict[str, str | None]] = {}
        self.conflicts = self.keyless = 0
        for place, number in self._rows.items():
            self._note(place, number)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, place: Place, prompt: str, gold: str | None) -> None:
        """Note a prompt; the first gold answer of a prompt is the one."""
        number = self._rows.get(place)
        if number is None:
            self._rows[place] = len(self._golds)
            self._texts.append(prompt)
            self._golds.append(None if gold is None else gold_text(gold))
            self._keys.append(None)
            self._new.append(place)
        elif gold is not None:
            text = gold_text(gold)
            if self._golds[number] is None:
                self._golds[number] = text
                self._new.append(place)
            elif self._golds[number] != text:
                self.conflicts += 1

    def grade(self) -> None:
        """Keys of the gold answers that are new."""
        numbers = [self._rows[place] for place in self._new]
        found = [self._golds[number] for number in numbers]
        golds = list(dict.fromkeys(gold for gold in found if gold is not None))
        keys = dict(zip(golds, self.grader.gold_keys(golds), strict=True))
        for place, number in zip(self._new, numbers, strict=True):
            gold = self._golds[number]
            if gold is not None:
                self._keys[number] = keys[gold]
                self.keyless += self._keys[number] is None
            self._note(place, number)
        self._new = []

    def _note(self, place: Place, number: int) -> None:
        key = self._keys[number]
        if key is not None:  # without a key nothing can be graded, so nothing is
            self.gold_keys.setdefault(place[0], {})[place[1]] = key

    @property
    def trained_and_held_out(self) -> int:
        """Prompts that are both trained on and asked in an evaluation."""
        held = {prompt for label, prompt in self._rows if label is not None}
        return sum((None, prompt) in self._rows for prompt in held)

    def write(self, path: Path, dataset: str) -> None:
        """prompts.parquet."""
        labels = [label for label, _ in self._rows]
        columns: dict[str, Sequence[Any]] = {
            "prompt_id": [prompt for _, prompt in self._rows],
            "dataset": [dataset if label in (None, OWN) else label for label in labels],
            "level": [None] * len(labels),
            "split": ["train" if label is None else "eval" for label in labels],
            "eval_set": labels,
            "gold_answer": self._golds,
            "gold_key": self._keys,
        }
        starts = range(0, len(self._texts), PART_ROWS)
        texts = [pa.array(self._texts[start : start + PART_ROWS], pa.string()) for start in starts]
        prompts = pa.chunked_array([*self._known, *texts], pa.string())
        arrays = [
            prompts if field.name == "prompt" else pa.array(columns[field.name], field.type)
            for field in PROMPT_SCHEMA
        ]
        write_parquet(pa.Table.from_arrays(arrays, schema=PROMPT_SCHEMA), path)


def gold_text(gold: str) -> str:
    r"""The answer in a gold text: what a whole solution ends on, ``#### 5`` or ``\boxed{5}``."""
    for mark, style in (("####", "hash"), ("\\boxed", "boxed")):
        if mark in gold and (found := extract(gold, style)) is not None:
            return found
    return gold


class PartWriter:
    """Writes parts of judged rows into a folder, to be moved into the run's when all are whole."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.parts: list[tuple[Path, str]] = []
        self._writer: pq.ParquetWriter | None = None
        self._phase, self._first, self._last, self._rows = "", 0, 0, 0

    def add(self, table: pa.Table) -> None:
        """Rows in order; a part ends only where a step ends."""
        phases, steps = table["phase"].to_pylist(), table["step"].to_pylist()
        for start, stop in runs_of(list(zip(phases, steps, strict=True))):
            phase, step = phases[start], steps[start]
            ended = phase != self._phase or (self._rows >= PART_ROWS and step != self._last)
            if self._writer is None or ended:
                self.close()
                self._phase, self._first, self._rows = phase, step, 0
                path = self.folder / f"{len(self.parts)}.parquet"
                self._writer = pq.ParquetWriter(path, IMPORTED_SCHEMA, compression="zstd")
            self._last = step
            self._rows += stop - start
            self._writer.write_table(table.slice(start, stop - start))

    def close(self) -> None:
        """End the part that is open."""
        if self._writer is not None:
            self._writer.close()
            name = f"{self._phase}-{self._first:08d}-{self._last:08d}.parquet"
            self.parts.append((self.folder / f"{len(self.parts)}.parquet", name))
            self._writer = None


class RowJudge:
    """Judges staged tables, one after the other, and counts what they have.

    Attributes:
        counts: column -> rows that have a value. sizes: rows of a train group -> groups.
        groups: train step -> groups.
    """

    def __init__(self, spec: ImportedSpec, prompts: Prompts, files: Sequence[str]):
        self.spec, self.prompts, self.files = spec, prompts, files
        self.variant: Variant | None = spec.labeller()
        self.counts: dict[str, int] = {}
        self.sizes: dict[int, int] = {}
        self.groups: dict[int, int] = {}
        self._place: tuple[Any, ...] = ()
        self._position = -1

    def table(self, staged: pa.Table) -> pa.Table:
        """The rows as `IMPORTED_SCHEMA`."""
        rows: Columns = {
            name: staged[name].to_pylist()
            for name in ("phase", "eval_set", "step", "group_order", "prompt_id", "completion")
        }
        graded = self.spec.grader.grade(rows["completion"])
        rows |= {
            "answer": graded.answers,
            "answer_key": graded.keys,
            "verifier_status": graded.statuses,
        }
        rows["group_id"], rows["sample_index"] = self._number(rows)
        rows |= self._judge(rows)
        files = pa.array(list(self.files), pa.string())
        theirs = staged["their_reward"]
        trained = pc.equal(staged["phase"], "train")
        made: dict[str, Any] = {
            "run_id": pa.repeat(self.spec.run_id, len(staged)),
            "train_reward": pc.if_else(trained, theirs, pa.scalar(None, pa.float32())),
            "advantage": pc.if_else(trained, staged["advantage"], pa.scalar(None, pa.float32())),
            "self_certainty": pa.nulls(len(staged), pa.float32()),
            "entropy_nats": pa.nulls(len(staged), pa.float32()),
            **{name: pa.nulls(len(staged), IMPORTED_SCHEMA.field(name).type) for name in SELECTION},
            "source_file": files.take(staged["file"].combine_chunks()),
        }
        arrays = []
        for field in IMPORTED_SCHEMA:
            value = made.get(field.name, rows.get(field.name))
            if value is None:
                value = staged[field.name]
            if not isinstance(value, pa.Array | pa.ChunkedArray):
                value = pa.array(value, field.type)
            arrays.append(value)
        table = pa.Table.from_arrays(arrays, schema=IMPORTED_SCHEMA)
        for name in COUNTED:
            known = len(table) - table[name].null_count
            self.counts[name] = self.counts.get(name, 0) + known
        return table

    def _number(self, rows: Columns) -> tuple[list[str], list[int]]:
        """Group ids and places in the groups."""
        ids: list[str] = []
        places: list[int] = []
        orders = list(zip(rows["phase"], rows["eval_set"], rows["step"], rows["group_order"],
                          strict=True))  # fmt: skip
        for start, stop in runs_of(orders):
            phase, label, step, _ = orders[start]
            self._position = self._position + 1 if self._place == orders[start][:3] else 0
            self._place = orders[start][:3]
            size = stop - start
            if phase == "train":
                ids += [f"{step}-{self._position}"] * size
                self.sizes[size] = self.sizes.get(size, 0) + 1
                self.groups[step] = self._position + 1
            else:
                ids += [eval_group_id(label, step, self._position)] * size
            places += range(size)
        return ids, places

    def _judge(self, rows: Columns) -> Columns:
        """pseudo_label, vote_share and gold_reward."""
        golds: list[float | None] = []
        found: Columns = {"pseudo_label": [], "vote_share": []}
        places = list(zip(rows["phase"], rows["eval_set"], strict=True))
        for start, stop in runs_of(places):
            phase, label = places[start]
            part = {name: values[start:stop] for name, values in rows.items()}
            known = self.prompts.gold_keys.get(label, {})
            golds += gold_rewards(part["prompt_id"], part["answer_key"], known)
            votes = imported_votes(part, phase, self.variant, self.spec)
            for name, values in found.items():
                values += votes[name]
        return found | {"gold_reward": golds}
