"""Audit of the shared stages: what runs were given, derived again once for all of them."""

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import pyarrow.compute as pc

from srtbench.answers.grader import Grader
from srtbench.config.eval_sets import OWN
from srtbench.config.sameness import prompts_digest
from srtbench.plan import StageSpec
from srtbench.plan.identity import content_id, paths_in
from srtbench.plan.stages import EvalPrompts, StartModelStage, TrainPrompts, VotesStage, WarmStart
from srtbench.replay.audit_files import check_folder, check_seal
from srtbench.replay.audit_prompts import check_prompt_rows, prompt_rows
from srtbench.replay.audit_rollouts import Author, check_evaluation, check_text
from srtbench.rollouts import of_set, part_files, read_rollouts, read_table
from srtbench.rollouts.judge import Columns, runs_of
from srtbench.sections import FilePath
from srtbench.store import Folder, SweepStore, read_json
from srtbench.store.configs import read_stage_spec
from srtbench.store.labels import LABEL_SCHEMA, labels_path, read_labels
from srtbench.store.runs import LoggedRun, LoggedSet, teacher_votes
from srtbench.store.stages import RESULT, read_left_out

Found = Iterator[tuple[str, str, str]]


def stage_ids(runs: list[LoggedRun]) -> list[str]:
    """Ids of the stages that the runs needed, each once."""
    return list(dict.fromkeys(stage for run in runs for stage in run.spec.stages))


def check_stage(store: SweepStore, stage_id: str, row: dict[str, Any], notes: list[str]) -> Found:
    """Everything that a stage's folder claims, and its row of the plan.

    One that is not there is a note.
    """
    folder = store.stage(stage_id)
    if not folder.config_path.is_file():
        if folder.path.is_dir() and folder.read_status().state == "done":
            yield "structure", "config.json", "gone: what the stage is is not known"
        else:
            notes.append(f"{stage_id}: is not in {folder.path.parent.name}; not audited")
        return
    spec = read_stage_spec(folder)
    yield from _check_identity(folder, spec, notes)
    if not _is_version_1(folder):  # stages had other kinds
        yield from _check_plan_row(spec, row)
    yield from check_seal(folder)
    yield from check_folder(folder)
    status = folder.read_status()
    if not folder.status_path.is_file() and _has_results(folder):
        yield "structure", "status.json", "gone: what the stage should hold is not known"
    if status.state != "done":
        notes.append(f"{stage_id}: {status.state}, its results are not audited")
        return
    if status.error is not None:
        yield "status", "status.json", "done, but it names an error"
    for name in ("stopped", "kept_step"):
        if getattr(status, name) is not None:
            yield "status", f"status.json {name}", "but no stage has a train.stop"
    if (text := read_left_out(folder)) is not None:
        notes.append(f"{stage_id}: left out of the prompts by on_bad_gold: {text}")
    if isinstance(spec, TrainPrompts | EvalPrompts):
        split = "train" if isinstance(spec, TrainPrompts) else "eval"
        rows = prompt_rows(folder)
        yield from check_prompt_rows(rows, spec.dataset, {split}, label=spec.dataset.label)
        if spec.prompts is not None and len(rows) > spec.prompts:
            yield "prompts", "prompts.parquet", f"{len(rows)} prompts of at most {spec.prompts}"
    elif isinstance(spec, WarmStart):
        rows, label = prompt_rows(folder), spec.dataset.label
        yield from check_prompt_rows(rows, spec.dataset, {"warm_start"}, label=label, level=False)
        yield from _check_warm_start(folder, spec, prompts_digest(row["prompt_id"] for row in rows))
    elif isinstance(spec, StartModelStage):
        yield from _check_sampled(store, folder, spec)


