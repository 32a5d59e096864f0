"""What is chosen by evidence in the logs: the easiest prompts, the best evaluation. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from srtbench.config.train import PoolConfig
from srtbench.plan.specs import RunSpec
from srtbench.rollouts import read_rollouts
from srtbench.stats import maj_at_k
from srtbench.store.files import StoreError, checked, read_json
from srtbench.store.folders import Folder, SweepStore
from srtbench.store.labels import labels_path, read_labels

BEST_NOTE = "best.json"
"""File beside the policy of a run's best evaluation."""


@dataclass(frozen=True)
class BestNote:
    """Which evaluation was the best so far, and how good it was, in [0, 1]."""

    step: int
    score: float


def best_note(folder: Folder, rule: str) -> BestNote | None:
    """The note beside the policy that a run keeps by a rule; None if there is none.

    Raises:
        StoreError: the file is damaged.
    """
    path = folder.best_path(rule) / BEST_NOTE
    try:
        content = read_json(path)
    except FileNotFoundError:
        return None
    if unknown := [key for key in content if key not in BestNote.__dataclass_fields__]:
        raise StoreError(f"{path}: {unknown[0]}: is not known to this version of srtbench")
    return checked(BestNote, content, path, strict=True)


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
    pool, stage_id = spec.train.pool, spec.needs.pool_votes
    if pool is None or stage_id is None:
        return None
    stage = store.stage(stage_id)
    if pool.by == "vote_share":
        labels = read_labels(labels_path(stage))
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
    return frozenset(ordered[: pool.kept(len(ordered))])
