"""Ask a tiny model whether it learns the data: the sweep's own warm start, in a process beside."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from srtbench.execute.base import worker_environment

CPU_SECONDS = 45
"""Processor time of a trial, at most."""

SECONDS = 300
"""Time of a trial on a machine that is busy with other things."""


class TrialError(RuntimeError):
    """The trial did not run; the message has its last line."""


def try_warm_start(
    sweep_file: Path, on_check: Callable[[int, float], None]
) -> list[tuple[int, float]]:
    """Steps and accuracies of the checks of a sweep's warm start, until it ends or time is over.

    Raises:
        TrialError: there was not one check.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "srtbench.train.trial", str(sweep_file), str(CPU_SECONDS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | worker_environment(1),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    deadline = time.monotonic() + SECONDS
    found: list[tuple[int, float]] = []
    try:
        for line in process.stdout:
            step, accuracy = json.loads(line)
            found.append((step, accuracy))
            on_check(step, accuracy)
            if time.monotonic() > deadline:
                break
        else:
            _, said = process.communicate()
            if not found:
                lines = said.strip().splitlines()
                raise TrialError(lines[-1] if lines else f"exit code {process.returncode}")
    finally:
        process.kill()
        process.communicate()
    return found