def _check_identity(folder: Folder, spec: StageSpec, notes: list[str]) -> Found:
    if spec.stage_id != folder.path.name:
        yield "structure", "config.json", f"is of stage {spec.stage_id}, not of its folder's name"
        return
    if _is_version_1(folder):
        notes.append(f"{spec.stage_id}: of version 1, whose rule for ids of stages is not known")
        return
    if f"{spec.kind}-{content_id(spec)}" == spec.stage_id:
        return
    files = sorted({str(FilePath.split(path)[0]) for path in paths_in(spec)})
    if files and not all(FilePath.split(path)[0].exists() for path in paths_in(spec)):
        notes.append(f"{spec.stage_id}: whether its id is right cannot be told: a file is not here")
        return
    named = f", or one of {', '.join(files)}" if files else ""
    yield "structure", "config.json", f"does not give the stage's id: it{named} has changed since"


def _check_plan_row(spec: StageSpec, row: dict[str, Any]) -> Found:
    for key, value in {"kind": spec.kind, "requires": list(spec.requires)}.items():
        if row.get(key, value) != value:
            yield "structure", "plan.json", f"{key}: is {row[key]!r}, config.json gives {value!r}"


def _has_results(folder: Folder) -> bool:
    places = (folder.prompts_path, folder.model_path, labels_path(folder), folder.path / RESULT)
    return bool(part_files(folder.rollouts_path)) or any(place.exists() for place in places)


def _is_version_1(folder: Folder) -> bool:
    return bool(read_json(folder.config_path).get("version", 1) == 1)


def _check_warm_start(folder: Folder, spec: WarmStart, digest: str) -> Found:
    """result.json against the configuration, its second record in status.json, and the prompts."""
    path, config, status = folder.path / "result.json", spec.model.warm_start, folder.read_status()
    if not path.is_file():
        yield "result", "result.json", "gone"
        return
    found = read_json(path)
    accuracy, prompts = found.get("accuracy"), found.get("check_prompts")
    if not isinstance(accuracy, float) or not isinstance(prompts, int) or prompts < 1:
        yield "result", "result.json", "accuracy or check_prompts is no number"
        return
    checks: dict[str, bool] = {
        "steps": found.get("steps") == status.step and status.step <= config.max_steps,
        "accuracy": accuracy == status.progress.get("eval_accuracy")
        and config.target_accuracy <= accuracy <= 1,
        "check_prompts": prompts <= config.check_prompts
        and _whole(accuracy * prompts * config.check_samples),
        "check_samples": found.get("check_samples") == config.check_samples,
        "prompts": found.get("prompts", digest) == digest,  # version 1 does not note them
        "parameters": _parameters(folder) in (None, found.get("parameters")),
    }
    for key, right in checks.items():
        if not right:
            message = f"is {found.get(key)!r}, config.json, status.json or the model give another"
            yield "result", f"result.json {key}", message
    if status.total_steps != config.max_steps:
        yield "status", "status.json total_steps", f"{status.total_steps}, not {config.max_steps}"


def _whole(number: float) -> bool:
    return math.isclose(number, round(number), abs_tol=1e-6)


def _parameters(folder: Folder) -> int | None:
    """Numbers in the model's file, by its header; None: no such file."""
    path = folder.model_path / "model.safetensors"
    if not path.is_file():
        return None
    with path.open("rb") as source:
        (length,) = struct.unpack("<Q", source.read(8))
        header: dict[str, Any] = json.loads(source.read(min(length, 100_000_000)))
    header.pop("__metadata__", None)
    return sum(int(math.prod(one["shape"])) for one in header.values())


