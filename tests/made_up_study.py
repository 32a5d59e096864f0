"""Made-up sweeps whose truth is known, written through the real plan, store and writers."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml

from srtbench.config.sweep import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from srtbench.rollouts import (
    METRIC_SCHEMA,
    PROMPT_SCHEMA,
    RolloutWriter,
    rollout_table,
    write_parquet,
)
from srtbench.store import Folder, State, SweepStore, write_json

SAMPLES, PROMPTS = 10, 12
FLOOR = 0.02
"""Accuracy after a fall: were no prompt right, the exact interval of 12 would reach a quarter."""


@dataclass(frozen=True)
class Truth:
    """What a made-up run does a share of the way through training."""

    accuracy: Callable[[float], float]
    labels: Callable[[float], float] = lambda share: 0.7
    constant: Callable[[float], float] = lambda share: 0.0
    state: State = "done"


def line(start: float, end: float) -> Callable[[float], float]:
    return lambda share: start + (end - start) * share


def hill(start: float, peak: float, fall_from: float) -> Callable[[float], float]:
    """Up to ``peak``, then down to almost 0 within a fifth of the run."""

    def height(share: float) -> float:
        if share <= fall_from:
            return start + (peak - start) * share / fall_from
        return max(FLOOR, peak * (1 - (share - fall_from) / 0.2))

    return height


def takeover(fall_from: float) -> Callable[[float], float]:
    return lambda share: min(1.0, max(0.0, (share - fall_from) / 0.2))


def task(level: int) -> dict[str, Any]:
    return {
        "type": "reasoning_gym", "task": "spell_backward", "level": level, "answer_kind": "text",
        "warm_start_level": level,
    }  # fmt: skip


def grid(name: str, variants: list[Any], steps: int, every: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": name, "models": ["tiny"], "datasets": [task(6)], "variants": variants,
        "seeds": [0, 1, 2], "train": {"steps": steps, "prompts_per_step": 2, "num_generations": 4},
        "eval": {"every": every, "prompts": PROMPTS, "samples": SAMPLES},
    } | changes  # fmt: skip


def srt(name: str, **train: Any) -> dict[str, Any]:
    return {"type": "srt", "name": name, "train": train}


def write_made_up(
    root: Path, name: str, parts: list[dict[str, Any]], truth: Callable[[RunSpec], Truth]
) -> Path:
    """A finished sweep through the real plan, store and writers."""
    files = root / f"files-{name}"
    files.mkdir(parents=True)
    for part in parts:
        (files / f"{part['name']}.yaml").write_text(yaml.safe_dump(part), encoding="utf-8")
    file = files / f"{parts[0]['name']}.yaml"
    if parts[0]["name"] != name:
        file = files / "all.yaml"
        listed = {"name": name, "parts": [f"{part['name']}.yaml" for part in parts]}
        file.write_text(yaml.safe_dump(listed), encoding="utf-8")
    plan = plan_sweep(load_sweep(file))
    store = SweepStore(root / "runs", plan.name)
    store.write_plan(plan)
    for run in plan.runs:
        write_run(store.run(run.run_id), run, truth(run))
    return store.path


def write_run(folder: Folder, run: RunSpec, truth: Truth) -> None:
    if truth.state == "waiting":
        return
    write_json(folder.config_path, json.loads(run.model_dump_json()))
    steps = run.train.steps if truth.state == "done" else run.train.steps // 2
    rng = np.random.default_rng(run.seed)
    writer = RolloutWriter(folder.rollouts_path)
    held_out = [f"{run.dataset_label}-eval-{i}" for i in range(PROMPTS)]
    for step in range(steps + 1):
        if step:
            ids = [f"train-{2 * step + i}" for i in range(2)]
            writer.add("train", step, rollouts(run, "train", step, ids, 4, truth, rng))
        if step in run.own.steps(run.train.steps):
            writer.add("eval", step, rollouts(run, "eval", step, held_out, SAMPLES, truth, rng))
    writer.flush()
    texts = {name: [f"{i}*" for i in held_out] for name in ("prompt", "gold_answer", "gold_key")}
    columns = texts | {
        "prompt_id": held_out, "dataset": [run.dataset_label] * PROMPTS, "level": [6] * PROMPTS,
        "split": ["eval"] * PROMPTS, "eval_set": ["own"] * PROMPTS,
    }  # fmt: skip
    write_parquet(pa.table(columns, schema=PROMPT_SCHEMA), folder.prompts_path)
    metrics = pa.Table.from_pylist(
        [{"run_id": run.run_id, "step": 1, "metric": "kl", "value": 0.1}], schema=METRIC_SCHEMA
    )
    write_parquet(metrics, folder.metrics_path)
    folder.update_status(state=truth.state, step=steps, total_steps=run.train.steps, attempts=1)


def rollouts(
    run: RunSpec, phase: str, step: int, ids: list[str], samples: int, truth: Truth, rng: Any
) -> pa.Table:
    """Counts of right answers are systematic: the truth, give or take less than one answer."""
    share = step / run.train.steps
    constant, labels = truth.constant(share), truth.labels(share)
    rows: list[dict[str, Any]] = []
    for number, prompt in enumerate(ids):
        right = int(truth.accuracy(share) * samples + (number + 0.5 + rng.uniform(-0.4, 0.4)) % 1)
        same = round(constant * samples)
        keys = [f"{prompt}-right"] * right + ["u|`*"] * max(0, min(same, samples - right))
        keys += [f"{prompt}-wrong"] * (samples - len(keys))
        label = f"{prompt}-right" if rng.random() < labels else f"{prompt}-wrong"
        label = "u|`*" if constant > 0.5 else label
        for index, key in enumerate(keys):
            rows.append(
                {
                    "run_id": run.run_id, "phase": phase, "step": step, "prompt_id": prompt,
                    "eval_set": "own" if phase == "eval" else None, "policy_step": None,
                    "group_id": f"{phase}-{step}-{prompt}", "sample_index": index,
                    "completion": f"<script>{key}\n| x", "completion_tokens": 5,
                    "truncated": False, "answer": key, "answer_key": key, "pseudo_label": label,
                    "vote_share": 0.5,
                    "train_reward": float(key == label) if phase == "train" else None,
                    "gold_reward": float(key.endswith("right")), "advantage": None,
                    "mean_logprob": None, "self_certainty": None, "entropy_nats": None,
                    "verifier_status": "ok",
                }
            )  # fmt: skip
    return rollout_table({name: [row[name] for row in rows] for name in rows[0]})


def first_truth(run: RunSpec) -> Truth:
    """paper_cpu: C1 to C3 hold on level 5 and not on level 6; C4 and C5 hold."""
    name = run.variant_label
    if run.part == "spelling":
        ends = {"srt": (0.5, 0.85), "gold": (0.5, 0.86), "fixed_teacher": (0.5, 0.6)}
        labels = line(-0.5, 1.5) if name == "srt" else line(1, 1)
        return Truth(line(*ends[name]), labels)
    if run.part == "sorting":
        state: State = "done"
        if name == "srt" and run.seed == 2:
            state = "failed"
        if name == "fixed_teacher":
            state = ("done", "running", "waiting")[run.seed]  # type: ignore[assignment]
        ends = {"srt": (0.5, 0.4), "gold": (0.5, 0.95), "fixed_teacher": (0.5, 0.6)}
        return Truth(line(*ends[name]), line(0.5, 0.5), state=state)
    if run.part == "curriculum":
        level = int(run.dataset_label[-1])
        ends = {"climb": (0.95 - level / 10, 1.3 - level / 10), "direct": (0.15, 0.17)}
        return Truth(line(*ends.get(name, (0.15, 0.4))))
    if name in ("srt-long", "srt-fast"):
        return Truth(hill(0.5, 0.8, 0.4), line(1, 1), takeover(0.4))
    return Truth(line(0.5, 0.95))


def second_truth(run: RunSpec) -> Truth:
    """paper_cpu_full: C6 holds; format helps, incorrect harms; C8d is not planned."""
    name = run.variant_label
    if run.part == "phase":
        start = int(run.model_label[-2:]) / 100
        rate = run.train.learning_rate
        if start < 0.4 and rate > 5e-4:
            return Truth(hill(start, start + 0.1, 0.2), line(1, 1), takeover(0.2))
        return Truth(line(start, min(1.0, start + 0.15)))
    if run.part == "knobs":
        late = {"base": 0.3, "more-kl": 0.3, "fewer": 0.6}[name]
        return Truth(hill(0.5, 0.7, late), line(1, 1), takeover(late))
    if run.part == "spurious":
        ends = {"random": (0.5, 0.5), "format": (0.5, 0.7), "incorrect": (0.5, 0.2)}
        return Truth(line(*ends.get(name, (0.5, 0.8))))
    falls = {"srt-base": 0.3, "fixed_teacher": 0.6}
    if name in falls:
        at = falls[name]
        return Truth(hill(0.5, 0.7, at), line(1, 1), takeover(at))
    return Truth(line(0.5, 0.6))


def write_study(root: Path) -> list[Path]:
    """The three sweeps of the page of claims, in its order."""
    stages = [{"level": level, "variant": "srt"} for level in (6, 7, 8)]
    climb = {"type": "curriculum", "name": "climb", "stages": stages}
    direct = [srt("direct", steps=30), {"type": "gold", "name": "direct-gold"}]
    long = [srt("srt-long", learning_rate=1e-3), {"type": "gold", "name": "gold-long"}]
    fast = [
        srt("srt-fast", learning_rate=2e-3),
        {"type": "gold", "name": "gold-fast", "train": {"learning_rate": 2e-3}},
    ]
    first = [
        grid("spelling", ["srt", "gold", "fixed_teacher"], 10, 5, datasets=[task(5)]),
        grid("sorting", ["srt", "gold", "fixed_teacher"], 10, 5),
        grid("curriculum", [climb, *direct], 10, 5, datasets=[task(8)]),
        grid("collapse", long, 40, 4),
        grid("one_answer", fast, 40, 4),
    ]
    models = [
        {"type": "tiny", "name": f"start-{n}", "warm_start": {"target_accuracy": n / 100}}
        for n in (20, 50, 80)
    ]
    rates = [srt(f"lr-{rate:g}", learning_rate=rate) for rate in (1e-4, 3e-4, 6e-4, 1e-3)]
    knobs = [srt("base"), srt("more-kl", beta=0.1), srt("fewer", num_generations=2)]
    remedies = [srt("srt-base", steps=41), "fixed_teacher", srt("easiest-share", steps=42)]
    second = [
        grid("phase", rates, 40, 4, models=models, seeds=[0, 1]),
        grid("knobs", knobs, 40, 4),
        grid("spurious", ["random", "format", "incorrect", "srt", "gold"], 10, 5),
        grid("mitigation", remedies, 40, 4),
    ]
    third = [grid("smollm_cpu", ["srt", "random"], 10, 5, seeds=[0])]
    return [
        write_made_up(root, "paper_cpu", first, first_truth),
        write_made_up(root, "paper_cpu_full", second, second_truth),
        write_made_up(root, "smollm_cpu", third, lambda run: Truth(line(0.5, 0.7))),
    ]
