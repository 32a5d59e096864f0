"""Target of forked workers.

The fork server imports `srtbench.train.worker` ahead of time. The sweep itself only needs the name
of the target, and must not import torch for it, so the target is a module of its own.
"""

from pathlib import Path


def forked(root: str, sweep: str, work_id: str, log_path: Path) -> None:
    """Body of a forked worker."""
    from srtbench.train.worker import forked_main

    forked_main(root, sweep, work_id, log_path)
