"""What a run writes while it trains: rollouts, metrics, checkpoints, status.

Everything of a step is on disk before the checkpoint of that step is named in status.json, and
whatever is newer than that checkpoint is dropped on resume. So no rollout is lost or doubled,
whenever the process dies.
"""

import math
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
from transformers import TrainerCallback

from srtbench.config.eval_sets import OWN
from srtbench.plan import RunSpec
from srtbench.rollouts import RolloutWriter, rollout_table
from srtbench.store import Folder
from srtbench.store.checkpoints import checkpoint_name, list_files
from srtbench.store.metric_log import MetricLog
from srtbench.train.evaluator import Evaluations
from srtbench.train.reward import RolloutBatch
from srtbench.train.stopper import Stopper
from srtbench.variants import TOKEN_STATISTICS

_STATUS_EVERY_SECONDS = 1.0
_SHOWN = ("train_reward", "gold_reward")


class Recorder(TrainerCallback):
    """Drives evaluation and checkpoints, and writes what happened.

    Runs on every process, because sampling and gathering are collective; only the main one
    writes.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Folder,
        take_batch: Callable[[bool], RolloutBatch | None],
        evaluate: Callable[[int, bool], Evaluations],
        *,
        is_main: bool,
        resumed_step: int,
        checkpoint_every: int,
        flush_every: int,
        stopper: Stopper | None = None,
    ):
        self._spec = spec
        self._folder = folder
        self._take_batch = take_batch
        self._evaluate = evaluate
        self._stopper = stopper
        self._is_main = is_main
        self._checkpoint_every = checkpoint_every
        self._flush_every = flush_every
        self._writer = RolloutWriter(folder.rollouts_path)
        self._votes = RolloutWriter(folder.votes_path)
        self._dropped = RolloutWriter(folder.dropped_path)
        self._metrics = MetricLog(folder.metrics_path, spec.run_id, resumed_step)
        self._progress = dict(folder.read_status().progress) if resumed_step else {}
        self._due = False
        self._status_at = 0.0
        self._started = time.monotonic()
        self._seconds_before = folder.read_status().wall_seconds if resumed_step else 0.0

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        """Collect the step's rollouts; evaluate, flush and ask for a checkpoint when due."""
        step = state.global_step
        last = step == self._spec.train.steps
        batch = self._take_batch(last)
        if batch is not None:
            self._keep(batch)
        evaluated = self._evaluate(step, False)
        own = evaluated.get(OWN)
        if self._stopper is not None and own is not None and self._stopper.look(step, own):
            last = control.should_training_stop = True
            evaluated |= self._evaluate(step, True)
            if batch is None and (batch := self._take_batch(last)) is not None:
                self._keep(batch)
        for table in evaluated.values() if self._is_main else ():
            self._writer.add("eval", step, table)
        if OWN in evaluated:
            self._progress["eval_accuracy"] = mean_of(evaluated[OWN]["gold_reward"])
        # Between two generations only: a checkpoint inside a generation buffer resumes elsewhere.
        whole = batch is not None
        self._due = self._due or step % self._checkpoint_every == 0 or last
        due = self._due and (whole or last)
        if self._is_main and (due or step % self._flush_every == 0 or evaluated):
            self._writer.flush()
            self._votes.flush()
            self._dropped.flush()
        control.should_save = due
        self._due = self._due and not due
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Keep TRL's metrics of the step."""
        if self._is_main and logs and "train_runtime" not in logs:
            self._metrics.add(state.global_step, logs)
            if self._stopper is not None:
                self._stopper.logged(logs)
            self._write_status(state.global_step)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """The checkpoint is whole: from now on a resume starts here."""
        if self._is_main:
            self._metrics.write()
            name = checkpoint_name(state.global_step)
            list_files(self._folder.checkpoint_path / name)
            stopping = {} if self._stopper is None else self._stopper.status()
            self._folder.update_status(
                step=state.global_step,
                checkpoint=name,
                checkpoint_step=state.global_step,
                progress=self._progress,
                wall_seconds=self._wall_seconds,
                **stopping,
            )
            if self._stopper is not None:
                self._stopper.named()

    @property
    def _wall_seconds(self) -> float:
        """Time spent training, earlier attempts up to the checkpoint included."""
        return self._seconds_before + time.monotonic() - self._started

    def numbers(self, step: int) -> dict[str, float]:
        """What `report_to` shows of a step besides TRL's metrics."""
        found = {name: self._progress[name] for name in _SHOWN if name in self._progress}
        evaluated = step in self._spec.own.steps(self._spec.train.steps)
        if evaluated and "eval_accuracy" in self._progress:
            found["eval_avg_at_k"] = self._progress["eval_accuracy"]
        return found

    def _keep(self, batch: RolloutBatch) -> None:
        if not self._is_main:
            return
        table = self._table(batch, batch.columns, policy_step=batch.step - 1)
        self._writer.add(batch.phase, batch.step, table)
        if self._stopper is not None:
            self._stopper.trained(table)
        if batch.votes:
            votes = self._table(batch, batch.votes, policy_step=batch.voted_at)
            self._votes.add(batch.phase, batch.step, votes)
        if batch.dropped:
            dropped = self._table(batch, batch.dropped, policy_step=batch.step - 1)
            self._dropped.add(batch.phase, batch.step, dropped)
        self._progress["train_reward"] = mean_of(table["train_reward"])
        self._progress["gold_reward"] = mean_of(table["gold_reward"])

    def _table(
        self, batch: RolloutBatch, columns: dict[str, list[Any]], policy_step: int | None = None
    ) -> pa.Table:
        """Rows of a generation; a further vote may be another policy's than the trained one."""
        rows = len(columns["prompt_id"])
        unknown = dict.fromkeys(("advantage", *TOKEN_STATISTICS), [None] * rows)
        own = {
            "run_id": [self._spec.run_id] * rows,
            "phase": [batch.phase] * rows,
            "eval_set": [None] * rows,
            "step": [batch.step] * rows,
            "policy_step": [policy_step] * rows,
        }
        return rollout_table(unknown | columns | own)

    def _write_status(self, step: int) -> None:
        now = time.monotonic()
        if now - self._status_at >= _STATUS_EVERY_SECONDS:
            self._status_at = now
            self._folder.update_status(step=step, progress=self._progress)


def mean_of(column: Any) -> float:
    """Mean of a column; nan of an empty one."""
    values = column.to_numpy()
    return float(values.mean()) if len(values) else math.nan
