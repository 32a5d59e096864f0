"""Workers on this machine: forked from a warm server, or as fresh processes."""

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from typing import Any

from srtbench.config.train import ExecutionConfig
from srtbench.execute.base import Handle, LaunchError, Work, processes_of, worker_environment
from srtbench.execute.entry import WORKER, die_with_parent, forked
from srtbench.execute.gpus_here import visible_gpus
from srtbench.store import Folder, SweepStore


class _ForkedHandle:
    def __init__(self, process: Any):
        self._process = process

    def poll(self) -> int | None:
        code: int | None = self._process.exitcode
        return code

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class _ProcessHandle:
    def __init__(self, process: subprocess.Popen[bytes], release: Callable[[], None]):
        self._process = process
        self._release = release

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is not None:
            self._release()
        return code

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class LocalExecutor:
    """Workers on this machine.

    Importing torch and TRL takes seconds, so a fork server imports them once and every worker is
    forked from it. A forked process cannot use CUDA after its parent has touched it, so on a
    machine with NVIDIA devices, and for runs of several processes, workers are fresh processes;
    each process gets a GPU of its own. The fork server and its workers end when the sweep ends,
    however it ends.
    """

    def __init__(self, store: SweepStore, execution: ExecutionConfig):
        self._store = store
        self._environment = worker_environment(execution.threads)
        self._context: ForkServerContext | None = None
        self._gpus = visible_gpus()
        self._free_gpus = list(self._gpus)

    def start(self, work: Work) -> Handle:
        """Fork, or start a process."""
        processes, folder = processes_of(work), self._store.folder(work)
        if processes > 1 or self._gpus:
            return self._fresh(processes, folder)
        return self._forked(folder)

    def can_start(self, work: Work) -> bool:
        """Whether enough GPUs are free; always, on a machine without.

        Raises:
            LaunchError: the machine has fewer GPUs than the run has processes.
        """
        processes = processes_of(work)
        if self._gpus and processes > len(self._gpus):
            raise LaunchError(
                f"num_processes = {processes}, but {len(self._gpus)} "
                f"{'GPU is' if len(self._gpus) == 1 else 'GPUs are'} visible"
            )
        return not self._gpus or len(self._free_gpus) >= processes

    def close(self) -> None:
        """Nothing to do: the fork server ends with this process."""

    def _forked(self, folder: Folder) -> Handle:
        if self._context is None:
            os.environ.update(self._environment)  # the server inherits it when it starts
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload([WORKER])
        work_id = folder.path.name
        arguments = (str(self._store.root), self._store.path.name, work_id, folder.log_path)
        process = self._context.Process(target=forked, args=arguments, name=work_id)
        process.start()
        return _ForkedHandle(process)

    def _fresh(self, processes: int, folder: Folder) -> Handle:
        taken, environment = [], dict(self._environment)
        if self._gpus:
            taken = [self._free_gpus.pop(0) for _ in range(processes)]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(taken)

        def release() -> None:
            self._free_gpus += taken
            taken.clear()

        return _ProcessHandle(start_process(self._store, folder, processes, environment), release)


def start_process(
    store: SweepStore, folder: Folder, processes: int, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    """Start one worker as a fresh process, or as several under a launcher."""
    module, count = "srtbench.execute.entry", []
    if processes > 1:
        module, count = "srtbench.execute.ranks", [str(processes)]
    command = [sys.executable, "-m", module, *count]
    command += [str(store.root), store.path.name, folder.path.name]
    folder.path.mkdir(parents=True, exist_ok=True)
    with folder.log_path.open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | environment,
            preexec_fn=die_with_parent,
        )
