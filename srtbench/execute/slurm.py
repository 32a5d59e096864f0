"""Workers as jobs of a Slurm cluster, through submitit: `execution: {backend: slurm, ...}`.

What is ready at one time goes out as one array: first the shared stages, then the runs. Slurm keeps
the queue; nothing is scheduled here. `cluster: local` takes the same way without Slurm: submitit
starts the jobs as processes of this machine.
"""

import getpass
import hashlib
import io
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

from srtbench.config.errors import ConfigError, Problem
from srtbench.config.slurm import SlurmConfig
from srtbench.config.train import ExecutionConfig
from srtbench.execute.base import ExitCode, Handle, LaunchError, Work, processes_of
from srtbench.execute.cores import usable_cores
from srtbench.execute.slurm_job import SlurmTask
from srtbench.plan import RunSpec
from srtbench.sections import slug
from srtbench.store import Folder, SweepStore

_COMMANDS = ("sbatch", "srun", "sacct", "scancel", "scontrol")

_LOOK_SECONDS = {"slurm": 1.0, "local": 0.1}
"""Between two looks at the files of one job, which are on shared storage."""

_ASK_SECONDS = 15.0
"""Between two questions to Slurm about all jobs."""

_ASK_STOPPED_SECONDS = 2.0
"""The same, while the sweep waits for jobs that it has cancelled."""

_GRACE_SECONDS = {"slurm": 15.0, "local": 1.0}
"""Until the result of a job that ended must be seen on shared storage."""

_PREEMPTED_SECONDS = 120.0
"""Until a preempted job must have been queued again."""

_LOG_LINES = 15


def check_slurm(source: Path, execution: ExecutionConfig, runs: Sequence[RunSpec]) -> None:
    """Refuse a sweep whose jobs cannot be submitted from this machine, or could not work.

    Raises:
        ConfigError: submitit is not installed, this machine has no commands of Slurm, or processes
            of a run would share GPUs.
    """
    gpus, processes = execution.gpus_per_run, max(map(processes_of, runs), default=1)
    if 0 < gpus < processes:
        reason = f"{gpus:.0f}, but a run has {processes} processes, and each needs a GPU"
        raise ConfigError(source, [Problem(reason, ("execution", "gpus_per_run"))])
    if find_spec("submitit") is None:
        reason = "submitit is not installed; pip install 'srtbench[slurm]'"
        raise ConfigError(source, [Problem(reason, ("execution", "backend"))])
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing and settings(execution).cluster == "slurm":
        reason = (
            f"no `{missing[0]}` on PATH: start the sweep on a login node of the cluster; "
            "`execution.slurm.cluster: local` rehearses it on this machine"
        )
        raise ConfigError(source, [Problem(reason, ("execution", "backend"))])


def settings(execution: ExecutionConfig) -> SlurmConfig:
    """The section that `backend: slurm` demands."""
    assert execution.slurm is not None  # checked when the sweep file is read
    return execution.slurm


