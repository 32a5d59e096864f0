"""Workers on a Ray cluster: `execution: {backend: ray, gpus_per_run: 1}`."""

import subprocess
from pathlib import Path
from typing import Any

from srtbench.config.train import ExecutionConfig
from srtbench.execute.local import Handle, start_process, worker_environment
from srtbench.plan import RunSpec, StageSpec
from srtbench.store import Folder


class RayLauncher:
    """Starts each worker as a process of its own inside a Ray task.

    The folder of sweeps must be on storage that every node of the cluster sees. Ray reserves
    ``threads`` CPUs for each process, and ``gpus_per_run`` GPUs for each run and stage.

    Raises:
        ModuleNotFoundError: Ray is not installed.
    """

    def __init__(self, root: Path, sweep: str, execution: ExecutionConfig):
        import ray

        self._ray = ray
        self._root = root.resolve()
        self._sweep = sweep
        self._execution = execution
        if not ray.is_initialized():
            ray.init(log_to_driver=False, include_dashboard=False)

    def start(self, spec: RunSpec | StageSpec, work_id: str, folder: Folder) -> Handle:
        """Submit a task; it waits in Ray's queue until its CPUs and GPUs are free."""
        processes = spec.train.num_processes if isinstance(spec, RunSpec) else 1
        task = self._ray.remote(_run_worker).options(
            num_cpus=self._execution.threads * processes,
            num_gpus=self._execution.gpus_per_run,
            max_retries=0,
        )
        arguments = (self._root, self._sweep, work_id, folder.path.resolve(), processes)
        return _RayHandle(self._ray, task.remote(*arguments, self._execution.threads))

    def can_start(self, spec: RunSpec | StageSpec) -> bool:
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
            return 1
        return code

    def stop(self) -> None:
        self._ray.cancel(self._reference, force=False)

    def kill(self) -> None:
        self._ray.cancel(self._reference, force=True)


def _run_worker(
    root: Path, sweep: str, work_id: str, folder: Path, processes: int, threads: int
) -> int:
    """Body of a Ray task: a worker process, ended when the task is cancelled."""
    process = start_process(
        root, sweep, work_id, Folder(folder), processes, worker_environment(threads)
    )
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
