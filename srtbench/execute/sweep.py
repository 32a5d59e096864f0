"""Execute a plan: a process per run, shared stages first, resume, retries."""

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from srtbench.config.sweep import SweepConfig, SweepOfParts
from srtbench.execute.base import Executor, ExitCode, Handle, Work
from srtbench.execute.before import look_ahead, to_do
from srtbench.execute.cores import usable_cores
from srtbench.execute.hub import pinned
from srtbench.execute.local import LocalExecutor
from srtbench.execute.provenance import provenance
from srtbench.execute.slurm import SlurmExecutor, check_slurm
from srtbench.plan import Plan, RunSpec, StageSpec
from srtbench.plan.select import Selection
from srtbench.store import Folder, State, SweepStore
from srtbench.store.configs import write_config
from srtbench.store.stages import damage_of

POLL_SECONDS = 0.1
_STOP_SECONDS = 20.0
_RETRY_SECONDS = 2.0


class SweepBusyError(RuntimeError):
    """Another process is executing the same sweep."""


class SweepEndedError(KeyboardInterrupt):
    """A signal ended the sweep, as Ctrl-C does; the message is its name."""


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
        ConfigError: what `look_ahead` finds, with the data and variants of the runs that are to be
            done; or a model or dataset of the hub cannot be had.
        SweepBusyError: the sweep is being executed already.
        ValueError: ``only`` names an unknown axis or label.
    """
    store = SweepStore(root, config.name)
    try:
        config = pinned(config, store, only, lambda *it: on_event(SweepEvent("hub", *it)))
    except BlockingIOError:
        raise SweepBusyError(f"{store.path}: another process is executing this sweep") from None
    ahead = look_ahead(config, only, due=lambda runs: to_do(runs, store, retry_failed=retry_failed))
    for warning in ahead.warnings:
        on_event(SweepEvent("warning", ahead.plan.name, warning))
    ahead.refuse()
    plan, runs = ahead.plan, ahead.runs
    if config.execution.backend == "slurm":
        check_slurm(config.source, config.execution, runs)
    with _only_sweep(store):
        store.tidy()
        store.write_plan(plan)
        execution = config.execution
        asked, everything = workers or execution.workers, len(plan.runs) + len(plan.stages)
        count = {
            "local": asked or usable_cores(),
            "ray": asked or everything,
            "slurm": everything,  # its arrays keep to what was asked for
        }[execution.backend]
        scheduler = _Scheduler(plan, runs, store, count, retry_failed, on_event, on_tick)
        executor = make_executor(config, store, asked)
        try:
            with _signals_end_it():
                scheduler.execute(executor)
        finally:
            executor.close()
    return SweepResult({run.run_id: store.folder(run).shown_status().state for run in runs})


def make_executor(
    config: SweepConfig | SweepOfParts, store: SweepStore, at_once: int | None = None
) -> Executor:
    """The executor that `execution.backend` names; ``at_once``: jobs of an array that may run."""
    if config.execution.backend == "slurm":
        return SlurmExecutor(store, config.execution, at_once)
    if config.execution.backend == "ray":
        from srtbench.execute.ray import RayExecutor

        return RayExecutor(store, config.execution)
    return LocalExecutor(store, config.execution)


class _Scheduler:
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

    def execute(self, executor: Executor) -> None:
        """Work until nothing is left; on an exception every worker is stopped."""
        try:
            while self._todo or self._running:
                self._start_ready(executor)
                self._on_tick()
                time.sleep(POLL_SECONDS)
                self._reap()
        finally:
            self._stop_all()
            self._on_tick()

    def _add_run(self, run: RunSpec) -> None:
        if run.run_id in self._todo or run.run_id in self._ended:
            return
        folder = self._store.folder(run)
        folder.tidy()
        state = folder.shown_status().state
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
        folder = self._store.stage(stage_id)
        folder.tidy()
        if folder.shown_status().state == "done":
            damage = damage_of(stage, folder)
            if damage is None:
                self._ended[stage_id] = "done"
                return
            self._on_event(SweepEvent("damaged", stage_id, f"computed again: {damage}"))
        self._todo[stage_id] = stage

    def _start_ready(self, executor: Executor) -> None:
        self._give_up()
        for work_id, work in list(self._todo.items()):
            ready = all(need in self._ended for need in work.requires)
            if ready and self._has_room(work_id, work, executor):
                del self._todo[work_id]
                self._start(work_id, work, executor)

    def _give_up(self) -> None:
        """Drop what cannot be done any more, and then the stages that nothing left needs."""
        for work_id, work in list(self._todo.items()):
            states = {need: self._ended.get(need) for need in work.requires}
            failed = [need for need, state in states.items() if state == "failed"]
            if failed:
                del self._todo[work_id]
                self._fail(work_id, work, failed[0])
            elif "interrupted" in states.values():
                del self._todo[work_id]
                self._ended[work_id] = "interrupted"
        needed: set[str] = set()
        left: list[Work] = [work for work in self._todo.values() if isinstance(work, RunSpec)]
        while left:
            fresh = [need for need in left.pop().requires if need not in needed]
            needed.update(fresh)
            left += [self._todo[need] for need in fresh if need in self._todo]
        for work_id, work in list(self._todo.items()):
            if isinstance(work, StageSpec) and work_id not in needed:
                del self._todo[work_id]

    def _has_room(self, work_id: str, work: Work, executor: Executor) -> bool:
        return (
            len(self._running) < self._workers
            and time.monotonic() >= self._not_before.get(work_id, 0.0)
            and executor.can_start(work)
        )

    def _start(self, work_id: str, work: Work, executor: Executor) -> None:
        folder = self._store.folder(work)
        execution = self._plan.execution.model_dump(mode="json")
        write_config(folder, work, execution, self._provenance)
        step = folder.shown_status().checkpoint_step
        self._running[work_id] = (work, executor.start(work))
        resumed = f", from step {step}" if step else ""
        self._on_event(SweepEvent("start", work_id, f"started{resumed}"))

    def _reap(self) -> None:
        for work_id, (work, handle) in list(self._running.items()):
            code = handle.poll()
            if code is None:
                continue
            del self._running[work_id]
            if code == ExitCode.FOLDER_IN_USE:
                self._wait_for_folder(work_id, work)
                continue
            folder = self._store.folder(work)
            status = folder.shown_status()
            if status.state not in ("done", "failed") and code != ExitCode.INTERRUPTED:
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
        reason = source.shown_status().error or ""
        folder = self._store.folder(work)
        execution = self._plan.execution.model_dump(mode="json")
        write_config(folder, work, execution, self._provenance)
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
            if folder.shown_status().state == "running":
                folder.update_status(state="interrupted")
            self._on_event(SweepEvent("interrupted", work_id, "interrupted"))
        self._running.clear()


@contextlib.contextmanager
def _signals_end_it() -> Iterator[None]:
    """SIGTERM and SIGHUP end the work as Ctrl-C does: workers are stopped, and say so.

    The second signal of a shell or a batch system that sends both does not disturb the end: the
    process was asked to end, and ignores further requests from then on. A signal that is ignored,
    as under `nohup`, or handled by the caller, is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread only
        return
    wanted = (signal.SIGTERM, signal.SIGHUP)
    caught = [number for number in wanted if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        for one in caught:
            signal.signal(one, signal.SIG_IGN)
        raise SweepEndedError(signal.Signals(number).name)

    for number in caught:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in caught:
            if signal.getsignal(number) is end:
                signal.signal(number, signal.SIG_DFL)


@contextlib.contextmanager
def _only_sweep(store: SweepStore) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(store.locked())
        except BlockingIOError:
            raise SweepBusyError(f"{store.path}: another process is executing this sweep") from None
        yield


def _log_tail(folder: Folder, lines: int = 15) -> str:
    try:
        text = folder.log_path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
