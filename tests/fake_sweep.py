"""Fabricates a sweep folder through the real writers, with curves that rise, collapse and fail."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from srtbench import plan as planning
from srtbench.config import SweepConfig
from srtbench.plan import Plan, RunSpec
from srtbench.plan.stages import EvalPrompts, StartEval, TrainPrompts
from srtbench.rollouts import (
    METRIC_SCHEMA,
    PROMPT_SCHEMA,
    Phase,
    RolloutWriter,
    rollout_table,
    write_parquet,
)
from srtbench.store import Folder, State, SweepStore, write_json

ERROR = (
    'Traceback (most recent call last):\n  File "train.py", line 7\nMemoryError: <b>no</b> memory'
)


@dataclass(frozen=True)
class Shape:
    """Size of a fabricated sweep."""

    steps: int = 60
    every: int = 20
    prompts_per_step: int = 4
    generations: int = 8
    eval_prompts: int = 24
    eval_samples: int = 8


def small_config(shape: Shape, **changes: Any) -> SweepConfig:
    """A valid configuration of that size."""
    content: dict[str, Any] = {
        "name": "fake",
        "models": ["tiny"],
        "datasets": [
            {"type": "reasoning_gym", "task": "spell_backward", "level": 6, "answer_kind": "text"}
        ],
        "variants": [
            "srt",
            "gold",
            "fixed_teacher",
            "random",
            {"type": "srt", "name": "srt-high-lr", "train": {"learning_rate": 1e-3}},
        ],
        "seeds": [0, 1, 2],
        "train": {
            "steps": shape.steps,
            "prompts_per_step": shape.prompts_per_step,
            "num_generations": shape.generations,
        },
        "eval": {
            "every": shape.every,
            "prompts": shape.eval_prompts,
            "samples": shape.eval_samples,
        },
    }
    return SweepConfig(**(content | changes))


def accuracy(variant: str, share: float, seed: int) -> float:
    """Chance that a completion is right, ``share`` of the way through training."""
    start = 0.55 + 0.03 * seed
    end = {"srt": 0.85, "gold": 0.9, "fixed_teacher": 0.72, "random": 0.3}.get(variant, 0.6)
    if variant == "srt-high-lr":
        peak = start + 0.15 * np.sin(np.pi * min(share / 0.3, 1.0))
        return float(max(0.0, peak * (1 - max(0.0, share - 0.3) / 0.25)))
    return float(start + (end - start) * (1 - np.exp(-3 * share)) / (1 - np.exp(-3)))


def write_fake_sweep(
    root: Path,
    shape: Shape | None = None,
    *,
    states: dict[tuple[str, int], State] | None = None,
    spared: Collection[int] = (),
    **changes: Any,
) -> Path:
    """Write a sweep below ``root``.

    Args:
        states: (variant, seed) -> state other than done.
        spared: seeds of ``srt-high-lr`` that rise as those of ``srt`` do.
    """
    shape = shape or Shape()
    plan = planning.plan_sweep(small_config(shape, **changes))
    store = SweepStore(root, plan.name)
    store.write_plan(plan)
    _write_stages(store, plan, shape)
    for run in plan.runs:
        state = (states or {}).get((run.variant_label, run.seed), "done")
        like = "srt" if run.seed in spared else run.variant_label
        shown = like if run.variant_label == "srt-high-lr" else run.variant_label
        _write_run(store.run(run.run_id), run, shape, state, shown)
    return store.path


def _write_stages(store: SweepStore, plan: Plan, shape: Shape) -> None:
    for stage in plan.stages:
        folder = store.stage(stage.stage_id)
        if isinstance(stage, TrainPrompts | EvalPrompts) and stage.prompts:
            split = stage.kind.removesuffix("_prompts")
            _write_prompts(folder, stage.prompts, split, stage.dataset.label)
        if isinstance(stage, StartEval):
            writer = RolloutWriter(folder.rollouts_path)
            rng = np.random.default_rng(0)
            ids = [f"eval-{i}" for i in range(shape.eval_prompts)]
            writer.add(
                "eval", 0, _rollouts(stage.stage_id, "eval", 0, ids, shape.eval_samples, 0.57, rng)
            )
            writer.flush()
        folder.update_status(state="done")


def _write_prompts(folder: Folder, count: int, split: str, dataset: str) -> None:
    ids = [f"{split}-{i}" for i in range(count)]
    columns = {
        "prompt_id": ids,
        "dataset": [dataset] * count,
        "level": [6] * count,
        "split": [split] * count,
        "eval_set": [None] * count,
        "prompt": [f"word{i}=" for i in range(count)],
        "gold_answer": [f"{name}-right" for name in ids],
        "gold_key": [f"{name}-right" for name in ids],
    }
    write_parquet(pa.table(columns, schema=PROMPT_SCHEMA), folder.prompts_path)


def _rollouts(
    run_id: str,
    phase: Phase,
    step: int,
    prompts: list[str],
    samples: int,
    chance: float,
    rng: np.random.Generator,
    variant: str = "srt",
    constant: float = 0.0,
) -> pa.Table:
    rows: dict[str, list[Any]] = {}

    def put(**values: Any) -> None:
        for name, value in values.items():
            rows.setdefault(name, []).append(value)

    for prompt in prompts:
        difficulty = (hash_unit(prompt) - 0.5) * 1.2 * 4 * chance * (1 - chance)
        right = min(max(chance + difficulty, 0.0), 1.0)
        wrong = [f"{prompt}-w{i}" for i in range(4)]
        keys: list[str | None] = []
        for _ in range(samples):
            if rng.random() < constant:
                keys.append("u")
            elif rng.random() < right:
                keys.append(f"{prompt}-right")
            elif rng.random() < 0.06:
                keys.append(None)
            else:
                keys.append(str(rng.choice(wrong, p=[0.55, 0.25, 0.15, 0.05])))
        cast = [key for key in keys if key is not None]
        label = max(cast, key=cast.count) if cast else None
        share = cast.count(label) / len(cast) if label else 0.0
        if phase == "train" and variant == "gold":
            label = f"{prompt}-right"
        if phase == "train" and variant == "random":
            label = None
        for index, key in enumerate(keys):
            gold = float(key == f"{prompt}-right")
            reward = float(rng.random() < 0.5) if variant == "random" else float(key == label)
            put(
                run_id=run_id,
                phase=phase,
                eval_set="own" if phase == "eval" else None,
                step=step,
                policy_step=step - (phase == "train"),
                prompt_id=prompt,
                group_id=f"{phase}-{step}-{prompt}",
                sample_index=index,
                completion=f"so <b>{key}</b></script>" if key else "no idea",
                completion_tokens=int(4 + 8 * (1 - constant) + rng.integers(3)),
                truncated=key is None,
                answer=key,
                answer_key=key,
                pseudo_label=label,
                vote_share=share,
                train_reward=reward if phase == "train" else None,
                gold_reward=gold,
                advantage=0.0 if phase == "train" else None,
                mean_logprob=None,
                self_certainty=None,
                entropy_nats=float(0.9 * (1 - chance)) if phase == "train" else None,
                verifier_status="ok" if key else "unparsable",
            )
    return rollout_table(rows)


def hash_unit(text: str) -> float:
    """A fixed number in 0..1 for a text."""
    return (sum(ord(c) * (i + 7) * 7919 for i, c in enumerate(text)) % 1000) / 1000


def _write_run(folder: Folder, run: RunSpec, shape: Shape, state: State, variant: str) -> None:
    """A run whose curves are those of ``variant``."""
    if state == "waiting":
        return
    write_json(folder.config_path, json.loads(run.model_dump_json()))
    stop = {"done": 1.0, "failed": 0.4, "running": 0.7}.get(state, 0.5)
    last = int(run.train.steps * stop)
    rng = np.random.default_rng(100 + run.seed)
    writer = RolloutWriter(folder.rollouts_path)
    metrics: list[tuple[str, int, str, float]] = []
    for step in range(1, last + 1):
        share = step / run.train.steps
        chance = accuracy(variant, share, run.seed)
        constant = min(max(0.0, (share - 0.4) / 0.3), 1.0) if variant == "srt-high-lr" else 0.0
        first = (step - 1) * shape.prompts_per_step
        ids = [f"train-{first + i}" for i in range(shape.prompts_per_step)]
        kind = variant if variant in ("gold", "random") else "srt"
        rollouts = _rollouts(
            run.run_id, "train", step, ids, shape.generations, chance, rng, kind, constant
        )
        writer.add("train", step, rollouts)
        metrics += [
            (run.run_id, step, "kl", share * 0.1),
            (run.run_id, step, "grad_norm", 0.3),
        ]
        if step in run.own.steps(run.train.steps):
            held_out = [f"eval-{i}" for i in range(shape.eval_prompts)]
            evaluated = _rollouts(
                run.run_id,
                "eval",
                step,
                held_out,
                shape.eval_samples,
                chance,
                rng,
                constant=constant,
            )
            writer.add("eval", step, evaluated)
        if step % 5 == 0:
            writer.flush()
    writer.flush()
    if state == "running":
        (folder.rollouts_path / ".train-00000099-00000100.parquet.1.tmp").write_bytes(b"half")
    columns = list(zip(*metrics, strict=True))
    table = pa.table(dict(zip(METRIC_SCHEMA.names, columns, strict=True)), schema=METRIC_SCHEMA)
    write_parquet(table, folder.metrics_path)
    folder.update_status(
        state=state,
        step=last,
        total_steps=run.train.steps,
        attempts=1,
        error=ERROR if state == "failed" else None,
        started=1.7e9,
        wall_seconds=12.5,
    )