class SlurmExecutor:
    """Submits workers, and watches their jobs.

    The folder of sweeps must be on storage that every node sees. Jobs of this sweep that an earlier
    call left behind are cancelled first; their runs go on from their checkpoints.

    Args:
        at_once: jobs of one array that may run at once; None: as many as Slurm starts.
    """

    def __init__(self, store: SweepStore, execution: ExecutionConfig, at_once: int | None):
        self._store = SweepStore(store.root.resolve(), store.path.name)
        self._execution = execution
        self._settings = settings(execution)
        self._at_once = at_once
        self._folder = self._store.path / ".slurm"
        place = hashlib.sha256(str(self._store.path).encode()).hexdigest()[:8]
        self.job_name = f"srtbench-{slug(self._store.path.name)}-{place}"
        self._waiting: list[_SlurmHandle] = []
        self._started: list[_SlurmHandle] = []
        self._asked = 0.0
        self._cancelled = False
        self._cancel()

    def start(self, work: Work) -> Handle:
        """Put a piece of work into the next array."""
        handle = _SlurmHandle(self, self._settings.cluster, self._store.folder(work), work)
        self._waiting.append(handle)
        self._started.append(handle)
        return handle

    def can_start(self, work: Work) -> bool:
        """Always: Slurm keeps the queue. Without Slurm, while a core is free."""
        if self._settings.cluster == "slurm":
            return True
        alive = sum(handle.code is None for handle in self._started)
        return alive < (self._at_once or usable_cores())

    def close(self) -> None:
        """Nothing is held: jobs end by themselves, or were cancelled."""

    def advance(self, *, stop: bool) -> None:
        """Submit what waits, one array for each shape of job; or cancel everything, once.

        Raises:
            LaunchError: Slurm refuses the jobs.
        """
        waiting, self._waiting = self._waiting, []
        if stop:
            if not self._cancelled:
                self._cancelled = True
                self._cancel()
            return
        shapes: dict[tuple[int, int], list[_SlurmHandle]] = {}
        for handle in waiting:
            shapes.setdefault(self._shape(handle.work), []).append(handle)
        for (processes, gpus), handles in shapes.items():
            self._submit(processes, gpus, handles)

    def is_due(self) -> bool:
        """Whether it is time to ask Slurm again; one answer is for all jobs."""
        now = time.monotonic()
        between = _ASK_STOPPED_SECONDS if self._cancelled else _ASK_SECONDS
        if self._settings.cluster != "slurm" or now - self._asked < between:
            return False
        self._asked = now
        return True

    def parameters(self, processes: int, gpus: int) -> dict[str, Any]:
        """What one job asks for, in submitit's names.

        srun does not take the CPUs over from sbatch since Slurm 22.05, so it is told them as well.
        """
        wanted, cpus = self._settings, self._execution.threads * processes
        found: dict[str, Any] = {
            "job_name": self.job_name,
            "time": wanted.minutes,
            "cpus_per_task": cpus,
            "srun_args": [f"--cpus-per-task={cpus}"],
            "stderr_to_stdout": True,
            "wckey": None,
            "additional_parameters": dict(wanted.options),
        }
        if gpus:
            found["gpus_per_node"] = gpus
        if wanted.memory_gib is not None:
            found["mem"] = f"{round(wanted.memory_gib * 1024)}M"
        if wanted.partition is not None:
            found["partition"] = wanted.partition
        if wanted.setup:
            found["setup"] = list(wanted.setup)
        if self._at_once is not None:
            found["array_parallelism"] = self._at_once
        return found

    def _shape(self, work: Work) -> tuple[int, int]:
        """Processes and GPUs of a piece of work; a shared stage is one process."""
        gpus = int(self._execution.gpus_per_run)
        return processes_of(work), gpus if isinstance(work, RunSpec) else min(gpus, 1)

    def _submit(self, processes: int, gpus: int, handles: "list[_SlurmHandle]") -> None:
        import submitit
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        time_outs = self._settings.time_outs
        if self._settings.cluster == "slurm":
            executor = submitit.SlurmExecutor(self._folder, max_num_timeout=time_outs)
            executor.update_parameters(**self.parameters(processes, gpus))
        else:
            executor = submitit.LocalExecutor(self._folder, max_num_timeout=time_outs)
            executor.update_parameters(
                timeout_min=self._settings.minutes, gpus_per_node=gpus, stderr_to_stdout=True
            )
        root, sweep = str(self._store.root), self._store.path.name
        arguments = (processes, self._execution.threads, self._settings.cluster == "local")
        tasks = [SlurmTask(root, sweep, handle.folder.path, *arguments) for handle in handles]
        try:
            with redirect_stderr(io.StringIO()):  # submitit prints a refusal as well as raising it
                jobs = executor.submit_array(tasks)
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise LaunchError(f"sbatch refuses the jobs: {said[-1]}") from error
        for handle, job in zip(handles, jobs, strict=True):
            handle.job = job

    def _cancel(self) -> None:
        """Cancel every job of this sweep, also those that an earlier call submitted."""
        if self._settings.cluster == "slurm":
            command = ["scancel", f"--name={self.job_name}", f"--user={getpass.getuser()}"]
            subprocess.run(command, check=False, capture_output=True, timeout=60)
            return
        for process in _local_jobs(self._folder):
            with suppress(psutil.Error):
                process.send_signal(signal.SIGINT)


