"""Evaluation of a run on further sets of prompts, logged beside its own rollouts."""

import logging
import shutil
from collections.abc import Callable

import pyarrow as pa

from srtbench.plan import EvalSetSpec, RunSpec
from srtbench.rollouts import RolloutWriter, discard_after, read_rollouts
from srtbench.store import Folder, SweepStore
from srtbench.train.evaluate import Prompt
from srtbench.train.prompts import read_prompts

logger = logging.getLogger(__name__)


def discard_sets(spec: RunSpec, folder: Folder, step: int) -> int:
    """Drop rollouts of evaluation sets after ``step``, all of them for 0; returns parts dropped."""
    if not step:
        shutil.rmtree(folder.eval_sets_path, ignore_errors=True)
        return 0
    return sum(
        discard_after(folder.eval_set(one.label).rollouts_path, step) for one in spec.eval_sets
    )


def start_rows(stage: Folder, run_id: str) -> pa.Table:
    """The start model's evaluation, which a shared stage made, as rows of a run."""
    base = read_rollouts(stage.rollouts_path, "eval")
    position = base.schema.get_field_index("run_id")
    run_ids = pa.array([run_id] * len(base), pa.string())
    return base.set_column(position, base.schema.field("run_id"), run_ids)


class EvalSets:
    """The further sets of one run.

    What is evaluated is on disk when a call returns, so before any checkpoint of that step.

    Args:
        evaluate: samples and grades the prompts of a set with the policy as it is after a step.
        is_main: whether this process writes.
    """

    def __init__(
        self,
        spec: RunSpec,
        folder: Folder,
        store: SweepStore,
        evaluate: Callable[[EvalSetSpec, list[Prompt], int], pa.Table],
        *,
        is_main: bool,
    ):
        self._spec = spec
        self._folder = folder
        self._store = store
        self._evaluate = evaluate
        self._is_main = is_main
        self._prompts = {
            one.label: read_prompts(folder.eval_set(one.label).prompts_path)
            for one in spec.eval_sets
        }

    def start(self) -> None:
        """Log the start model's evaluations; a run that starts from another one samples them."""
        for one in self._spec.eval_sets:
            if stage := one.needs.start:
                self._log(one, 0, start_rows(self._store.stage(stage), self._spec.run_id))
            else:
                self._log(one, 0, self._evaluate(one, self._prompts[one.label], 0))

    def after(self, step: int) -> None:
        """Evaluate on the sets that are due after an optimiser step."""
        for one in self._spec.eval_sets:
            if step in one.steps(self._spec.train.steps):
                self._log(one, step, self._evaluate(one, self._prompts[one.label], step))

    def _log(self, one: EvalSetSpec, step: int, table: pa.Table) -> None:
        if not self._is_main:
            return
        writer = RolloutWriter(self._folder.eval_set(one.label).rollouts_path)
        writer.add("eval", step, table)
        writer.flush()
        accuracy = float(table["gold_reward"].to_numpy().mean())
        logger.info("step %d: accuracy %.3f on %s", step, accuracy, one.label)
