"""plan.json of a sweep: every planned run and stage, so that what is missing can be seen."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from srtbench.plan import Plan, RunSpec
from srtbench.store.files import StoreError, checked, read_json, write_sealed
from srtbench.variants import VARIANTS, facts
from srtbench.votes import VotingPolicy


def _folder_name(name: str) -> str:
    if not name or name.startswith(".") or "/" in name:
        raise ValueError("must be the name of a folder")
    return name


FolderName = Annotated[str, AfterValidator(_folder_name)]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Run(_Row):
    run_id: FolderName
    part: str | None = None
    model: str
    dataset: str
    variant: str
    variant_type: str
    seed: int
    total_steps: int
    level: int | None = None
    trains_on_eval_prompts: bool = False
    uses_gold: bool | None = None
    stages: dict[str, str] = {}
    starts_from: str | None = None
    start_rule: str | None = None
    eval_sets: list[FolderName] = []
    stop: str | None = None
    keep: str | None = None
    imported: str | None = None
    caveats: list[str] = []


class _Stage(_Row):
    stage_id: FolderName
    kind: str
    requires: list[str] = []
    needs: dict[str, str] = {}  # older plans have these


class _Revote(_Row):
    of: str
    voting: VotingPolicy


class _Plan(_Row):
    sweep: str
    runs: list[_Run]
    stages: list[_Stage]
    description: str = ""
    root: str = ".."
    revote: _Revote | None = None
    seal: str = ""


def run_row(run: RunSpec) -> dict[str, Any]:
    """What the plan says of a run: its labels, and what it depends on."""
    own = {"eval_prompts": run.own.needs.prompts, "base_eval": run.own.needs.start}
    stages = own | run.needs.model_dump()
    return {
        "run_id": run.run_id,
        "part": run.part,
        "model": run.model_label,
        "dataset": run.dataset_label,
        "variant": run.variant_label,
        "variant_type": run.variant.type,
        "seed": run.seed,
        "total_steps": run.train.steps,
        "level": getattr(run.dataset, "level", None),
        "trains_on_eval_prompts": run.trains_on_eval_prompts,
        "stages": {name: stage for name, stage in stages.items() if stage is not None},
        "starts_from": run.starts_from.run_id if run.starts_from else None,
        "start_rule": run.starts_from.rule if run.starts_from else None,
        "eval_sets": [one.label for one in run.further],
        "stop": run.train.stop.label if run.train.stop else None,
        "keep": run.keep,
    }


def plan_rows(plan: Plan) -> dict[str, Any]:
    """What plan.json says of a plan."""
    runs = [
        run_row(run) | {"uses_gold": facts(run.variant).uses_gold or run.chosen_by_gold}
        for run in plan.runs
    ]
    stages = [
        {"stage_id": stage.stage_id, "kind": stage.kind, "requires": stage.requires}
        for stage in plan.stages
    ]
    said = {"description": plan.description} if plan.description else {}
    return {"sweep": plan.name, **said, "runs": runs, "stages": stages}


def write_plan(path: Path, plan: Plan) -> None:
    """Keep the plan beside the runs."""
    write_sealed(path, plan_rows(plan))


def uses_gold(row: Mapping[str, Any]) -> bool | None:
    """Whether a run's rewards, end or policies depend on the hidden answers, by its plan's row.

    Of a plan that does not say it, what a built-in variant is known for; None: not known.
    """
    if row.get("uses_gold") is not None:
        return bool(row["uses_gold"])
    known = VARIANTS.get(row.get("variant_type", ""))
    return None if known is None else bool(known.uses_gold)


def stage_users(plan: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Stage id -> rows of the runs that name it, by the content of a plan.json."""
    users: dict[str, list[dict[str, Any]]] = {}
    for run in plan["runs"]:
        for stage_id in dict.fromkeys(run.get("stages", {}).values()):
            users.setdefault(stage_id, []).append(run)
    return users


def read_plan(sweep_path: Path) -> dict[str, Any]:
    """The plan.json of a sweep folder.

    Raises:
        FileNotFoundError: the folder holds no sweep. StoreError: the file is damaged.
    """
    path = sweep_path / "plan.json"
    try:
        content = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{sweep_path}: no plan.json there, so no sweep; give the folder that "
            "`srtbench sweep` wrote, e.g. runs/smoke"
        ) from None
    return plan_of(content, path)


def plan_of(content: dict[str, Any], path: Path) -> dict[str, Any]:
    """The content of a plan.json, if it is one.

    Raises:
        StoreError: it is not.
    """
    checked(_Plan, content, path, strict=True)
    try:
        json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise StoreError(f"{path}: holds a lone surrogate, which is no character") from None
    return content
