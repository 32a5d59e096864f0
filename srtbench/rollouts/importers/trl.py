"""TRL's completions: ``{output_dir}/completions/completions_{step:05d}.parquet``.

A row has step, prompt, completion (text or chat messages), a column per reward function, whatever
``log_extra`` was given, and the advantage. TRL writes a batch again under the next steps while it
is trained on (``steps_per_generation``, ``num_iterations``), and an evaluation over the file of the
training step before it, unmarked, of which only the last batch stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from srtbench.rollouts.importers.base import (
    NO_ROLLOUT,
    Importer,
    completion_in,
    prompt_in,
    short_hash,
)
from srtbench.rollouts.importers.columns import group_ids, named_gold, pick_rewards, runs
from srtbench.rollouts.importers.files import Record, SourceFile
from srtbench.rollouts.importers.row import Row, RowError, number_of, whole_of

OWN_COLUMNS = {"step", "prompt", "completion", "advantage"}


class Trl(Importer):
    """See the module."""

    name = "trl"
    writer = "TRL"
    rewrites = True
    lost: ClassVar[tuple[str, ...]] = ("TRL logs the last batch of a logging interval only.",)

    def __init__(self, tokenizer: object = None):
        super().__init__()
        self._evaluations: set[str] = set()
        self._said: dict[str, None] = {}

    @classmethod
    def recognises(cls, record: Record) -> bool:
        """By its own four columns, each a value of one row."""
        return set(record) >= OWN_COLUMNS and not isinstance(record["step"], list)

    def prepare(self, files: Sequence[SourceFile]) -> None:
        """See which files an evaluation has overwritten: they ask the very same prompts again and
        again, which no other file asks."""
        asked = {file.name: found for file in files if (found := _prompts(file))}
        same: dict[tuple[str, ...], list[str]] = {}
        for name, (prompts, _) in asked.items():
            same.setdefault(prompts, []).append(name)
        batches = {name: content for name, (_, content) in asked.items()}
        for prompts, names in same.items():
            others = [one for one in asked if one not in names]
            elsewhere = {prompt for one in others for prompt in asked[one][0]}
            differ = len({batches[name] for name in names}) == len(names) > 1
            if differ and others and elsewhere.isdisjoint(prompts):
                self._evaluations.update(names)

    def reading_of(self, file: SourceFile) -> str:
        """Whether it is read as an evaluation."""
        return "eval" if file.name in self._evaluations else ""

    def of_record(self, record: Record, file: SourceFile) -> Iterator[Row]:
        """One row, without group and reward."""
        step = whole_of(record.get("step"), "step")
        if step is None:
            raise RowError("step: is missing")
        held_out = file.name in self._evaluations
        yield Row(
            prompt=prompt_in(record, "prompt"),
            completion=completion_in(record, "completion"),
            step=step,
            phase="eval" if held_out else "train",
            gold=named_gold({k: v for k, v in record.items() if k not in OWN_COLUMNS}),
            advantage=None if held_out else number_of(record.get("advantage"), "advantage"),
        )

    def rows(self, file: SourceFile) -> Iterator[Row]:
        """Rows of the batch; its groups and its reward are seen in all of them together."""
        found: list[Row] = []
        numbers: dict[str, list[Any]] = {}
        for where, record in file.records():
            try:
                found += self.of_record(record, file)
            except NO_ROLLOUT as error:
                file.skip(where, self.why(error))
                continue
            for name, values in numbers.items():
                values.append(record.get(name))
            for name in record.keys() - numbers.keys() - OWN_COLUMNS:
                numbers[name] = [None] * (len(found) - 1) + [record[name]]
        yield from self.judged(found, numeric(numbers))

    def judged(self, found: list[Row], columns: Mapping[str, Sequence[Any]]) -> list[Row]:
        """Rows with their groups and rewards."""
        for start, stop in runs([row.step for row in found]):
            part = found[start:stop]
            groups = group_ids([row.prompt for row in part])
            told = groups if groups[0] is not None else [row.prompt for row in part]
            advantages = [row.advantage for row in part]
            rewards, said = pick_rewards(
                {name: values[start:stop] for name, values in columns.items()},
                None if any(one is None for one in advantages) else advantages,
                told,
            )
            if said and part[0].phase == "train":
                self._said[said] = None
            for row, group, reward in zip(part, groups, rewards, strict=True):
                row.group, row.reward = group, reward
        return found

    def notes(self) -> list[str]:
        """What was seen of overwritten files and of rewards."""
        found = list(self._said)
        if self._evaluations:
            found.append(
                f"Evaluations were written over the training files of {len(self._evaluations)} "
                "steps: of each only the last batch is left, and the training rows are lost."
            )
        return found


def numeric(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    """Columns of numbers, in the order of their names."""
    return {
        name: columns[name]
        for name in sorted(columns)
        if all(
            value is None or (isinstance(value, int | float) and not isinstance(value, bool))
            for value in columns[name]
        )
    }


def _prompts(file: SourceFile) -> tuple[tuple[str, ...], str] | None:
    """The prompts of a file in order, each stretch once, and a name of what was answered."""
    if file.kind != "parquet":
        return None
    try:
        table = pq.read_table(file.path, columns=["prompt", "completion"])
    except (OSError, pa.ArrowException):
        return None
    prompts = [short_hash(one) for one in table["prompt"].to_pylist()]
    return tuple(prompts[start] for start, _ in runs(prompts)), short_hash(
        table["completion"].to_pylist()
    )
