"""What a reward function of a trainer judges, written as rollouts of a sweep folder as it goes.

Rows are kept in memory until `RolloutLog.flush`; a part never ends inside a step, and one that a
checkpoint belongs to ends there. Only one process writes.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from srtbench.config.eval_sets import OWN
from srtbench.rewards.batch import Batch
from srtbench.rollouts import (
    IMPORTED_SCHEMA,
    RolloutWriter,
    eval_group_id,
    read_table,
    write_parquet,
)
from srtbench.rollouts.judge import Columns, eval_votes, gold_rewards, group_rows
from srtbench.rollouts.signals import mean
from srtbench.store.files import StoreError, remove_leftovers
from srtbench.store.folders import Folder
from srtbench.store.metric_log import MetricLog
from srtbench.store.status import State
from srtbench.store.written import WrittenRun

FLUSH_SECONDS = 30.0
"""Rows wait no longer than this, and the end of their step, to be written."""

_HELD: dict[Path, ExitStack] = {}


def hold(folder: Folder) -> None:
    """Keep a run's folder for this process until it ends; a later trainer of it may go on there.

    Raises:
        BlockingIOError: another live process writes there.
    """
    path = folder.path.resolve()
    if path not in _HELD:
        stack = ExitStack()
        stack.enter_context(folder.locked())
        _HELD[path] = stack
    remove_leftovers(folder.path)


class RolloutLog:
    """Rollouts of one run, from batches that a reward has judged."""

    def __init__(self, run: WrittenRun):
        self.run = run
        self._writer = RolloutWriter(run.folder.rollouts_path)
        self._prompts: list[dict[str, Any]] = []
        self._flushed = time.monotonic()
        self._caveats = list(run.spec.caveats)
        self._progress: dict[str, float] = {}
        self._state = run.folder.read_status()
        self._metrics = MetricLog(run.folder.metrics_path, run.spec.run_id, sys.maxsize)

    def begin(self, step: int, total_steps: int) -> None:
        """Training starts after ``step`` steps: what was written of later ones is dropped.

        Raises:
            StoreError: that would drop rollouts of a training that is finished.
        """
        run = self.run
        before, last = run.folder.read_status(), run.last_step
        if last > step:
            if before.state == "done":
                raise StoreError(
                    f"{run.folder.path}: holds a finished training of {before.step} steps, and "
                    f"this one starts at step {step}; give other labels, e.g. "
                    f"labels={{'seed': {run.spec.seed + 1}}}, or another folder"
                )
            if step == 0:
                warnings.warn(
                    f"{run.folder.path}: an unfinished training has left rollouts up to step "
                    f"{last}; this one starts at step 0, so they are dropped",
                    stacklevel=2,
                )
            run.keep_until(step)
        self._metrics = MetricLog(run.folder.metrics_path, run.spec.run_id, step)
        self._state = run.folder.start(total_steps)
        self._note(step, "running")

    def train(self, batch: Batch) -> None:
        """Keep a generation that is trained on."""
        step, found = batch.steps_done + 1, batch.columns | batch.judged.columns
        found["gold_reward"] = _graded(found, batch)
        self._progress["train_reward"] = mean(found["train_reward"])
        self._keep_prompts(batch, None, found["prompt_id"])
        self._writer.add("train", step, self._table("train", None, step, batch, found))

    def evaluation(
        self, label: str, step: int, batches: Sequence[Batch], prompts: int | None
    ) -> None:
        """Write an evaluation of a set after ``step`` steps, unless there is one already.

        Args:
            prompts: how many the set has; further groups only fill up the last batch. None: not
                known.
        """
        path = self.run.folder.rollouts_path / f"eval-{step:08d}-{step:08d}.parquet"
        known = [read_table(path, IMPORTED_SCHEMA)] if path.is_file() else []
        if any(label in table["eval_set"].to_pylist() for table in known):
            return
        tables, first = [], 0
        for batch in batches:
            columns = dict(batch.columns)
            groups = list(group_rows(columns["group_id"]).values())
            left = len(groups) if prompts is None else min(len(groups), prompts - first)
            rows = [row for group in groups[:left] for row in group]
            columns = {name: [values[row] for row in rows] for name, values in columns.items()}
            columns["group_id"] = [
                eval_group_id(label, step, first + place)
                for place, group in enumerate(groups[:left])
                for _ in group
            ]
            first += left
            if rows:
                columns |= {"step": [step] * len(rows), "train_reward": [None] * len(rows)}
                columns |= eval_votes(columns)
                columns["gold_reward"] = _graded(columns, batch)
                self._keep_prompts(batch, label, columns["prompt_id"])
                tables.append(self._table("eval", label, step, batch, columns))
        if tables:
            self._add_prompts()
            write_parquet(pa.concat_tables([*known, *tables]), path)
            golds = [one for table in tables for one in table["gold_reward"].to_pylist()]
            if label == OWN and None not in golds:
                self._progress["eval_accuracy"] = mean(golds)

    def metrics(self, step: int, logs: Mapping[str, Any]) -> None:
        """Keep what the trainer says of a step, or of those since it last did."""
        self._metrics.add(step, logs)

    def flush(self, step: int | None = None) -> None:
        """Write what is kept; afterwards it survives a kill. None: no step was done since."""
        self._add_prompts()
        self._writer.flush()
        self._metrics.write()
        self._flushed = time.monotonic()
        state = self._state.state
        # Where no training has begun, an evaluation is all there is.
        self._note(step, "done" if state == "waiting" else state, self._state.stopped)

    def end(self, step: int, stopped: str | None) -> None:
        """The training is over; ``stopped``: why before its last step."""
        self._state = replace(self._state, state="done", stopped=stopped)
        self.flush(step)

    @property
    def is_due(self) -> bool:
        """Whether rows have waited long enough."""
        return time.monotonic() - self._flushed >= FLUSH_SECONDS

    def _note(self, step: int | None, state: State, stopped: str | None = None) -> None:
        said = list(self._caveats)
        if shared := self.run.trained_and_held_out:
            said.append(f"Evaluation prompts that it trains on too: {shared:,}.")
        if all(row.get("eval_set") is None for row in self.run.prompts):
            said.append("It has no evaluations.")
        self.run.spec = self.run.spec.model_copy(update={"caveats": said})
        self._state = replace(self._state, step=self._state.step if step is None else step)
        total = max(self._state.total_steps, self._state.step)
        self.run.note(
            self._state.step, total, state=state, stopped=stopped, progress=self._progress
        )

    def _keep_prompts(self, batch: Batch, label: str | None, asked: Sequence[str]) -> None:
        self._prompts += [
            {
                "eval_set": label,
                "prompt_id": name,
                "prompt": batch.prompts[name],
                "gold_answer": batch.golds.get(name),
                "gold_key": batch.judged.gold_keys.get(name),
            }
            for name in dict.fromkeys(asked)
        ]

    def _add_prompts(self) -> None:
        self.run.add_prompts(self._prompts)
        self._prompts = []

    def _table(
        self,
        phase: str,
        label: str | None,
        step: int,
        batch: Batch,
        columns: Mapping[str, Sequence[Any]],
    ) -> pa.Table:
        """Rows of `IMPORTED_SCHEMA`; what a reward function is not told is null."""
        rows = len(columns["prompt_id"])
        same = {
            "run_id": self.run.spec.run_id,
            "phase": phase,
            "eval_set": label,
            "step": step,
            "policy_step": batch.steps_done if phase == "train" else step,
        }
        arrays = [
            pa.array(columns.get(field.name, [same.get(field.name)] * rows), field.type)
            for field in IMPORTED_SCHEMA
        ]
        return pa.Table.from_arrays(arrays, schema=IMPORTED_SCHEMA)


def _graded(columns: Columns, batch: Batch) -> list[float | None]:
    """Agreement with gold; None where its answer has no key: then nothing can be graded."""
    keys = {name: key for name, key in batch.judged.gold_keys.items() if key is not None}
    return gold_rewards(columns["prompt_id"], columns["answer_key"], keys)
