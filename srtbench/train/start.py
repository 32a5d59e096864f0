"""Where a run starts: its start model, or the policy of the run before it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from srtbench.models.load import load_policy
from srtbench.models.lora import is_adapter, merged
from srtbench.plan import RunSpec
from srtbench.store import Folder, StoreError, SweepStore, write_json
from srtbench.store.checkpoints import Checkpoint, checkpoint_name, last_whole
from srtbench.store.choices import BEST_NOTE, best_note, evaluation_score
from srtbench.store.configs import read_run_spec
from srtbench.store.stopping import Seen, outcome


class StartError(RuntimeError):
    """The policy that a run starts from is not there."""


def start_model_path(spec: RunSpec, store: SweepStore) -> Path | None:
    """Folder of the policy to start from; None if it is loaded from elsewhere.

    That is a policy of the run before it in a curriculum (for the rule last of a run with
    `train.stop` the one it keeps), else the model that a shared stage made.

    Raises:
        StartError: the run before it does not have that policy.
    """
    if spec.starts_from is not None:
        before, rule = store.run(spec.starts_from.run_id), spec.starts_from.rule
        status = before.read_status()
        last = before.checkpoint_path / (status.checkpoint or "missing")
        if status.kept_step is not None:
            last = before.kept_path(status.kept_step)
        place = last if rule == "last" else before.best_path(rule) / "policy"
        if not place.is_dir():
            raise StartError(
                f"{place}: not there, and this run starts from it; to train the run before it "
                f"anew, delete the folder {before.path} and repeat with --retry-failed"
            )
        return place
    stage = spec.needs.start_model
    return store.stage(stage).model_path if stage else None


def start_policy(spec: RunSpec, store: SweepStore) -> tuple[Any, Any]:
    """The model that a run starts from, and its tokenizer.

    Where the run before it trained adapters, they are added into the weights that it began with.

    Raises:
        StartError, ModelError: it is not there, or cannot be read.
    """
    place = start_model_path(spec, store)
    if place is None or spec.starts_from is None or not is_adapter(place):
        return load_policy(spec.model, place)
    policy, tokenizer = start_policy(read_run_spec(store.run(spec.starts_from.run_id)), store)
    return merged(policy, place), tokenizer


def resume_from(spec: RunSpec, folder: Folder) -> Checkpoint:
    """The checkpoint to go on from: the newest whole one.

    A run that was interrupted before a later run asked for its best policy begins anew: the
    policies of the evaluations that it has done are gone. So does one whose policy to be kept by
    `train.stop` is gone.
    """
    for rule in spec.keep_best:
        try:
            if best_note(folder, rule) is None:
                return Checkpoint(0)
        except StoreError as error:
            return Checkpoint(0, (str(error),))
    checkpoint = last_whole(folder)
    if spec.train.stop is None or not checkpoint.step:
        return checkpoint
    try:
        seen = Seen.read(folder.checkpoint_path / checkpoint_name(checkpoint.step))
    except (FileNotFoundError, StoreError) as error:
        return Checkpoint(0, (*checkpoint.passed_over, str(error)))
    kept = folder.kept_path(outcome(spec.train.stop, seen, spec.train.steps)[1])
    if not kept.is_dir():
        return Checkpoint(0, (*checkpoint.passed_over, f"{kept}: is missing"))
    return checkpoint


class BestPolicies:
    """Keeps the policy of the best evaluation so far, one for each rule that a later run names.

    Of equal evaluations the first counts. After a resume, evaluations repeat with the same result.

    Args:
        folder: the run's. rules: names of the rules.
        save: writes the policy, as it is now, into a new folder.
    """

    def __init__(self, folder: Folder, rules: tuple[str, ...], save: Callable[[Path], None]):
        self._folder = folder
        self._rules = rules
        self._save = save

    def offer(self, step: int, table: pa.Table) -> None:
        """Compare the evaluation at ``step`` with the best so far."""
        for rule in self._rules:
            score = evaluation_score(table, rule)
            best = best_note(self._folder, rule)
            if best is not None and (best.score, -best.step) > (score, -step):
                continue
            place = self._folder.best_path(rule)
            policy, fresh = place / "policy", place / ".policy.tmp"
            shutil.rmtree(fresh, ignore_errors=True)
            self._save(fresh)
            shutil.rmtree(policy, ignore_errors=True)
            fresh.rename(policy)
            write_json(place / BEST_NOTE, {"step": step, "score": score})
