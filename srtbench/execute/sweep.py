"""Execute a plan: a process per run, shared stages first, resume, retries."""

import contextlib
import fcntl
import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.execute.entry import FOLDER_IN_USE, INTERRUPTED
from srtbench.execute.local import Handle, Launcher, LocalLauncher
from srtbench.execute.report_to import check_report_to
from srtbench.plan import Plan, RunSpec, StageSpec, plan_sweep
from srtbench.plan.select import Selection, select
from srtbench.store import Folder, State, SweepStore, write_json

POLL_SECONDS = 0.1
_STOP_SECONDS = 20.0
_RETRY_SECONDS = 2.0
_VERSIONED = (
    "srtbench",
    "torch",
    "trl",
    "transformers",
    "datasets",
    "reasoning-gym",
    "math-verify",
)

Work = RunSpec | StageSpec


class SweepBusyError(RuntimeError):
    """Another process is executing the same sweep."""


@dataclass(frozen=True)
class SweepEvent:
    """Something a user wants to see: work started, ended, or moved on."""

    kind: str
    work_id: str
    message: str


@dataclass(frozen=True)
class SweepResult:
    """State of every selected run, by run id."""

    states: dict[str, State]

    @property
    def failed(self) -> list[str]:
        """Run ids that failed."""
        return [run_id for run_id, state in self.states.items() if state == "failed"]

    @property
    def ok(self) -> bool:
        """Whether every selected run is done."""
        return all(state == "done" for state in self.states.values())


def run_sweep(
    config: SweepConfig | SweepOfParts,
    *,
    root: Path | str = "runs",
    workers: int | None = None,
    only: Selection | None = None,
    retry_failed: bool = False,
    on_event: Callable[[SweepEvent], None] = lambda event: None,
    on_tick: Callable[[], None] = lambda: None,
) -> SweepResult:
    """Do what is missing of a sweep; safe to interrupt and repeat.

    Runs that are done stay as they are, an interrupted run goes on from its checkpoint, a failed
    one is left alone unless ``retry_failed``.

    Args:
        root: folder of sweeps.
        workers: processes at once; None: the sweep file's, or one per core.
        only: axis -> allowed labels, e.g. ``{"variant": ["srt"], "seed": ["0"]}``.
        on_event: hears of every start and end. on_tick: called at every poll.

    Raises:
        ConfigError: the sections of the file do not fit together, or `report_to` names a tool
            that is not installed.
        SweepBusyError: the sweep is being executed already.
        ValueError: ``only`` names an unknown axis or label.
    """
    plan = plan_sweep(config)
    runs = select(plan, only or {})
    check_report_to(config.source, runs)
    store = SweepStore(root, plan.name)
    with _only_sweep(store):
        store.write_plan(plan)
        execution = config.execution
        at_once = len(plan.runs) if execution.backend == "ray" else os.cpu_count() or 1
        count = workers or execution.workers or at_once
        executor = _Executor(plan, runs, store, count, retry_failed, on_event, on_tick)
        launcher = make_launcher(config, store)
        try:
            executor.execute(launcher)
        finally:
            launcher.close()
    return SweepResult({run.run_id: store.folder(run).read_status().state for run in runs})


def make_launcher(config: SweepConfig | SweepOfParts, store: SweepStore) -> Launcher:
    """The launcher that `execution.backend` names."""
    if config.execution.backend == "ray":
        from srtbench.execute.ray import RayLauncher

        return RayLauncher(store.root, config.name, config.execution)
    return LocalLauncher(store.root, config.name, config.execution)


