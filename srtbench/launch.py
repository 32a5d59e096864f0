"""Start worker processes: forked from a warm server, as fresh processes, or on a Ray cluster."""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Protocol

from srtbench.config.train import ExecutionConfig
from srtbench.launch_target import die_with_parent, forked
from srtbench.plan import RunSpec, StageSpec
from srtbench.store import Folder

WORKER = "srtbench.train.worker"


class Handle(Protocol):
    """A worker that was started."""

    def poll(self) -> int | None:
        """Exit code, or None while it works."""
        ...

    def stop(self) -> None:
        """Ask it to stop; it records that it was interrupted."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Launcher(Protocol):
    """Starts workers."""

    def start(self, spec: RunSpec | StageSpec, work_id: str, folder: Folder) -> Handle:
        """Start the work whose config.json stands in ``folder``."""
        ...

    def close(self) -> None:
        """Free what the launcher holds."""
        ...


def worker_environment(threads: int) -> dict[str, str]:
    """Variables of every worker: a fixed number of threads, no tokenizer pools, no surprises."""
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "PYTHONHASHSEED": "0",
    }


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
    def __init__(self, process: subprocess.Popen[bytes]):
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


class LocalLauncher:
    """Workers on this machine.

    Importing torch and TRL takes seconds, so a fork server imports them once and every worker is
    forked from it. A forked process cannot use CUDA after its parent has touched it, so on a
    machine with NVIDIA devices, and for runs of several processes, workers are fresh processes.
    The fork server and its workers end when the sweep ends, however it ends.
    """

    def __init__(self, root: Path, sweep: str, execution: ExecutionConfig):
        self._root = root
        self._sweep = sweep
        self._environment = worker_environment(execution.threads)
        self._context: ForkServerContext | None = None

    def start(self, spec: RunSpec | StageSpec, work_id: str, folder: Folder) -> Handle:
        """Fork, or start a process, for ``spec``."""
        processes = spec.train.num_processes if isinstance(spec, RunSpec) else 1
        if processes > 1 or Path("/dev/nvidiactl").exists():
            return self._fresh(processes, work_id, folder)
        return self._forked(work_id, folder)

    def close(self) -> None:
        """Nothing to do: the fork server ends with this process."""

    def _forked(self, work_id: str, folder: Folder) -> Handle:
        if self._context is None:
            os.environ.update(self._environment)  # the server inherits it when it starts
            self._context = multiprocessing.get_context("forkserver")
            self._context.set_forkserver_preload([WORKER])
        arguments = (str(self._root), self._sweep, work_id, folder.log_path)
        process = self._context.Process(target=forked, args=arguments, name=work_id)
        process.start()
        return _ForkedHandle(process)

    def _fresh(self, processes: int, work_id: str, folder: Folder) -> Handle:
        return _ProcessHandle(
            start_process(self._root, self._sweep, work_id, folder, processes, self._environment)
        )


def start_process(
    root: Path,
    sweep: str,
    work_id: str,
    folder: Folder,
    processes: int,
    environment: dict[str, str],
) -> subprocess.Popen[bytes]:
    """Start one worker as a fresh process, or as several under torch's elastic launcher."""
    command = [sys.executable, "-m"]
    if processes > 1:
        command += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
    command += [WORKER, str(root), sweep, work_id]
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
