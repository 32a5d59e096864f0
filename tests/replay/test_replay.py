"""Advantages and generation shapes derived from a configuration, by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from srtbench.config import load_sweep
from srtbench.plan import RunSpec, plan_sweep
from srtbench.plan.generation import GenerationShape
from srtbench.replay.advantages import advantage_tolerance, advantages
from srtbench.rollouts.judge import runs_of
from tests.micro import CONTENT, write_sweep

REWARDS = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 1.0, 1.0, 1.0]])


def spec(folder: Path, trl: dict[str, Any] | None = None, **train: Any) -> RunSpec:
    section = CONTENT["train"] | train | {"trl": trl or {}}
    return plan_sweep(load_sweep(write_sweep(folder, variants=["srt"], train=section))).runs[0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"scale_rewards": "none"}, [[0.5, -0.5, -0.5, 0.5], [0] * 4]),
        ({"scale_rewards": "group"}, [[0.8659, -0.8659, -0.8659, 0.8659], [0] * 4]),
        ({"scale_rewards": "batch"}, [[1.0799, -1.0799, -1.0799, 1.0799], [0] * 4]),
    ],
)
def test_grpo(tmp_path: Path, options: dict[str, Any], expected: list[list[float]]) -> None:
    found = advantages(REWARDS, spec(tmp_path, options))
    assert found is not None
    assert found == pytest.approx(np.array(expected), abs=1e-3)


def test_rloo(tmp_path: Path) -> None:
    rloo = {"algorithm": "rloo", "preset": "srt_math", "beta": 0.0, "micro_batch_size": 16}
    found = advantages(REWARDS, spec(tmp_path, **rloo))
    assert found is not None
    assert found[0] == pytest.approx([2 / 3, -2 / 3, -2 / 3, 2 / 3])
    assert advantages(REWARDS, spec(tmp_path, **rloo | {"beta": 0.1})) is None
    clipped = spec(tmp_path, {"reward_clip_range": [0, 1]}, **rloo)
    assert advantages(REWARDS, clipped) is None


def test_rounding_is_allowed_for_where_a_scale_blows_it_up(tmp_path: Path) -> None:
    equal = np.full((1, 4), 5.9)
    plain = advantage_tolerance(equal, spec(tmp_path, {"scale_rewards": "none"}))
    scaled = advantage_tolerance(equal, spec(tmp_path, {"scale_rewards": "group"}))
    assert plain.max() < 1e-4 < scaled.max() < 0.1
    assert advantage_tolerance(REWARDS[:1], spec(tmp_path, {"scale_rewards": "group"})).max() < 1e-4


def test_generation_shapes(tmp_path: Path) -> None:
    plain = GenerationShape.of(spec(tmp_path))
    assert (plain.every, plain.rollouts) == (1, 16)
    assert plain.steps(3) == [1, 2, 3]
    micro = GenerationShape.of(spec(tmp_path, micro_batch_size=4))
    assert (micro.every, micro.rollouts) == (1, 16)
    buffered = GenerationShape.of(spec(tmp_path, {"steps_per_generation": 2}))
    assert (buffered.every, buffered.rollouts) == (2, 32)
    assert buffered.steps(5) == [1, 3, 5]
    again = GenerationShape.of(spec(tmp_path, {"num_iterations": 2}, num_processes=2))
    assert (again.every, again.rollouts) == (2, 16)


def test_a_generation_that_ends_inside_a_step_has_no_shape(tmp_path: Path) -> None:
    run = spec(tmp_path, micro_batch_size=4)
    for passes in (2, 6):
        train = run.train.model_copy(update={"trl": {"steps_per_generation": passes}})
        with pytest.raises(ValueError, match="no multiple of 4"):
            GenerationShape.of(run.model_copy(update={"train": train}))


def test_stretches() -> None:
    assert list(runs_of([])) == []
    assert list(runs_of([1, 1, 2, 1])) == [(0, 2), (2, 3), (3, 4)]
