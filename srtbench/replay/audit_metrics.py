"""Audit of metrics.parquet and status.json: each number that the rollouts give, from them."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from srtbench.plan import RunSpec
from srtbench.plan.generation import GenerationShape
from srtbench.rollouts import METRIC_SCHEMA, read_table
from srtbench.rollouts.judge import Columns, runs_of
from srtbench.store import Status
from srtbench.store.runs import LoggedRun, LoggedSet
from srtbench.variants import TOKEN_STATISTICS

Found = Iterator[tuple[str, str, str]]
Numbers = dict[str, float]

SOMETIMES = ("on_policy/kl_to_start", "on_policy/sampler_logprob_difference")
"""Metrics that not every step has, by the beginning of their names."""

_COLUMN = {
    "completions/clipped_ratio": "truncated",
    "completions/mean_length": "completion_tokens",
    **{f"rollouts/{name}": name for name in TOKEN_STATISTICS},
}
"""Metric -> the column that it is the second record of; a breach is told as one of the column."""


def check_metrics(run: LoggedRun, columns: Columns, checked: Counter[str]) -> Found:
    """The metrics of each step against the rollouts of its generation, to float32's precision."""
    if not run.folder.metrics_path.is_file():
        return
    table = read_table(run.folder.metrics_path, METRIC_SCHEMA).to_pydict()
    by_step: dict[int, dict[str, float | None]] = {}
    for step, name, value in zip(table["step"], table["metric"], table["value"], strict=True):
        if name in by_step.setdefault(step, {}):
            yield "metrics", f"step {step}", f"{name} stands twice"
        by_step[step][name] = value
    yield from _check_rows(run, table, by_step)
    shape = GenerationShape.of(run.spec)
    tokens_before: float | None = 0.0
    dropped = _tokens_by_step(run.dropped_columns())
    for start, stop in runs_of(columns["step"]):
        step = columns["step"][start]
        rows = {name: values[start:stop] for name, values in columns.items()}
        logged, size = by_step.get(step), run.spec.train.num_generations
        if logged is None or len(rows["step"]) % size or None in rows["completion_tokens"]:
            continue
        expected = _expected(run.spec, rows, single=shape.every == 1)
        further = dropped.get(step, [])
        if run.spec.train.refill is not None:
            expected["groups/drawn"] = expected["groups/count"] + len(further) / size
        for name, value in expected.items():
            own = name.startswith("rollouts/")  # logged once the generation is used up
            found = by_step.get(step + shape.every - 1, {}) if own else logged
            column = _COLUMN.get(name, "metrics")
            if name not in found:
                reward = name == "reward" or name.startswith(("reward_std", "rewards/", "frac_"))
                gone = shape.every == 1 and not (run.revoted and (reward or name == "loss"))
                if gone and not name.startswith(("groups/", "rollouts/")):
                    yield column, f"train step {step}", f"metrics.parquet has no {name}"
                continue
            if not _near(found[name], value):
                message = f"{value:.7g}, but metrics.parquet has {name} = {found[name]}"
                yield column, f"train step {step}", message
            if column in columns:
                checked[column] += stop - start
        for name in (one for one in expected if one.startswith("groups/")):
            for later in range(step, step + shape.every):
                value = by_step.get(later, {}).get(name, expected[name])
                if later != step and not _near(value, expected[name]):
                    yield "metrics", f"step {later}", f"{name} is {value}, not {expected[name]:g}"
        sampled = sum(rows["completion_tokens"]) + sum(further)
        yield from _check_tokens(step, logged, tokens_before, sampled, size)
        tokens_before = logged.get("num_tokens")


def _tokens_by_step(columns: Columns) -> dict[int, list[int]]:
    """Step -> tokens of its completions; one of unknown length has none."""
    found: dict[int, list[int]] = {}
    for step, tokens in zip(columns["step"], columns["completion_tokens"], strict=True):
        found.setdefault(step, []).append(tokens or 0)
    return found


