"""Folders of a sweep on disk: paths, configuration, status, locks.

``<root>/<sweep>/plan.json`` lists every planned run. ``<root>/<sweep>/<run_id>/`` holds a run,
``<root>/_stages/<stage_id>/`` the work that runs, and sweeps, share. What a folder holds is told
by its ``status.json`` alone, never by which files exist.
"""

import contextlib
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from srtbench.plan import Plan, RunSpec, StageSpec

State = Literal["waiting", "running", "done", "failed", "interrupted"]
STAGES_FOLDER = "_stages"


@dataclass(frozen=True)
class Status:
    """Content of a status.json.

    Attributes:
        step: optimiser steps done. total_steps: steps planned.
        checkpoint: folder name of the last whole checkpoint; checkpoint_step: its step.
        error: last lines of the traceback of a failure.
        attempts: how often the run was started.
        progress: last known numbers, e.g. gold accuracy.
    """

    state: State = "waiting"
    step: int = 0
    total_steps: int = 0
    checkpoint: str | None = None
    checkpoint_step: int = 0
    error: str | None = None
    attempts: int = 0
    pid: int | None = None
    host: str | None = None
    started: float | None = None
    updated: float | None = None
    wall_seconds: float = 0.0
    progress: dict[str, float] = field(default_factory=dict)

    @property
    def actual_state(self) -> State:
        """The state; interrupted if it says running and its process, one of this host, is gone.

        A number that another process has by now counts as alive.
        """
        if self.state != "running" or self.pid is None or self.host != socket.gethostname():
            return self.state
        try:
            gone = psutil.Process(self.pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            gone = True
        except psutil.AccessDenied:  # alive, and another user's
            gone = False
        return "interrupted" if gone else "running"


def write_json(path: Path, content: Any) -> None:
    """Write JSON so that ``path`` is at any moment whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    # A lone surrogate, as an error message may quote one, becomes JSON's own escape of it.
    with temporary.open("w", encoding="utf-8", errors="backslashreplace") as sink:
        json.dump(content, sink, indent=2, ensure_ascii=False)
        sink.write("\n")
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


class StoreError(ValueError):
    """A file that srtbench wrote is damaged; the message names it."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: there is no file. StoreError: it holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path}: not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise StoreError(f"{path}: not a JSON object")
    return content


class Folder:
    """Folder of one run or stage."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def config_path(self) -> Path:
        """Fully resolved configuration."""
        return self.path / "config.json"

    @property
    def status_path(self) -> Path:
        """State of the work."""
        return self.path / "status.json"

    @property
    def log_path(self) -> Path:
        """What the worker printed."""
        return self.path / "log.txt"

    @property
    def prompts_path(self) -> Path:
        """Prompts, one row each."""
        return self.path / "prompts.parquet"

    @property
    def rollouts_path(self) -> Path:
        """Folder of rollout parts."""
        return self.path / "rollouts"

    @property
    def votes_path(self) -> Path:
        """Folder of rollout parts that voted but were not trained on."""
        return self.path / "votes"

    def eval_set(self, label: str) -> "Folder":
        """Folder of an evaluation set inside a run's: its prompts and rollouts."""
        return Folder(self.eval_sets_path / label)

    @property
    def eval_sets_path(self) -> Path:
        """Folder of the evaluation sets' folders."""
        return self.path / "eval_sets"

    @property
    def metrics_path(self) -> Path:
        """Per-step metrics of the trainer, long form."""
        return self.path / "metrics.parquet"

    @property
    def checkpoint_path(self) -> Path:
        """Folder of checkpoints."""
        return self.path / "checkpoint"

    def best_path(self, rule: str) -> Path:
        """The policy of the best evaluation by a rule, kept for runs that start from it."""
        return self.path / "best" / rule

    @property
    def model_path(self) -> Path:
        """Model that a warm start made, or a finished run's last policy."""
        return self.path / "model"

    def read_status(self) -> Status:
        """The status; that of work not begun where there is no file.

        Raises:
            StoreError: the file is damaged.
        """
        try:
            content = read_json(self.status_path)
        except FileNotFoundError:
            return Status()
        if content.get("state", "waiting") not in get_args(State):
            raise StoreError(f"{self.status_path}: unknown state {content['state']!r}")
        known = {name: content[name] for name in Status.__dataclass_fields__ if name in content}
        return Status(**known)

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_json(self.status_path, asdict(replace(status, updated=time.time())))

    def update_status(self, **changes: Any) -> Status:
        """Change some fields of the status."""
        status = replace(self.read_status(), **changes)
        self.write_status(status)
        return status

    def start(self, total_steps: int) -> Status:
        """Mark the work as running in this process."""
        before = self.read_status()
        return self.update_status(
            state="running",
            total_steps=total_steps,
            attempts=before.attempts + 1,
            error=None,
            pid=os.getpid(),
            host=socket.gethostname(),
            started=time.time(),
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process.

        Raises:
            BlockingIOError: another live process holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(f"{self.path} is in use by another process") from None
            yield


class SweepStore:
    """Folders of one sweep."""

    def __init__(self, root: Path | str, name: str):
        self.root = Path(root)
        self.path = self.root / name

    @property
    def plan_path(self) -> Path:
        """The plan, so that analysis knows every cell, begun or not."""
        return self.path / "plan.json"

    def run(self, run_id: str) -> Folder:
        """Folder of a run."""
        return Folder(self.path / run_id)

    def stage(self, stage_id: str) -> Folder:
        """Folder of a shared stage."""
        return Folder(self.root / STAGES_FOLDER / stage_id)

    def folder(self, spec: RunSpec | StageSpec) -> Folder:
        """Folder of a run or stage."""
        if isinstance(spec, RunSpec):
            return self.run(spec.run_id)
        return self.stage(spec.stage_id)

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan beside the runs."""
        runs = [
            {
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
                "stages": run.needs.model_dump(exclude_none=True),
                "starts_from": run.starts_from.run_id if run.starts_from else None,
                "start_rule": run.starts_from.rule if run.starts_from else None,
                "eval_sets": [one.label for one in run.eval_sets],
            }
            for run in plan.runs
        ]
        stages = [
            {"stage_id": stage.stage_id, "kind": stage.kind, "requires": stage.requires}
            for stage in plan.stages
        ]
        write_json(self.plan_path, {"sweep": plan.name, "runs": runs, "stages": stages})


def read_plan(sweep_path: Path) -> dict[str, Any]:
    """The plan.json of a sweep folder.

    Raises:
        FileNotFoundError: the folder holds no sweep.
    """
    try:
        content = read_json(sweep_path / "plan.json")
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"{sweep_path}: no plan.json there, so no sweep; give the folder that "
            "`srtbench sweep` wrote, e.g. runs/smoke"
        ) from None
    missing = [key for key in ("sweep", "runs", "stages") if key not in content]
    if missing:
        raise StoreError(f"{sweep_path / 'plan.json'}: has no {' and no '.join(missing)}")
    return content