class _Executor:
    """Starts work as soon as what it needs is done and a worker is free."""

    def __init__(
        self,
        plan: Plan,
        runs: Sequence[RunSpec],
        store: SweepStore,
        workers: int,
        retry_failed: bool,
        on_event: Callable[[SweepEvent], None],
        on_tick: Callable[[], None],
    ):
        self._plan = plan
        self._store = store
        self._workers = workers
        self._on_event = on_event
        self._on_tick = on_tick
        self._provenance = provenance()
        self._running: dict[str, tuple[Work, Handle]] = {}
        self._todo: dict[str, Work] = {}
        self._ended: dict[str, State] = {}
        self._not_before: dict[str, float] = {}
        self._retry_failed = retry_failed
        for run in runs:
            self._add_run(run)

    def execute(self, launcher: Launcher) -> None:
        """Work until nothing is left; on an exception every worker is stopped."""
        try:
            while self._todo or self._running:
                self._start_ready(launcher)
                self._on_tick()
                time.sleep(POLL_SECONDS)
                self._reap()
        finally:
            self._stop_all()
            self._on_tick()

    def _add_run(self, run: RunSpec) -> None:
        if run.run_id in self._todo or run.run_id in self._ended:
            return
        state = self._store.folder(run).read_status().state
        if state == "done" or (state == "failed" and not self._retry_failed):
            self._ended[run.run_id] = state
            return
        if run.starts_from is not None:
            self._add_run(self._plan.run(run.starts_from.run_id))
        for stage_id in run.stages:
            self._add_stage(stage_id)
        self._todo[run.run_id] = run

    def _add_stage(self, stage_id: str) -> None:
        if stage_id in self._todo or stage_id in self._ended:
            return
        stage = self._plan.stage(stage_id)
        for needed in stage.requires:
            self._add_stage(needed)
        if self._store.stage(stage_id).read_status().state == "done":
            self._ended[stage_id] = "done"
        else:
            self._todo[stage_id] = stage

    def _start_ready(self, launcher: Launcher) -> None:
        for work_id, work in list(self._todo.items()):
            states = {need: self._ended.get(need) for need in work.requires}
            failed = [need for need, state in states.items() if state == "failed"]
            if failed:
                del self._todo[work_id]
                self._fail(work_id, work, failed[0])
            elif "interrupted" in states.values():
                del self._todo[work_id]
                self._ended[work_id] = "interrupted"
            elif self._has_room(work_id, work, launcher) and all(states.values()):
                del self._todo[work_id]
                self._start(work_id, work, launcher)

    def _has_room(self, work_id: str, work: Work, launcher: Launcher) -> bool:
        return (
            len(self._running) < self._workers
            and time.monotonic() >= self._not_before.get(work_id, 0.0)
            and launcher.can_start(work)
        )

    def _start(self, work_id: str, work: Work, launcher: Launcher) -> None:
        folder = self._store.folder(work)
        self._write_config(work, folder)
        step = folder.read_status().checkpoint_step
        self._running[work_id] = (work, launcher.start(work, work_id, folder))
        resumed = f", from step {step}" if step else ""
        self._on_event(SweepEvent("start", work_id, f"started{resumed}"))

    def _write_config(self, work: Work, folder: Folder) -> None:
        content = {
            "type": "run" if isinstance(work, RunSpec) else "stage",
            "spec": work.model_dump(mode="json"),
            "execution": self._plan.execution.model_dump(mode="json"),
            **self._provenance,
        }
        write_json(folder.config_path, content)

    def _reap(self) -> None:
        for work_id, (work, handle) in list(self._running.items()):
            code = handle.poll()
            if code is None:
                continue
            del self._running[work_id]
            if code == FOLDER_IN_USE:
                self._wait_for_folder(work_id, work)
                continue
            folder = self._store.folder(work)
            status = folder.read_status()
            if status.state not in ("done", "failed") and code != INTERRUPTED:
                reason = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
                tail = _log_tail(folder)
                error = f"worker ended without a result: {reason}\n{tail}".strip()
                status = folder.update_status(state="failed", error=error)
            self._ended[work_id] = status.state
            last = (status.error or "").strip().splitlines()
            message = f"failed: {last[-1]}" if status.state == "failed" and last else status.state
            self._on_event(SweepEvent(status.state, work_id, message))

    def _wait_for_folder(self, work_id: str, work: Work) -> None:
        """Another process works in the folder: another sweep on a shared stage, or a dying worker.

        Its status stays as it is. The work is tried again later.
        """
        if work_id not in self._not_before:
            self._on_event(SweepEvent("waiting", work_id, "in use by another process; waiting"))
        self._todo[work_id] = work
        self._not_before[work_id] = time.monotonic() + _RETRY_SECONDS

    def _fail(self, work_id: str, work: Work, needed: str) -> None:
        """Work fails with the reason of the stage, or the run, that it needs and that failed."""
        starts_from = work.starts_from if isinstance(work, RunSpec) else None
        if starts_from is not None and starts_from.run_id == needed:
            source, what = self._store.run(needed), f"run {needed}, which this one starts from,"
        else:
            source, what = self._store.stage(needed), f"shared stage {needed}"
        reason = source.read_status().error or ""
        folder = self._store.folder(work)
        self._write_config(work, folder)
        folder.update_status(state="failed", error=f"{reason}\n{what} failed".strip())
        self._ended[work_id] = "failed"
        self._on_event(SweepEvent("failed", work_id, f"failed: {what} failed"))

    def _stop_all(self) -> None:
        for _, handle in self._running.values():
            handle.stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for work_id, (work, handle) in self._running.items():
            while handle.poll() is None and time.monotonic() < deadline:
                time.sleep(POLL_SECONDS)
            if handle.poll() is None:
                handle.kill()
            folder = self._store.folder(work)
            if folder.read_status().state == "running":
                folder.update_status(state="interrupted")
            self._on_event(SweepEvent("interrupted", work_id, "interrupted"))
        self._running.clear()


@contextlib.contextmanager
def _only_sweep(store: SweepStore) -> Iterator[None]:
    store.path.mkdir(parents=True, exist_ok=True)
    with (store.path / ".lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SweepBusyError(f"{store.path}: another process is executing this sweep") from None
        yield


def provenance() -> dict[str, object]:
    """Versions, platform and git commit, kept beside every result."""
    versions = {"python": platform.python_version()}
    for package in _VERSIONED:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "versions": versions,
        "platform": platform.platform(),
        "cpu_count": os.cpu_count(),
        "git": git_state(Path.cwd()),
    }


def git_state(folder: Path) -> dict[str, object] | None:
    """Commit of the checkout that ``folder`` is in, and whether it has changes; else None."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def _log_tail(folder: Folder, lines: int = 15) -> str:
    try:
        text = folder.log_path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