def _check_rows(
    run: LoggedRun, table: dict[str, list[Any]], by_step: dict[int, dict[str, float | None]]
) -> Found:
    """Each step once, in order, with one set of metrics, each of a possible value."""
    if set(table["run_id"]) - {run.spec.run_id}:
        yield "metrics", "run_id", "is not the run everywhere"
    steps, last = (
        [table["step"][start] for start, _ in runs_of(table["step"])],
        run.last_step,
    )
    if steps != list(range(1, len(steps) + 1)) or len(steps) > last:
        yield "metrics", "step", f"the steps are not 1 to {last}, each once and in order"
    if run.folder.read_status().state == "done" and len(steps) < last:
        yield "metrics", "step", f"ends at step {len(steps)} of {last}"
    alike = GenerationShape.of(run.spec).every == 1
    names: set[str] | None = None
    for step, found in by_step.items():
        own = {name for name in found if not name.startswith(SOMETIMES)}
        if alike and names is not None and own != names:
            other = ", ".join(sorted(own ^ names))
            yield "metrics", f"step {step}", f"not the metrics of the steps before: {other}"
        names = names or own
        yield from _check_possible(run.spec, step, found, alike=alike)


def _check_possible(
    spec: RunSpec, step: int, found: dict[str, float | None], *, alike: bool
) -> Found:
    gap, largest = (found.get(f"on_policy/sampler_logprob_difference{x}") for x in ("", "_max"))
    rate, peak = found.get("learning_rate"), spec.train.learning_rate
    constant = spec.train.trl.get("lr_scheduler_type") == "constant"
    clipped = [v for k, v in found.items() if k.startswith("clip_ratio/") and v is not None]
    checks = {
        "sampler_logprob_difference": gap is None or largest is None or 0 <= gap <= largest + 1e-9,
        "updates_since_sampling": not alike or not found.get("on_policy/updates_since_sampling"),
        "learning_rate": rate is None
        or (_near(rate, peak) if constant else -1e-12 <= rate <= peak * (1 + 1e-6)),
        "clip_ratio": all(0 <= value <= 1 for value in clipped) and not (alike and any(clipped)),
        "grad_norm": (found.get("grad_norm") or 0.0) >= 0,
        "step_time": (found.get("step_time") or 0.0) >= 0,
    }
    for name, right in checks.items():
        if not right:
            yield "metrics", f"step {step}", f"{name}: this value cannot be"


def _check_tokens(
    step: int, logged: dict[str, float | None], before: float | None, sampled: int, size: int
) -> Found:
    """num_tokens grows by the completions and, for each of a group, one and the same prompt."""
    now = logged.get("num_tokens")
    if now is None or before is None:
        return
    prompts = now - before - sampled
    if prompts <= 0 or prompts % size:
        message = f"num_tokens {now:g} leaves {prompts:g} for the prompts, each {size} times"
        yield "metrics", f"step {step}", message


def _expected(spec: RunSpec, rows: Columns, *, single: bool) -> Numbers:
    """What TRL and the trainer log of a generation; ``single``: one optimiser step trains on it."""
    size = spec.train.num_generations
    tokens = np.array(rows["completion_tokens"], dtype=np.float64)
    cut = np.array(rows["truncated"], dtype=bool)
    ended = tokens[~cut] if (~cut).any() else np.zeros(1)
    found = {
        "completions/mean_length": tokens.mean(),
        "completions/min_length": tokens.min(),
        "completions/max_length": tokens.max(),
        "completions/clipped_ratio": cut.mean(),
        "completions/mean_terminated_length": ended.mean(),
        "completions/min_terminated_length": ended.min(),
        "completions/max_terminated_length": ended.max(),
        "groups/count": len(tokens) / size,
        "groups/size": float(size),
        "groups/split": 0.0,
    }
    for name in TOKEN_STATISTICS:
        known = [value for value in rows[name] if value is not None]
        if known:
            found[f"rollouts/{name}"] = sum(known) / len(known)
    found |= _of_rewards(spec, rows, size)
    if single and _one_pass(spec):
        found |= _of_the_loss(spec, rows, tokens)
    return {name: float(value) for name, value in found.items()}


