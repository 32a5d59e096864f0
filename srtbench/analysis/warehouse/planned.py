"""Rows of the view ``runs``, from plan.json and the status.json and config.json of each run."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pydantic import BaseModel, Field

from srtbench.analysis.warehouse.caveats import caveat
from srtbench.config.eval_sets import OWN
from srtbench.config.train import TrainConfig
from srtbench.plan.generation import GenerationShape
from srtbench.store.configs import CONFIG_VERSION
from srtbench.store.files import checked
from srtbench.store.imported import IMPORTED, ImportedSpec
from srtbench.store.plan_file import stage_users, uses_gold
from srtbench.store.stages import RESULT, left_out

RUN_SCHEMA = pa.schema(
    [
        ("sweep", pa.string()),
        ("run_order", pa.int32()),
        ("run_id", pa.string()),
        ("part", pa.string()),
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("variant", pa.string()),
        ("variant_type", pa.string()),
        ("variant_order", pa.int32()),
        ("variant_rank", pa.int32()),
        ("seed", pa.int64()),
        ("level", pa.int32()),
        ("state", pa.string()),
        ("step", pa.int32()),
        ("total_steps", pa.int32()),
        ("trains_on_eval_prompts", pa.bool_()),
        ("uses_gold", pa.bool_()),
        ("starts_from", pa.string()),
        ("start_rule", pa.string()),
        ("imported", pa.string()),
        ("caveat", pa.string()),
        ("stop", pa.string()),
        ("stopped", pa.string()),
        ("kept_step", pa.int32()),
        ("attempts", pa.int32()),
        ("error", pa.string()),
        ("wall_seconds", pa.float64()),
        ("algorithm", pa.string()),
        ("learning_rate", pa.float64()),
        ("beta", pa.float64()),
        ("prompts_per_step", pa.int32()),
        ("num_generations", pa.int32()),
        ("updates_per_rollout", pa.int32()),
        ("srtbench_version", pa.string()),
        ("base_eval", pa.string()),
        ("teacher_labels", pa.string()),
        ("pool_votes", pa.string()),
        ("has_own_start", pa.bool_()),
    ]
)
SET_SCHEMA = pa.schema(
    [
        ("sweep", pa.string()),
        ("run_id", pa.string()),
        ("eval_set", pa.string()),
        ("set_order", pa.int32()),
    ]
)


class _Train(BaseModel):
    algorithm: str
    learning_rate: float
    beta: float
    prompts_per_step: int
    num_generations: int


class _Start(BaseModel):
    rule: str | None = None


class _Spec(BaseModel):
    train: _Train
    starts_from: _Start | None = None


class _Config(BaseModel):
    """What the views take from a config.json."""

    version: int = Field(1, ge=1, le=CONFIG_VERSION)


def check_config(content: dict[str, Any], path: Path) -> None:
    """Whether a config.json has what the views take from it.

    Raises:
        StoreError: it does not, or a newer srtbench wrote it.
    """
    checked(_Config, content, path)
    if content.get("type") == IMPORTED:
        checked(ImportedSpec, content.get("spec"), path, "spec")
        return
    checked(_Spec, content.get("spec", content), path, "spec")


_TRAIN_KEYS = ("algorithm", "learning_rate", "beta", "prompts_per_step", "num_generations")


def planned_runs(
    plan: dict[str, Any],
    sweep: str,
    statuses: dict[str, dict[str, Any]],
    configs: dict[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    """Every planned run with its state; a run without a status is waiting."""
    ranks: dict[str, list[str]] = {}
    order: list[str] = []
    rows = []
    planned = {
        run["run_id"]: run | {"start_rule": _start_rule(run, configs.get(run["run_id"], {}))}
        for run in plan["runs"]
    }
    for position, run in enumerate(planned.values()):
        if run["variant"] not in order:
            order.append(run["variant"])
        same_type = ranks.setdefault(run["variant_type"], [])
        if run["variant"] not in same_type:
            same_type.append(run["variant"])
        status = statuses.get(run["run_id"], {})
        config = configs.get(run["run_id"], {})
        spec = config.get("spec", config)
        train = spec if config.get("type") == IMPORTED else spec.get("train", {})
        row = {
            "sweep": sweep,
            "run_order": position,
            "variant_order": order.index(run["variant"]),
            "variant_rank": same_type.index(run["variant"]),
            "state": status.get("state", "waiting"),
            "step": status.get("step", 0),
            "stopped": status.get("stopped"),
            "kept_step": status.get("kept_step"),
            "attempts": status.get("attempts", 0),
            "error": status.get("error"),
            "wall_seconds": status.get("wall_seconds", 0.0),
            "trains_on_eval_prompts": run.get("trains_on_eval_prompts", False),
            "uses_gold": uses_gold(run),
            "caveat": caveat(run["run_id"], planned),
        }
        stages = run.get("stages", {})
        row |= {kind: stages.get(kind) for kind in ("base_eval", "teacher_labels", "pool_votes")}
        for key in (
            "run_id",
            "part",
            "imported",
            "starts_from",
            "start_rule",
            "model",
            "dataset",
            "variant",
            "variant_type",
            "seed",
            "level",
            "total_steps",
            "stop",
        ):
            row[key] = run.get(key)
        row |= {key: train.get(key) for key in _TRAIN_KEYS}
        row["updates_per_rollout"] = _updates(train)
        row["srtbench_version"] = _version(config)
        rows.append(row)
    return rows


def _version(config: dict[str, Any]) -> str | None:
    versions = config.get("versions")
    found = versions.get("srtbench") if isinstance(versions, dict) else None
    return found if isinstance(found, str) else None


def _updates(train: dict[str, Any]) -> int | None:
    """Optimiser steps on each batch of rollouts; None: by rounds, imported, or not known."""
    try:
        config = TrainConfig.model_validate(train)
        return None if config.rounds is not None else GenerationShape.of_train(config).every
    except (TypeError, ValueError):
        return None


def task_rows(
    plan: dict[str, Any], sweep: str, configs: dict[str, dict[str, Any]]
) -> list[list[str | None]]:
    """Rows of the table ``tasks``: what each dataset asks, by its first config.json."""
    found: dict[str, str | None] = {}
    for run in plan["runs"]:
        config = configs.get(run["run_id"], {})
        if found.get(run["dataset"]) is None:
            dataset = config.get("spec", config).get("dataset")
            found[run["dataset"]] = task_sentence(dataset) if isinstance(dataset, dict) else None
    return [[sweep, dataset, task] for dataset, task in found.items()]


def task_sentence(dataset: dict[str, Any]) -> str | None:
    """What a dataset asks, in one sentence; None of what is no dataset of ours.

    Args:
        dataset: its section of a config.json. Of a file its name alone is told.
    """
    match dataset.get("type"):
        case "reasoning_gym":
            level = dataset.get("level")
            source = f"Reasoning Gym's {dataset.get('task')}"
            source += "" if level is None else f" at level {level}"
        case "hub":
            subset = dataset.get("subset")
            source = f"Questions of {dataset.get('id')}{f' ({subset})' if subset else ''}"
            if dataset.get("commit"):
                source += f" at commit {str(dataset['commit'])[:12]}"
        case "file":
            source = f"Questions of the file {str(dataset.get('path')).rsplit('/', 1)[-1]}"
        case _:
            return None
    kind, style = dataset.get("answer_kind"), dataset.get("answer_style")
    return f"{source}; answers are found as {style} and compared as {kind}."


def planned_sets(plan: dict[str, Any], sweep: str) -> list[dict[str, Any]]:
    """The evaluation sets of every run: its own held-out prompts first, then those of the plan."""
    return [
        {"sweep": sweep, "run_id": run["run_id"], "eval_set": name, "set_order": order}
        for run in plan["runs"]
        for order, name in enumerate(dict.fromkeys([OWN, *(run.get("eval_sets") or [])]))
    ]


def stage_rows(
    plan: dict[str, Any],
    sweep: str,
    statuses: dict[str, dict[str, Any]],
    results: dict[str, dict[str, Any]],
) -> list[list[Any]]:
    """Rows of the table ``stages``: every planned stage, begun or not."""
    rows, used = [], stage_users(plan)
    for stage in plan["stages"]:
        stage_id = stage["stage_id"]
        users = used.get(stage_id, [])
        datasets = dict.fromkeys(run["dataset"] for run in users)
        status, result = statuses.get(stage_id, {}), results.get(stage_id)
        rows.append(
            [
                sweep,
                stage_id,
                stage["kind"],
                ", ".join(datasets) or None,
                len(users),
                status.get("state", "waiting"),
                status.get("wall_seconds", 0.0),
                None if result is None else left_out(result, Path(RESULT)),
                status.get("error"),
            ]
        )
    return rows


def _start_rule(run: dict[str, Any], config: dict[str, Any]) -> str | None:
    """Which policy of the run before it a run starts from; older plans leave it to config.json."""
    starts_from = (config.get("spec") or {}).get("starts_from") or {}
    return run.get("start_rule") or starts_from.get("rule")
