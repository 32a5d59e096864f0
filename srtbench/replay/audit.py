"""`srtbench audit`: derive again, from the logged text, everything a sweep's numbers rest on.

A breach is a logged value that the logged text, the configuration and the hidden answers do not
give. What no log can give again is checked against its second record in metrics.parquet: token
counts, truncation, token statistics. Every check names the column it guards.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from srtbench.plan.generation import GenerationShape
from srtbench.replay.audit_choices import check_best, check_pool
from srtbench.replay.audit_files import check_folder, check_seal, set_folders
from srtbench.replay.audit_identity import (
    check_commits,
    check_identity,
    check_plan_row,
    unplanned,
)
from srtbench.replay.audit_imported import audit_imported
from srtbench.replay.audit_keep import check_keep, keep_notes
from srtbench.replay.audit_metrics import check_metrics, check_status
from srtbench.replay.audit_prompts import check_labels, check_prompts
from srtbench.replay.audit_refill import check_refill
from srtbench.replay.audit_report import AuditReport, Breach, health
from srtbench.replay.audit_rollouts import check_eval, check_train
from srtbench.replay.audit_rounds import check_updates, made_updates
from srtbench.replay.audit_stages import check_given, check_stage, check_start, stage_ids
from srtbench.replay.audit_stop import check_stop, stop_notes
from srtbench.replay.interrupts import Interrupts
from srtbench.replay.source import NOT_RUN, SOURCE_CHANGED, SOURCE_UNKNOWN, source_state
from srtbench.rollouts import part_files
from srtbench.rollouts.judge import Columns
from srtbench.store import Folder, Status, StoreError, SweepStore, read_json, read_plan
from srtbench.store.configs import declared
from srtbench.store.files import refused, seal_broken
from srtbench.store.hub_file import HUB_FILE, read_commits
from srtbench.store.runs import LoggedRun, LoggedSet, LoggedSweep, open_runs
from srtbench.variants import from_outside


def audit_sweep(path: str | Path, *, run_code: bool = False) -> AuditReport:
    """Audit every run of a sweep that has begun.

    Args:
        run_code: whether to run the variants that the folder names: Python files, classes of
            packages. Else their rewards are not derived again, and a note says so.

    Raises:
        FileNotFoundError: the folder holds no sweep.
    """
    imported = read_plan(Path(path))
    if imported["runs"] and all(row.get("imported") for row in imported["runs"]):
        return audit_imported(Path(path), imported)
    found = open_runs(Path(path))
    plan, runs = found.plan, found.runs
    report = AuditReport(plan["sweep"], len(runs), len(found.damaged))
    for run_id, problem in found.damaged.items():
        report.breaches.append(Breach(run_id, "structure", "config.json", problem))
    begun = {run.spec.run_id for run in runs} | set(found.damaged)
    missing = [row["run_id"] for row in plan["runs"] if row["run_id"] not in begun]
    if plan.get("revote"):
        report.notes.append(f"voted again under {plan['revote']['voting']}: not as it was trained")
    for run_id in missing:
        _audit_missing(Folder(Path(path) / run_id), run_id, report)
    report.notes += unplanned(found)
    rows = {row["run_id"]: row for row in plan["runs"]}
    _audit_commits(found, report)
    with Interrupts() as interrupts:
        for run in runs:
            row = rows[run.folder.path.name]
            _audit_run(run, row, report, interrupts, run_code=run_code)
    _audit_plan(found, report)
    planned = {row["stage_id"]: row for row in plan["stages"]}
    for stage_id in stage_ids(runs):
        _audit_stage(runs[0].store, stage_id, planned.get(stage_id, {}), report)
    return report


def _audit_commits(found: LoggedSweep, report: AuditReport) -> None:
    """hub.json, and the commits of every run."""
    name, commits = str(found.plan["sweep"]), {}
    path = found.path / HUB_FILE
    try:
        commits = read_commits(found.path)
        if commits and seal_broken(read_json(path)):
            message = "has been changed since srtbench wrote it"
            report.breaches.append(Breach(name, "structure", HUB_FILE, message))
    except StoreError as error:
        report.breaches.append(Breach(name, "structure", HUB_FILE, str(error)))
    for run in found.runs:
        for breach in check_commits(run, commits, report.notes):
            report.breaches.append(Breach(run.spec.run_id, *breach))


def _audit_plan(found: LoggedSweep, report: AuditReport) -> None:
    """What plan.json says beside its runs' rows."""
    name, plan = str(found.plan["sweep"]), found.plan
    breaches = []
    if seal_broken(plan):
        breaches.append(("plan.json", "has been changed since srtbench wrote it"))
    named = [stage["stage_id"] for stage in plan["stages"]]
    if not plan.get("revote") and plan["runs"] and not set(stage_ids(found.runs)) <= set(named):
        breaches.append(("plan.json", "stages: lacks one that a run needs"))
    ids = [row["run_id"] for row in plan["runs"]]
    for twice in (named, ids):
        if len(set(twice)) < len(twice):
            breaches.append(("plan.json", "names a run or stage twice"))
    if not plan.get("revote") and any(run.spec.sweep != plan["sweep"] for run in found.runs):
        breaches.append(("plan.json", "sweep: is not what config.json of its runs says"))
    report.breaches += [Breach(name, "structure", *breach) for breach in breaches]


