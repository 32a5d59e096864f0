"""What an audit cannot derive of a run that vLLM sampled."""

from pathlib import Path
from typing import Any

import numpy as np

from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from srtbench.replay.audit_metrics import _of_the_loss
from tests.micro import write_sweep

ROWS: dict[str, Any] = {"entropy_nats": [1.0, 3.0], "advantage": [0.5, -0.5]}


def run_of(folder: Path, **generation: Any) -> RunSpec:
    return plan_sweep(load_sweep(write_sweep(folder, generation=generation))).runs[0]


def test_the_loss_is_derived_unless_vllms_importance_weights_are_in_it(tmp_path: Path) -> None:
    tokens = np.array([1, 3])
    plain = _of_the_loss(run_of(tmp_path), ROWS, tokens)
    assert plain == {"entropy": 2.5, "loss": 0.25}
    assert _of_the_loss(run_of(tmp_path, engine="vllm"), ROWS, tokens) == {"entropy": 2.5}
