"""Workers on a Ray cluster: `execution: {backend: ray, gpus_per_run: 1}`."""

import subprocess
import time
from typing import Any

from srtbench.config.train import ExecutionConfig
from srtbench.execute.base import ExitCode, Handle, Work, processes_of, worker_environment
from srtbench.execute.local import start_process
from srtbench.store import Folder, SweepStore

_POLL_SECONDS = 0.2
_STOP_SECONDS = 20.0


class RayExecutor:
    """Starts each worker as a process of its own inside a Ray task.

    The folder of sweeps must be on storage that every node of the cluster sees. Ray reserves
    ``threads`` CPUs for each process, and ``gpus_per_run`` GPUs for each run and stage.

    Raises:
        ModuleNotFoundError: Ray is not installed.
    """

    def __init__(self, store: SweepStore, execution: ExecutionConfig):
        import ray

        self._ray = ray
        self._store = SweepStore(store.root.resolve(), store.path.name)
        self._execution = execution
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)

    def start(self, work: Work) -> Handle:
        """Submit a task; it waits in Ray's queue until its CPUs and GPUs are free."""
        processes = processes_of(work)
        task = self._ray.remote(_run_worker).options(
            num_cpus=self._execution.threads * processes,
            num_gpus=self._execution.gpus_per_run,
            max_retries=0,
        )
        arguments = (self._store, self._store.folder(work), processes)
        return _RayHandle(self._ray, task.remote(*arguments, self._execution.threads))

    def can_start(self, work: Work) -> bool:
        """Always: Ray keeps the queue."""
        return True

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()


class _RayHandle:
    def __init__(self, ray: Any, reference: Any):
        self._ray = ray
        self._reference = reference

    def poll(self) -> int | None:
        ready, _ = self._ray.wait([self._reference], timeout=0)
        if not ready:
            return None
        try:
            code: int = self._ray.get(self._reference)
        except self._ray.exceptions.RayError:
            return ExitCode.FAILED
        return code

    def stop(self) -> None:
        self._ray.cancel(self._reference, force=False)

    def kill(self) -> None:
        self._ray.cancel(self._reference, force=True)


def _run_worker(store: SweepStore, folder: Folder, processes: int, threads: int) -> int:
    """Body of a Ray task: a worker process, ended when the task is cancelled.

    It is polled. Ray cancels by an exception, which does not get through to a blocking wait.
    """
    process = start_process(store, folder, processes, worker_environment(threads))
    try:
        while (code := process.poll()) is None:
            time.sleep(_POLL_SECONDS)
        return code
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
