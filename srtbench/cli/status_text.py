"""How a sweep stands, as plain text: its runs, its shared stages, and what no plan names."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from srtbench.cli.render import table_text
from srtbench.config.words import counted
from srtbench.store import Folder, Status, StoreError, SweepStore, read_plan
from srtbench.store.failures import failure_logs
from srtbench.store.plan_file import stage_users, uses_gold
from srtbench.store.stages import read_left_out
from srtbench.store.unplanned import finished, forgotten, some, unplanned_folders

Content = Mapping[str, Any]
"""Content of a plan.json, or what it would be."""

_REWARDS = {True: "uses gold", False: "label-free", None: ""}


def status_text(store: SweepStore, plan: Content) -> str:
    """State of every planned run and stage, why one failed or stands still, and where its log is.

    Finished runs that the plan does not name are named.
    """
    states = {row["run_id"]: store.run(row["run_id"]).shown_status() for row in plan["runs"]}
    stages = {
        row["stage_id"]: store.stage(row["stage_id"]).shown_status() for row in plan["stages"]
    }
    runs = [_run_row(row, states[row["run_id"]]) for row in plan["runs"]]
    header = ("run", "rewards", "state", "step", "gold (eval)", "why")
    parts = [table_text(header, runs)]
    if plan["stages"]:
        users = stage_users(plan)
        rows = [
            _stage_row(stage_id, status, len(users.get(stage_id, [])))
            for stage_id, status in stages.items()
        ]
        parts.append(table_text(("stage", "used by runs", "state", "step", "why"), rows))
    notes = [f"log: {folder.log_path}" for folder in _with_logs(store, plan, states, stages)]
    notes += [f"left out of the prompts: {line}" for line in _left_out(store, plan)]
    unplanned = unplanned_folders(store.path, (row["run_id"] for row in plan["runs"]))
    notes += [line for line in (forgotten(finished(unplanned)),) if line is not None]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def differences_text(store: SweepStore, planned: Collection[str]) -> list[str]:
    """What is in the folder of this name already, if another plan made it: what stays, what is new.

    Args:
        planned: ids of the runs that the sweep plans now.
    """
    lines = []
    before: list[str] = []
    if store.plan_path.is_file():
        try:
            before = [row["run_id"] for row in read_plan(store.path)["runs"]]
        except StoreError as error:
            lines.append(f"{error}; the plan is written anew")
    if before and set(before) != set(planned):
        stay = [run_id for run_id in planned if run_id in set(before)]
        new = [run_id for run_id in planned if run_id not in set(before)]
        done = sum(store.run(run_id).shown_status().state == "done" for run_id in stay)
        gone = [run_id for run_id in before if run_id not in set(planned)]
        lines.append(
            f"{store.path} was made by another plan of this name: {_runs(stay)} of it "
            f"{_be(stay, 'stays as it is', 'stay as they are')} ({done} done), {len(new)} "
            f"{_be(new, 'is', 'are')} new{': ' + some(new) if new else ''}"
        )
        if gone:
            lines.append(
                f"{_runs(gone)} of that plan {_be(gone, 'is', 'are')} not in this one; "
                f"{_be(gone, 'its folder stays', 'their folders stay')}, and no table will have "
                f"{_be(gone, 'it', 'them')}: {some(gone)}"
            )
    unplanned = unplanned_folders(store.path, planned)
    line = forgotten(finished(unplanned))
    return lines if line is None else [*lines, line]


def _run_row(row: Content, status: Status) -> tuple[str, ...]:
    accuracy = status.progress.get("eval_accuracy")
    return (
        row["run_id"],
        _REWARDS[uses_gold(row)],
        status.actual_state,
        f"{status.step}/{row['total_steps']}",
        f"{accuracy:.3f}" if accuracy is not None else "",
        _why(status, row.get("imported")),
    )


def _stage_row(stage_id: str, status: Status, users: int) -> tuple[str, ...]:
    step = f"{status.step}/{status.total_steps}" if status.total_steps else ""
    return (stage_id, f"{users}", status.actual_state, step, _why(status))


def _why(status: Status, imported: str | None = None) -> str:
    """Why it stands as it does.

    Args:
        imported: format of the log that another trainer wrote; None: it is the sweep's own.
    """
    if status.actual_state != status.state:
        if imported is not None:
            return f"its process {status.pid} is gone; only its own training script goes on with it"
        return f"its process {status.pid} is gone; the same sweep goes on with it"
    reason = (status.error or "").strip().splitlines()[-1:] if status.state == "failed" else []
    notes = [text for text in (status.stopped, status.note) if text is not None]
    return reason[0] if reason else "; ".join(notes)


def _with_logs(
    store: SweepStore, plan: Content, runs: Mapping[str, Status], stages: Mapping[str, Status]
) -> list[Folder]:
    """Folders with the log of a failure, each once."""
    failed = [row for row in plan["runs"] if runs[row["run_id"]].state == "failed"]
    found = {one.path: one for row in failed for one in failure_logs(store, row)}
    for stage_id, status in stages.items():
        stage = store.stage(stage_id)
        if status.state == "failed" and stage.log_path.is_file():
            found[stage.path] = stage
    return list(found.values())


def _left_out(store: SweepStore, plan: Content) -> list[str]:
    """What each stage left out of its prompts."""
    lines = []
    for row in plan["stages"]:
        try:
            text = read_left_out(store.stage(row["stage_id"]))
        except StoreError as error:
            text = str(error)
        if text is not None:
            lines.append(f"{row['stage_id']}: {text}")
    return lines


def _be(names: Sequence[str], one: str, several: str) -> str:
    return one if len(names) == 1 else several


def _runs(names: Sequence[str]) -> str:
    return counted(len(names), "run")
