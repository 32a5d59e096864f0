"""The warm start of a sweep file alone, as a process that prints its accuracy as it goes.

``python -m srtbench.train.trial SWEEP.yaml SECONDS``: a line of JSON after each check, ``[step,
accuracy]``. It is the very stage that the sweep computes, so the sweep will see the same numbers.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.plan.stages import WarmStart
from srtbench.store import Folder, SweepStore
from srtbench.store.status import Status
from srtbench.train.stages import WarmStartError, execute_stage


class _EnoughError(Exception):
    """The time is over."""


class _Watched(Folder):
    """The folder of the stage, which tells of each check that is written into its status."""

    def __init__(self, path: Path, cpu_seconds: float):
        super().__init__(path)
        self._ends = time.process_time() + cpu_seconds

    def update_status(self, **changes: Any) -> Status:
        """Keep the status, and print a check.

        Raises:
            _EnoughError: the time is over.
        """
        status = super().update_status(**changes)
        if "progress" in changes:
            print(json.dumps([changes["step"], changes["progress"]["eval_accuracy"]]), flush=True)
            if time.process_time() > self._ends:
                raise _EnoughError
        return status


def main(sweep_file: str, cpu_seconds: float) -> None:
    """Compute the warm start of a sweep of one tiny model, into nowhere.

    Args:
        cpu_seconds: processor time after which it ends, so that a busy machine is no excuse.
    """
    torch.set_num_threads(1)
    plan = plan_sweep(load_sweep(sweep_file))
    (stage,) = (one for one in plan.stages if isinstance(one, WarmStart))
    with tempfile.TemporaryDirectory(prefix="srtbench-trial-") as name:
        store = SweepStore(Path(name), plan.name)
        folder = _Watched(store.stage(stage.stage_id).path, cpu_seconds)
        try:
            execute_stage(stage, store, folder)
        except (WarmStartError, _EnoughError) as error:
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