def _audit_stage(
    store: SweepStore, stage_id: str, row: dict[str, Any], report: AuditReport
) -> None:
    try:
        for found in check_stage(store, stage_id, row, report.notes):
            report.breaches.append(Breach(stage_id, *found))
    except (StoreError, FileNotFoundError) as error:
        report.breaches.append(Breach(stage_id, "structure", "stage", str(error)))
    except Exception as error:
        if refused(error):
            raise
        message = f"cannot be derived again: {type(error).__name__}: {error}"
        report.breaches.append(Breach(stage_id, "structure", "stage", message))


def _audit_missing(folder: Folder, run_id: str, report: AuditReport) -> None:
    """A run without prompts or configuration has not begun; or its files were taken away.

    Before its first file, a run may be running or failed: its stage failed, or it was stopped.
    """
    report.unaudited += 1
    try:
        status = folder.read_status()
    except StoreError as error:
        report.breaches.append(Breach(run_id, "structure", "status.json", str(error)))
        return
    begun = status.state == "done" or status.checkpoint is not None or status.step > 0
    begun = begun or (status.attempts > 0 and not folder.config_path.is_file())
    places = (folder.prompts_path, folder.metrics_path, folder.checkpoint_path)
    left = part_files(folder.rollouts_path) or any(place.exists() for place in places)
    if begun or left:
        message = f"{status.state}, but its files are gone (config.json or prompts.parquet)"
        report.breaches.append(Breach(run_id, "structure", "run", message))
    elif not folder.path.is_dir():
        report.notes.append(f"{run_id}: has no folder: never begun, or taken away as a whole")
    else:
        report.notes.append(f"{run_id}: {status.state}, nothing to audit")