def _of_rewards(spec: RunSpec, rows: Columns, size: int) -> Numbers:
    if None in rows["train_reward"]:
        return {}
    rewards = np.array(rows["train_reward"], dtype=np.float64)
    std = rewards.std(ddof=1)
    found = {"reward": rewards.mean(), "reward_std": std}
    found |= {"rewards/train_reward/mean": rewards.mean(), "rewards/train_reward/std": std}
    if spec.train.algorithm == "grpo":
        alone = spec.train.trl.get("scale_rewards") != "batch"
    else:  # RLOO takes the KL of each completion from its reward before it looks at groups
        alone = spec.train.beta == 0
    if alone:
        flat = rewards.reshape(-1, size).std(axis=1, ddof=1) <= 1e-8
        found["frac_reward_zero_std"] = flat.mean()
    return found


def _one_pass(spec: RunSpec) -> bool:
    """Whether one forward pass in full precision trains all rollouts of a step together."""
    train = spec.train
    whole = train.micro_batch_size in (None, train.completions_per_step)
    plain = not ({*train.trl} - _PLAIN) and train.trl.get("bf16") is False
    return whole and plain and train.num_processes == 1


_PLAIN = {
    *("loss_type", "scale_rewards", "lr_scheduler_type", "warmup_steps", "warmup_ratio"),
    *("adam_beta1", "adam_beta2", "weight_decay", "max_grad_norm", "bf16"),
    *("gradient_checkpointing", "report_to", "run_name", "project"),
}
"""Options of TRL that leave the loss the plain mean it is by default."""


def _of_the_loss(spec: RunSpec, rows: Columns, tokens: np.ndarray) -> Numbers:
    """Entropy and loss of the pass: at the policy that sampled the ratio is 1, and none clips.

    With vLLM TRL weighs the loss by how much likelier the trainer finds a completion than vLLM did,
    which no row has: 1 up to rounding with the same dtype, and something else with another.
    """
    found: Numbers = {}
    if None not in rows["entropy_nats"] and tokens.sum() and spec.train.algorithm == "grpo":
        found["entropy"] = float(np.dot(rows["entropy_nats"], tokens) / tokens.sum())
    dapo = spec.train.trl.get("loss_type") == "dapo" and spec.train.beta == 0
    plain = dapo and spec.generation is None
    if plain and None not in rows["advantage"] and spec.train.algorithm == "grpo" and tokens.sum():
        found["loss"] = float(-np.dot(rows["advantage"], tokens) / tokens.sum())
    return found


def _near(logged: float | None, derived: float) -> bool:
    if logged is None:
        return math.isnan(derived)
    return math.isclose(logged, derived, rel_tol=1e-5, abs_tol=1e-6)


def check_status(
    run: LoggedRun, train: Columns, sets: Sequence[LoggedSet], status: Status
) -> Found:
    """status.json of a run: its steps, and its last numbers, those of own prompts."""
    steps = run.spec.train.steps
    begun = status.attempts > 0 or status.state != "waiting"
    if begun and status.total_steps != steps:
        yield "status", "status.json total_steps", f"{status.total_steps}, not {steps}"
    if status.state != "done":
        return
    expected: dict[str, Any] = {
        "step": run.last_step,
        "checkpoint_step": run.last_step,
        "checkpoint": f"checkpoint-{run.last_step}",
        "error": None,
    }
    for key, value in expected.items():
        if getattr(status, key) != value:
            yield "status", f"status.json {key}", f"{getattr(status, key)!r}, not {value!r}"
    if status.attempts < 1 or status.wall_seconds < 0:
        yield "status", "status.json", "a run that is done was started, and took its time"
    if (status.updated or math.inf) < (status.started or 0.0):
        yield "status", "status.json", "was updated before it was started"
    started = status.started or 0.0
    began = started if status.first_started is None else status.first_started
    if began > started or (status.attempts == 1 and began != started):
        yield "status", "status.json", "first_started is not when its first attempt began"
    if run.revoted is not None:
        return
    for key, columns, name in (
        ("train_reward", train, "train_reward"),
        ("gold_reward", train, "gold_reward"),
        ("eval_accuracy", sets[0].columns, "gold_reward"),
    ):
        last = max(columns["step"], default=None)
        values = [v for s, v in zip(columns["step"], columns[name], strict=True) if s == last]
        logged = status.progress.get(key)
        if values and None not in values and not _near(logged, float(np.mean(values))):
            message = f"{logged}, the rollouts give {float(np.mean(values)):.7g}"
            yield "status", f"status.json progress.{key}", message
