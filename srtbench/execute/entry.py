"""Where worker processes begin, forked or fresh, before anything heavy is imported.

The fork server imports `srtbench.execute.worker` ahead of time. The sweep itself only needs the
name of the target, and must not import torch for it, so the target is a module of its own.
"""

import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

WORKER = "srtbench.execute.worker"
"""What does the work. It is imported by name: it loads torch, and the sweep must not."""

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends (Linux; elsewhere it lives on)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_with_sweep() -> None:
    """End this process when the sweep ends; the fork server, its parent, outlives the sweep."""
    sweep = multiprocessing.parent_process()
    assert sweep is not None

    def wait_and_die() -> None:
        sweep.join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=wait_and_die, name="die-with-sweep", daemon=True).start()


def forked(root: str, sweep: str, work_id: str, log_path: Path) -> None:
    """Body of a forked worker: all it prints, a failed import included, goes to the log."""
    _die_with_sweep()
    log_path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(descriptor, stream.fileno())
    os.close(descriptor)

    _work(root, sweep, work_id)


def _work(*arguments: str) -> NoReturn:
    sys.exit(importlib.import_module(WORKER).work(*arguments))


if __name__ == "__main__":
    die_with_parent()
    _work(*sys.argv[1:])
