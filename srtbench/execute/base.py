"""What an executor is: it starts work, somewhere, and says how it ended."""

from enum import IntEnum
from typing import Protocol

from srtbench.plan import RunSpec, StageSpec

Work = RunSpec | StageSpec


class ExitCode(IntEnum):
    """How a worker ended. Of any other way, a signal among them, only the log knows."""

    DONE = 0
    FAILED = 1
    FOLDER_IN_USE = 3
    INTERRUPTED = 4


class LaunchError(RuntimeError):
    """This executor cannot start a piece of work at all."""


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


class Executor(Protocol):
    """Starts workers."""

    def start(self, work: Work) -> Handle:
        """Start the work whose config.json stands in its folder."""
        ...

    def can_start(self, work: Work) -> bool:
        """Whether there is room for it now.

        Raises:
            LaunchError: there never will be.
        """
        ...

    def close(self) -> None:
        """Free what the executor holds."""
        ...


def processes_of(work: Work) -> int:
    """Processes that a piece of work is spread over."""
    return work.train.num_processes if isinstance(work, RunSpec) else 1


def worker_environment(threads: int) -> dict[str, str]:
    """Variables of every worker: a fixed number of threads, no tokenizer pools, no surprises.

    TRL reports each trainer that is made to the hub, from a thread that looks the host's name up.
    That reads the environment in C while the main thread may be writing it, which now and then
    ends the process by signal 11; and a run tells nobody that it is run.
    """
    count = str(threads)
    return {
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TOKENIZERS_PARALLELISM": "false",
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONHASHSEED": "0",
    }
