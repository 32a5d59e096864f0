"""Specifications of config.json files of version 1, as this version writes them."""

from typing import Any

from srtbench.plan.stages import TEACHER_SEED

_START_MODEL = ("warm_start", "converted_model")


def upgrade_run(spec: dict[str, Any]) -> dict[str, Any]:
    """A run's specification of version 1."""
    needs = {kind: stage for kind, stage in spec["needs"].items() if kind not in _START_MODEL}
    sets = [
        one
        | {
            "needs": {
                "prompts": one["needs"]["eval_set_prompts"],
                "start": one["needs"].get("eval_set_start"),
            }
        }
        for one in spec.get("eval_sets") or []
    ]
    start = _start_model(spec["needs"])
    return spec | {"needs": needs | {"start_model": start}, "eval_sets": sets}


def upgrade_stage(spec: dict[str, Any]) -> dict[str, Any]:
    """A stage's specification of version 1, in which all kinds had all fields."""
    needs, kind = spec["needs"], spec["kind"]
    found = {"stage_id": spec["stage_id"], "kind": kind}
    prompts = {"dataset": spec["dataset"], "prompts": spec["prompts"]}
    length = {"max_completion_length": spec["max_completion_length"]}
    match kind:
        case "train_prompts" | "eval_prompts":
            return found | prompts
        case "eval_set_prompts":
            whole = {"prompts": spec["prompts"] or None, "whole": True}
            return found | prompts | whole | {"kind": "eval_prompts"}
        case "warm_start":
            return found | length | {"model": spec["model"], "dataset": spec["dataset"]}
        case "converted_model":
            return found | {"model": spec["model"]}
    found |= prompts | {"model": spec["model"], "model_stage": _start_model(needs)}
    match kind:
        case "base_eval":
            evaluation = dict(spec["eval"])
            del evaluation["every"]
            return found | {
                "prompts_stage": needs["eval_prompts"],
                "prompts": evaluation.pop("prompts"),
                "sampling": evaluation | length,
            }
        case "eval_set_start":
            return found | {
                "kind": "base_eval",
                "prompts_stage": needs["eval_set_prompts"],
                "prompts": spec["prompts"] or None,
                "sampling": spec["sampling"],
            }
    sampling = {
        "samples": spec["votes"],
        "temperature": spec["temperature"],
        "batch_size": spec["batch_size"],
        "seed": TEACHER_SEED,
    }
    return found | {
        "prompts_stage": needs["train_prompts"],
        "sampling": sampling | length,
        "voting": spec["voting"],
    }


def _start_model(needs: dict[str, str]) -> str | None:
    """Id of the stage that made the start model."""
    return next((needs[kind] for kind in _START_MODEL if kind in needs), None)