def _audit_run(
    run: LoggedRun,
    row: dict[str, Any],
    report: AuditReport,
    interrupts: Interrupts,
    *,
    run_code: bool,
) -> None:
    run_id = run.spec.run_id
    if run.spec.trains_on_eval_prompts:
        report.notes.append(f"{run_id}: trains on its evaluation prompts, as its variant does")
    try:
        if (answers := declared(run.folder, run.spec)) is not None and answers.uses_gold:
            report.notes.append(f"{run_id}: uses gold: its rewards depend on the hidden answers")
        status = run.folder.read_status()
        if status.state != "done":
            note = f"{run_id}: {status.state} at step {status.step}, audited as far as it"
            report.notes.append(note)
        for found in (*check_identity(run, report.notes), *check_plan_row(run, row)):
            report.breaches.append(Breach(run_id, *found))
        train, sets = run.train_columns(), list(run.evaluations().values())
        for found in (*check_seal(run.folder), *check_folder(run.folder, set_folders(run))):
            report.breaches.append(Breach(run_id, *found))
        for found in _cut_short(run, train, sets, status):
            report.breaches.append(Breach(run_id, *found))
        for found in check_status(run, train, sets, status):
            report.breaches.append(Breach(run_id, *found))
        for found in check_stop(run, train, sets[0], status):
            report.breaches.append(Breach(run_id, *found))
        report.notes += [*stop_notes(run, status), *keep_notes(run)]
        for found in check_keep(run, sets[0]):
            report.breaches.append(Breach(run_id, *found))
        logs = status.state == "done" and made_updates(run, train)
        if logs and not run.folder.metrics_path.is_file():
            message = "gone: lengths, truncation and token statistics have no second record"
            report.breaches.append(Breach(run_id, "structure", "metrics.parquet", message))
        done, judge = status.state == "done", run_code or not from_outside(run.spec.variant)
        for found in _found(run, train, sets, done=done, judge=judge, report=report):
            report.breaches.append(Breach(run_id, *found))
        report.health += health(run.spec.dataset_label, train)
        for one in sets:
            label = one.spec.label if one.is_further else run.spec.dataset_label
            report.health += health(label, one.columns)
    except StoreError as error:
        report.breaches.append(Breach(run_id, "structure", "run", str(error)))
    except BaseException as error:  # a variant's own code may even ask to exit
        foreign = run_code and from_outside(run.spec.variant)
        asked = not foreign or interrupts.asked
        if (isinstance(error, KeyboardInterrupt) and asked) or (refused(error) and not foreign):
            raise
        message = f"cannot be derived again: {type(error).__name__}: {error}"
        report.breaches.append(Breach(run_id, "structure", "run", message))


def _cut_short(
    run: LoggedRun, train: Columns, sets: Sequence[LoggedSet], status: Status
) -> Iterator[tuple[str, str, str]]:
    """Everything up to the checkpoint was on disk before the checkpoint was named."""
    checkpoint, steps = status.checkpoint_step, train["step"]
    if not run.folder.status_path.is_file() and (steps or any(len(one.rollouts) for one in sets)):
        yield "structure", "status.json", "gone: what the run should hold is not known"
    kept = max(steps) + GenerationShape.of(run.spec).every - 1 if steps else 0
    if kept < checkpoint:
        yield "step", "train", f"rollouts end at step {kept}, before the checkpoint {checkpoint}"
    for one in sets:
        last = max(one.columns["step"], default=-1)
        due = max(step for step in one.spec.steps(run.spec.train.steps) if step <= checkpoint)
        if checkpoint and status.state != "done" and last < due:
            message = f"rollouts end at step {last}, before the checkpoint {checkpoint}"
            yield "step", f"{one.where}eval", message


def _found(
    run: LoggedRun,
    train: Columns,
    sets: Sequence[LoggedSet],
    *,
    done: bool,
    judge: bool,
    report: AuditReport,
) -> Iterator[tuple[str, str, str]]:
    for one in sets:
        yield from _in_set(one, check_prompts(run, one))
        yield from _in_set(one, check_given(run, one))
        yield from _in_set(one, check_start(run, one))
    yield from check_labels(run, report.notes)
    yield from check_pool(run, train, report.checked)
    yield from check_best(run, sets[0], report.checked, done=done)
    source = source_state(run)
    if not judge:
        report.notes.append(f"{run.spec.run_id}: {NOT_RUN}")
    if source in ("unknown", "gone"):
        report.notes.append(f"{run.spec.run_id}: {SOURCE_UNKNOWN}")
    elif source == "changed":
        yield "structure", "variant", f"{SOURCE_CHANGED}; its rewards are not derived again"
        judge = False
    for label in run.unknown_sets():
        yield "eval_set", "eval", f"{label!r} is no evaluation set of the run"
    for one in sets:
        yield from _in_set(one, check_eval(run, one, report.checked, done=done))
    if run.spec.train.rounds is None:
        yield from check_metrics(run, train, report.checked)
    else:
        yield from check_updates(run, train, report.checked, judge=judge)
    # Last, because a variant's code may end what runs it.
    yield from check_train(run, train, report.checked, report.notes, done=done, judge=judge)
    yield from check_refill(run, train, report.checked, judge=judge)


def _in_set(
    one: LoggedSet, found: Iterator[tuple[str, str, str]]
) -> Iterator[tuple[str, str, str]]:
    for column, where, message in found:
        yield column, f"{one.where}{where}", message
