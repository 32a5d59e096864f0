"""Folders of a sweep on disk: paths, status, locks.

``<root>/<sweep>/plan.json`` lists every planned run. ``<root>/<sweep>/<run_id>/`` holds a run,
``<root>/_stages/<stage_id>/`` the work that runs, and sweeps, share. What a folder holds is told
by its ``status.json`` alone, never by which files exist.
"""

import os
import socket
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from srtbench.plan import Plan, RunSpec, StageSpec
from srtbench.store.files import StoreError, held, remove_leftovers, write_sealed
from srtbench.store.plan_file import write_plan
from srtbench.store.status import Status, read_status

STAGES_FOLDER = "_stages"


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

    @property
    def further_path(self) -> Path:
        """Folder of rollout parts of rounds that did not vote: hot and hinted completions."""
        return self.path / "further"

    @property
    def dropped_path(self) -> Path:
        """Folder of rollout parts of groups that were sampled and not trained on."""
        return self.path / "dropped"

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

    def kept_path(self, step: int) -> Path:
        """The policy after a step, kept by the rule of `train.stop`."""
        return self.path / "kept" / f"step-{step}"

    @property
    def model_path(self) -> Path:
        """Model that a warm start made, or a finished run's last policy."""
        return self.path / "model"

    def read_status(self) -> Status:
        """The status; that of work not begun where there is no file.

        Raises:
            StoreError: the file is damaged.
        """
        return read_status(self.status_path)

    def shown_status(self) -> Status:
        """The status as a table shows it: where the file is damaged, failed, and the error why."""
        try:
            return self.read_status()
        except StoreError as error:
            return Status(state="failed", error=str(error))

    def write_status(self, status: Status) -> None:
        """Replace the status."""
        write_sealed(self.status_path, asdict(replace(status, updated=time.time())))

    def update_status(self, **changes: Any) -> Status:
        """Change some fields of the status."""
        status = replace(self.read_status(), **changes)
        self.write_status(status)
        return status

    def start(self, total_steps: int) -> Status:
        """Mark the work as running in this process, which holds the folder.

        A status that is damaged is that of work not begun.
        """
        remove_leftovers(self.path)
        try:
            before = self.read_status()
        except StoreError:
            before = Status()
        now = time.time()
        first = now if before.attempts == 0 else before.first_started
        status = replace(
            before,
            state="running",
            total_steps=total_steps,
            attempts=before.attempts + 1,
            error=None,
            note=None,
            stopped=None,
            pid=os.getpid(),
            host=socket.gethostname(),
            started=now,
            first_started=first,
        )
        self.write_status(status)
        return status

    def tidy(self) -> None:
        """Remove what killed writes left, unless somebody works in the folder."""
        if self.path.is_dir():
            with suppress(BlockingIOError), self.locked():
                remove_leftovers(self.path)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the folder for this process.

        Raises:
            BlockingIOError: another live process holds it.
        """
        return held(self.path / ".lock")


class SweepStore:
    """Folders of one sweep."""

    def __init__(self, root: Path | str, name: str, path: Path | None = None):
        self.root = Path(root)
        self.path = self.root / name if path is None else path

    @classmethod
    def of(cls, path: Path, plan: dict[str, Any]) -> "SweepStore":
        """Of a folder that is there: its plan says where the shared stages are."""
        root = plan.get("root", "..")
        return cls(path.parent if root == ".." else path / root, path.name, path)

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

    def tidy(self) -> None:
        """Remove what killed writes of this sweep's own files left; the caller holds it."""
        remove_leftovers(self.path, deep=False)

    def write_plan(self, plan: Plan) -> None:
        """Keep the plan beside the runs."""
        write_plan(self.plan_path, plan)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the whole sweep for this process.

        Raises:
            BlockingIOError: another live process holds it.
        """
        return held(self.path / ".lock")