class _SlurmHandle:
    """A piece of work: not submitted yet, a job, or ended."""

    def __init__(self, executor: SlurmExecutor, cluster: str, folder: Folder, work: Work):
        self._executor = executor
        self._cluster = cluster
        self.folder = folder
        self.work = work
        self.job: Any = None
        self.code: int | None = None
        self._stopped = False
        self._next_look = 0.0
        self._gone_since: float | None = None

    def poll(self) -> int | None:
        """Exit code, or None while the job waits or runs."""
        self._executor.advance(stop=self._stopped)
        now = time.monotonic()
        if self.code is None and now >= self._next_look:
            self._next_look = now + _LOOK_SECONDS[self._cluster]
            self.code = self._look_stopped() if self._stopped else self._look(now)
        return self.code

    def stop(self) -> None:
        """Cancel it; all of a sweep are cancelled by one command, at the next poll."""
        self._stopped = True
        self._next_look = 0.0

    def kill(self) -> None:
        """Nothing more: Slurm itself kills what does not end after it was cancelled."""

    def _look_stopped(self) -> int | None:
        """A cancelled job counts as ended when its worker has said so, or never began."""
        if self.job is None:
            return ExitCode.INTERRUPTED
        running = self.folder.shown_status().state == "running"
        if running and not self.job.done(force_check=self._executor.is_due()):
            return None
        return ExitCode.INTERRUPTED

    def _look(self, now: float) -> int | None:
        if self.job is None:
            return ExitCode.INTERRUPTED  # its submission was refused
        if self.job.done(force_check=self._executor.is_due()):
            grace = _GRACE_SECONDS[self._cluster]
        elif self._cluster == "slurm" and self._state() == "PREEMPTED":
            grace = _PREEMPTED_SECONDS
        else:
            self._gone_since = None
            return None
        if self.job.paths.result_pickle.exists():
            return self._result()
        if self._gone_since is None:
            self._gone_since = now
        return None if now - self._gone_since < grace else self._lost()

    def _state(self) -> str:
        """Slurm's word for it: ``COMPLETED``, ``CANCELLED by 0``."""
        return str(self.job.watcher.get_state(self.job.job_id, mode="cache"))

    def _result(self) -> int:
        error = self.job.exception()
        code = ExitCode.FAILED if error is not None else int(self.job.result())
        if error is not None:
            lines = [line for line in str(error).split("-" * 22)[1:2] for line in line.split("\n")]
            self._say_why([line for line in lines if line.strip()], "failed")
        for file in (self.job.paths.submitted_pickle, self.job.paths.result_pickle):
            file.unlink(missing_ok=True)
        return code

    def _lost(self) -> int:
        """The job ended and left no result: it was killed, cancelled, or its node died."""
        if self.folder.shown_status().state == "interrupted":
            return ExitCode.INTERRUPTED
        state = self._state() if self._cluster == "slurm" else "killed"
        log = (self.job.stdout() or "").splitlines()
        self._say_why(log, f"ended without a result ({state})")
        return ExitCode.FAILED

    def _say_why(self, lines: list[str], end: str) -> None:
        """A status that names the job and its log, unless the worker left a better one."""
        if self.folder.shown_status().state in ("done", "failed"):
            return
        what = "Slurm job" if self._cluster == "slurm" else "job"
        line = f"{what} {self.job.job_id} {end}; its log: {self.job.paths.stdout}"
        error = "\n".join([*lines[-_LOG_LINES:], line])
        self.folder.update_status(state="failed", error=error)


def _local_jobs(folder: Path) -> Iterator[psutil.Process]:
    """Processes of submitit that hold the jobs of a folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cmdline()[-2:] == ["submitit.local._local", str(folder)]:
                yield process
