"""The `generation:` section in plans: who carries it, what it changes, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.plan import Plan, plan_sweep
from srtbench.plan.stages import StartModelStage
from tests.micro import CONTENT, write_sweep

VLLM = {"engine": "vllm"}
VARIANTS = ["srt", "fixed_teacher"]


def plan_of(folder: Path, **changes: Any) -> Plan:
    return plan_sweep(load_sweep(write_sweep(folder, **({"variants": VARIANTS} | changes))))


def ids(plan: Plan) -> set[str]:
    return {one.run_id for one in plan.runs} | {one.stage_id for one in plan.stages}


def test_transformers_is_the_default_and_in_no_id(tmp_path: Path) -> None:
    before = plan_of(tmp_path)
    assert ids(before) == ids(plan_of(tmp_path, generation={}))
    assert ids(before) == ids(plan_of(tmp_path, generation={"engine": "transformers"}))
    assert all(run.generation is None for run in before.runs)


def test_all_that_samples_is_another_with_vllm_and_the_rest_is_shared(tmp_path: Path) -> None:
    """Runs, the start model's evaluation and the teacher's votes; prompts and warm start stay."""
    before, after = plan_of(tmp_path), plan_of(tmp_path, generation=VLLM)
    assert not {run.run_id for run in before.runs} & {run.run_id for run in after.runs}
    kinds = {stage.stage_id: stage.kind for stage in before.stages}
    shared = {kinds[one] for one in ids(before) & ids(after)}
    assert shared == {"train_prompts", "eval_prompts", "warm_start"}
    sampling = [stage for stage in after.stages if isinstance(stage, StartModelStage)]
    assert {stage.kind for stage in sampling} == {"base_eval", "teacher_labels"}
    for one in (*after.runs, *sampling):
        assert one.generation is not None
        assert one.generation.engine == "vllm"


@pytest.mark.parametrize(
    "option", [{"dtype": "bfloat16"}, {"max_model_len": 20}, {"kv_cache_gib": 2}]
)
def test_what_vllm_is_told_is_in_the_ids(option: dict[str, Any], tmp_path: Path) -> None:
    plain = plan_of(tmp_path, generation=VLLM)
    told = plan_of(tmp_path, generation=VLLM | option)
    assert not {run.run_id for run in plain.runs} & {run.run_id for run in told.runs}


TRAIN = CONTENT["train"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"generation": {"engine": "vlm"}}, "Allowed: transformers, vllm"),
        ({"generation": {"engine": "vllm", "dtype": "float8"}}, "generation.dtype"),
        ({"generation": {"dtype": "float32"}}, "dtype is an option of `engine: vllm`"),
        ({"generation": {"enable_sleep_mode": True}}, "is an option of `engine: vllm`"),
        ({"generation": VLLM | {"max_model_length": 9}}, "max_model_len"),
        ({"generation": VLLM | {"max_model_len": 64}}, "the tiny model has 32 positions"),
        ({"generation": VLLM | {"max_model_len": 6}}, "leaves no room for a prompt in the 6"),
        (
            {"generation": VLLM, "train": TRAIN | {"max_completion_length": 32}},
            "leaves no room for a prompt in the 32",
        ),
        (
            {
                "generation": VLLM,
                "train": TRAIN | {"trl": {"use_transformers_continuous_batching": True}},
            },
            "samples with transformers, and generation.engine is vllm",
        ),
        (
            {"generation": VLLM, "train": TRAIN | {"lora": {"r": 2}}},
            "train.lora with generation.engine: vllm has never been run",
        ),
        ({"train": TRAIN | {"trl": {"use_vllm": True}}}, "set by srtbench: use generation.engine"),
        (
            {"train": TRAIN | {"trl": {"vllm_tensor_parallel_size": 2}}},
            "each training process has a vLLM of its own",
        ),
    ],
)
def test_what_cannot_work_anywhere_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of(tmp_path, **changes)
    assert said in str(caught.value)
