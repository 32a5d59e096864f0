"""How many cores this process may use."""

import os


def usable_cores() -> int:
    """Cores that the scheduler gives to this process: fewer than the machine has under `taskset`,
    in a job of Slurm, in a container with a set of CPUs.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
