"""What runs inside a job of Slurm: one worker process, stopped in time and continued later."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from srtbench.execute.base import ExitCode, worker_environment
from srtbench.execute.entry import die_with_parent
from srtbench.execute.local import start_process
from srtbench.store import Folder, SweepStore

_POLL_SECONDS = 0.2
_STOP_SECONDS = 60.0
"""Until a worker that was asked to stop is killed; Slurm warns 90 seconds before the end."""

_IN_USE_SECONDS = 60.0
"""How long a cancelled job may take to let go of the folder."""

_IN_USE_RETRY_SECONDS = 3.0

_ENDED_BY_SLURM_SECONDS = 120.0
"""How long Slurm may take to end a job after it has asked its processes to end."""


class SlurmTask:
    """Body of a job; submitit pickles it and calls it on the node.

    Before the time limit, and at a preemption that tells the job, submitit calls `checkpoint` and
    queues the job again. A run then goes on from the last checkpoint that it wrote.
    """

    def __init__(
        self,
        root: str,
        sweep: str,
        path: Path,
        processes: int,
        threads: int,
        ends_with_parent: bool,
    ):
        self._arguments = (root, sweep, path, processes, threads, ends_with_parent)
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> int:
        """Work; returns the exit code of the worker."""
        root, sweep, path, processes, threads, ends_with_parent = self._arguments
        if ends_with_parent:
            die_with_parent()
        store, environment = SweepStore(root, sweep), worker_environment(threads)
        give_up = time.monotonic() + _IN_USE_SECONDS
        while True:
            code = self._work(store, Folder(path), processes, environment)
            if code != ExitCode.FOLDER_IN_USE or time.monotonic() > give_up:
                break
            time.sleep(_IN_USE_RETRY_SECONDS)
        if code == ExitCode.INTERRUPTED:
            # Nobody here asked for it: Slurm cancels the job, or queues it again. A job that
            # returned now would be done in the eyes of the sweep.
            time.sleep(_ENDED_BY_SLURM_SECONDS)
        return code

    def checkpoint(self) -> Any:
        """Stop the worker; the same task is what is queued again."""
        from submitit.helpers import DelayedSubmission

        self._stop()
        return DelayedSubmission(SlurmTask(*self._arguments))

    def _work(
        self, store: SweepStore, folder: Folder, processes: int, environment: dict[str, str]
    ) -> int:
        with _kept_from_workers():
            self._process = start_process(store, folder, processes, environment)
        try:
            while (code := self._process.poll()) is None:
                time.sleep(_POLL_SECONDS)
            return code
        finally:
            self._stop()

    def _stop(self) -> None:
        """End the worker. It may interrupt a `poll`, so it does not rely on the lock of that."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        deadline = time.monotonic() + _STOP_SECONDS
        process.terminate()
        while not _has_ended(process.pid):
            if time.monotonic() > deadline:
                process.kill()
            time.sleep(_POLL_SECONDS)


@contextmanager
def _kept_from_workers() -> Iterator[None]:
    """Slurm signals every process of a job; the signal before its end is for this one alone."""
    from submitit import JobEnvironment

    number = getattr(signal, f"SIG{JobEnvironment.USR_SIG}")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _has_ended(pid: int) -> bool:
    try:
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, pid, options) is not None
    except ChildProcessError:
        return True  # and was waited for
