"""A run of several processes: starts them under torch's launcher, and says which one failed.

python -m srtbench.execute.ranks PROCESSES ROOT SWEEP ID
"""

import signal
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from srtbench.execute.base import ExitCode
from srtbench.execute.entry import die_with_parent
from srtbench.store import SweepStore

_ENDS = {ExitCode.FAILED: "failed", ExitCode.INTERRUPTED: "was interrupted"}

_ASKED_TO_STOP = (signal.SIGTERM, signal.SIGALRM)
"""How the others end that the launcher stops when one has failed."""


def work(processes: int, root: str, sweep: str, work_id: str) -> int:
    """Start the processes and wait for them; returns the exit code of the whole.

    If another process than the main one failed first, or one was killed, the status is failed and
    names it; the main one has noted its own failure itself.
    """
    command = ["--standalone", f"--nproc_per_node={processes}", "-m", "srtbench.execute.entry"]
    try:
        run.run(run.parse_args([*command, root, sweep, work_id]))
    except SignalException:
        return ExitCode.INTERRUPTED
    except ChildFailedError as error:
        codes = {rank: one.exitcode for rank, one in error.failures.items()}
        killed = [rank for rank, code in codes.items() if code < 0 and -code not in _ASKED_TO_STOP]
        rank = min(killed) if killed else error.get_first_failure()[0]
        failure = error.failures[rank]
        if rank == 0 and failure.exitcode in [*ExitCode]:
            return int(failure.exitcode)
        text = _traceback(failure.message)
        line = f"process {rank} of {processes} (counted from 0) {_end(failure.exitcode)}"
        folder = SweepStore(root, sweep).run(work_id)
        folder.update_status(state="failed", error=f"{text}\n{line}".strip())
        return ExitCode.FAILED
    return ExitCode.DONE


def _end(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return _ENDS.get(ExitCode(code), "failed") if code in [*ExitCode] else f"ended with code {code}"


def _traceback(message: object) -> str:
    """The traceback that a process left for the launcher, if it did."""
    found = message.get("extraInfo", {}) if isinstance(message, dict) else {}
    return str(found.get("py_callstack", ""))


if __name__ == "__main__":
    die_with_parent()
    sys.exit(work(int(sys.argv[1]), *sys.argv[2:5]))
