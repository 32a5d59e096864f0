"""Where a run starts: its start model, the policy of the run before it, the prompts of its pool."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from srtbench.config.train import PoolConfig
from srtbench.plan_stages import keep_count
from srtbench.rollouts import read_rollouts
from srtbench.specs import RunSpec, StageSpec
from srtbench.stats import maj_at_k
from srtbench.store import Folder, SweepStore, write_json
from srtbench.train.artifacts import read_labels


class StartError(RuntimeError):
    """The policy that a run starts from is not there."""


def start_model_path(spec: RunSpec | StageSpec, store: SweepStore) -> Path | None:
    """Folder of the policy to start from; None if it is loaded from elsewhere.

    That is a policy of the run before it in a curriculum, else the model that a shared stage made.

    Raises:
        StartError: the run before it does not have that policy.
    """
    if isinstance(spec, RunSpec) and spec.starts_from is not None:
        before, rule = store.run(spec.starts_from.run_id), spec.starts_from.rule
        last = before.checkpoint_path / (before.read_status().checkpoint or "missing")
        place = last if rule == "last" else before.best_path(rule) / "policy"
        if not place.is_dir():
            raise StartError(
                f"{place}: not there, and this run starts from it; to train the run before it "
                f"anew, delete the folder {before.path} and repeat with --retry-failed"
            )
        return place
    stage = spec.needs.get("warm_start") or spec.needs.get("converted_model")
    return store.stage(stage).model_path if stage else None


def resume_step(spec: RunSpec, folder: Folder) -> int:
    """Step of the checkpoint to go on from; 0: from the beginning.

    A run that was interrupted before a later run asked for its best policy begins anew: the
    policies of the evaluations that it has done are gone.
    """
    status = folder.read_status()
    kept = all((folder.best_path(rule) / "best.json").is_file() for rule in spec.keep_best)
    return status.checkpoint_step if status.checkpoint and kept else 0


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
            note = self._folder.best_path(rule) / "best.json"
            if note.is_file():
                best = json.loads(note.read_text(encoding="utf-8"))
                if (best["score"], -best["step"]) > (score, -step):
                    continue
            policy = note.parent / "policy"
            fresh = note.parent / ".policy.tmp"
            shutil.rmtree(fresh, ignore_errors=True)
            self._save(fresh)
            shutil.rmtree(policy, ignore_errors=True)
            fresh.rename(policy)
            write_json(note, {"step": step, "score": score})


def evaluation_score(table: pa.Table, rule: str) -> float:
    """Mean accuracy, or majority accuracy (ties split), of an evaluation's rollouts, in [0, 1]."""
    right = table["gold_reward"].to_numpy()
    if rule == "best_avg_at_k":
        return float(right.mean())
    order = {key: number for number, key in enumerate(table["answer_key"].unique().to_pylist())}
    order[None] = -1
    numbers = np.array([order[key] for key in table["answer_key"].to_pylist()])
    starts = group_starts(table)
    keys = np.split(numbers, starts[1:])
    grades = np.split(right, starts[1:])
    samples = min(len(group) for group in keys)
    gold = [_gold(key, grade) for key, grade in zip(keys, grades, strict=True)]
    stacked = np.stack([group[:samples] for group in keys])
    return float(maj_at_k(stacked, np.array(gold), samples)[:, 0].mean())


def _gold(keys: np.ndarray, right: np.ndarray) -> int:
    """Number of the right answer; of one that nobody gave if no completion is right."""
    found = keys[right > 0]
    return int(found[0]) if len(found) else -2


def group_starts(table: pa.Table) -> np.ndarray:
    """Row numbers at which a prompt's completions begin; they stand together."""
    ids = table["prompt_id"].to_pylist()
    return np.array([row for row in range(len(ids)) if row == 0 or ids[row] != ids[row - 1]])


def pool_prompt_ids(spec: RunSpec, store: SweepStore) -> frozenset[str] | None:
    """Prompts to train on; None if all of the pool are.

    The easiest ones by the start model's votes, for which a shared stage asked once.
    """
    pool, stage_id = spec.train.pool, spec.needs.get("pool_votes")
    if pool is None or stage_id is None:
        return None
    stage = store.stage(stage_id)
    if pool.by == "vote_share":
        labels = read_labels(stage.path / "labels.parquet")
        return easiest({prompt_id: label.share for prompt_id, label in labels.items()}, pool)
    table = read_rollouts(stage.rollouts_path, "eval")
    means = table.group_by("prompt_id").aggregate([("gold_reward", "mean")])
    rates = dict(
        zip(means["prompt_id"].to_pylist(), means["gold_reward_mean"].to_pylist(), strict=True)
    )
    return easiest(rates, pool)


def easiest(ease: Mapping[str, float], pool: PoolConfig) -> frozenset[str]:
    """The ``keep`` share of prompts with the highest ease, at least one; ties by prompt id."""
    ordered = sorted(ease, key=lambda prompt_id: (-ease[prompt_id], prompt_id))
    return frozenset(ordered[: keep_count(pool, len(ordered))])
