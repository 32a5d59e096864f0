"""The warm start of a sweep file alone, as a process that prints its accuracy as it goes.

``python -m srtbench.train.trial SWEEP.yaml SECONDS``: a line of JSON after each check, ``[step,
accuracy]``. It is the very stage that the sweep computes, so the sweep will see the same numbers.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from srtbench.config import load_sweep
from srtbench.plan import plan_sweep
from srtbench.plan.stages import WarmStart
from srtbench.store import SweepStore
from srtbench.train.stages import WarmStartError, execute_stage


class _EnoughError(Exception):
    """The time is over."""


def main(sweep_file: str, cpu_seconds: float) -> None:
    """Compute the warm start of a sweep of one tiny model, into nowhere.

    Args:
        cpu_seconds: processor time after which it ends, so that a busy machine is no excuse.
    """
    torch.set_num_threads(1)
    plan = plan_sweep(load_sweep(sweep_file))
    (stage,) = (one for one in plan.stages if isinstance(one, WarmStart))
    began = time.process_time()

    def on_check(step: int, accuracy: float) -> None:
        print(json.dumps([step, accuracy]), flush=True)
        if time.process_time() - began > cpu_seconds:
            raise _EnoughError

    with tempfile.TemporaryDirectory(prefix="srtbench-trial-") as name:
        store = SweepStore(Path(name), plan.name)
        try:
            execute_stage(stage, store, store.stage(stage.stage_id), on_check)
        except (WarmStartError, _EnoughError) as error:
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