def _check_sampled(store: SweepStore, folder: Folder, spec: StartModelStage) -> Found:
    rows: Columns = read_rollouts(folder.rollouts_path).to_pydict()
    source = store.stage(spec.prompts_stage)
    if not source.prompts_path.is_file():
        yield "prompts", "prompts.parquet", f"gone from {source.path.name}"
        return
    prompts = {row["prompt_id"]: row for row in prompt_rows(source)}
    asked = [rows["prompt_id"][start] for start, _ in runs_of(rows["group_id"])]
    if asked != list(prompts):
        yield "prompt_id", "rollouts", f"are not of the prompts of {source.path.name}, in order"
    grader = Grader(spec.dataset.answer_style, spec.dataset.answer_kind)
    limit, size = spec.sampling.max_completion_length, spec.sampling.samples
    # A stage names no set; files of version 1 say nothing of it, and are read as of own prompts.
    label = OWN if _is_version_1(folder) else None
    author = Author(spec.stage_id, grader, prompts, limit, label)
    yield from check_text(author, rows, "stage")
    yield from check_evaluation(rows, 0, len(rows["step"]), size, None, label)
    if set(rows["step"]) - {0}:
        yield "step", "rollouts", "are not all of step 0"
    status = folder.read_status()
    last = len(prompts) - len(prompts) % max(1, len(prompts) // 20)  # it is told that often
    if (status.step, status.total_steps) != (last, len(prompts)):
        yield "status", "status.json", f"{status.step} of {status.total_steps}, not {len(prompts)}"
    if isinstance(spec, VotesStage):
        yield from _check_labels(folder, spec)


def _check_labels(folder: Folder, spec: VotesStage) -> Found:
    if not labels_path(folder).is_file():
        yield "labels", "labels.parquet", "gone"
        return
    logged, derived = read_labels(labels_path(folder)), teacher_votes(spec, folder, spec.voting)
    rows = read_table(labels_path(folder), LABEL_SCHEMA, ["prompt_id"])["prompt_id"].to_pylist()
    if rows != list(derived):
        yield "labels", "labels.parquet", "does not hold each prompt once, in order"
    for name in sorted({*logged} & {*derived}):
        one, two = logged[name], derived[name]
        if one.label != two.label or abs(one.share - two.share) > 1e-6:
            yield "labels", f"prompt {name}", f"label is {one}, its votes give {two}"


def check_start(run: LoggedRun, one: LoggedSet) -> Found:
    """The evaluation of the start on a set is the rows that a shared stage logged."""
    stage_id = one.spec.needs.start
    if stage_id is None or not run.store.stage(stage_id).rollouts_path.is_dir():
        return
    base = of_set(read_rollouts(run.store.stage(stage_id).rollouts_path, "eval"), one.spec.label)
    own = one.rollouts.filter(pc.equal(one.rollouts["step"], 0))
    if not len(own):
        return  # not evaluated yet; of one that should be there, `check_eval` says that it lacks
    left_out = {"run_id"} | ({"pseudo_label", "vote_share"} if run.revoted else set())
    for name in base.schema.names:
        if name not in left_out and base[name].to_pylist() != own[name].to_pylist():
            yield name, "eval step 0", f"is not that of the shared stage {stage_id}"


def check_given(run: LoggedRun, one: LoggedSet) -> Found:
    """Prompts are those of their stages, less train prompts that an evaluation set has taken out.

    With the own prompts of a run, those that it trains on are looked at.
    """
    stages, prompts = [one.spec.needs.prompts], one.prompts
    if not one.is_further:
        stages, prompts = [run.spec.needs.train_prompts, *stages], run.prompts
    if not all(run.store.stage(stage_id).prompts_path.is_file() for stage_id in stages):
        return
    given = {
        row["prompt_id"]: row
        for stage_id in stages
        for row in prompt_rows(run.store.stage(stage_id))
    }
    may_lack = bool(run.spec.further) and not one.is_further
    order = [name for name in given if name in prompts]
    if list(prompts) != order or (not may_lack and len(order) != len(given)):
        yield "prompts", "prompts.parquet", "are not the prompts of its shared stages, in order"
    for name in order:
        for key in ("prompt", "gold_answer", "gold_key", "split", "level"):
            if prompts[name][key] != given[name][key]:
                yield "prompts", f"prompt {name}", f"{key} is not that of the shared stage"
