"""Plans: overrides, exclusions, ids that follow results and nothing else, shared stages."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.plan import Plan, RunSpec, estimate, plan_sweep
from tests.micro import CONTENT, MODEL, write_sweep


def plan_of(folder: Path, **changes: Any) -> Plan:
    return plan_sweep(load_sweep(write_sweep(folder, **changes)))


def ids(plan: Plan) -> list[str]:
    return [run.run_id for run in plan.runs]


def test_the_grid_is_the_product_of_the_axes(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0, 1, 2])
    assert len(plan.runs) == 4 * 3
    assert len(set(ids(plan))) == 12
    assert {run.cell for run in plan.runs} == {
        f"tiny/swap/{variant}" for variant in ("srt", "gold", "fixed_teacher", "random")
    }


def test_exclude_leaves_out_matching_cells(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0, 1], exclude=[{"variant": ["gold", "random"], "seed": 1}])
    assert len(plan.runs) == 6
    assert not [run for run in plan.runs if run.variant_label == "gold" and run.seed == 1]


def test_overrides_go_from_sweep_to_model_to_dataset_to_variant(tmp_path: Path) -> None:
    model = MODEL | {"train": {"steps": 2, "learning_rate": 2e-3}}
    variant = {"type": "srt", "train": {"learning_rate": 3e-3, "trl": {"adam_beta2": 0.9}}}
    run = plan_of(tmp_path, models=[model], variants=[variant]).runs[0]
    assert (run.train.steps, run.train.learning_rate) == (2, 3e-3)
    assert run.train.prompts_per_step == CONTENT["train"]["prompts_per_step"]
    assert run.train.trl["adam_beta2"] == 0.9
    assert run.train.trl["loss_type"] == "dapo", "what the preset says and nobody overrides stays"


@pytest.mark.parametrize(
    "change",
    [
        {"train": CONTENT["train"] | {"learning_rate": 2e-3}},
        {"train": CONTENT["train"] | {"trl": {"adam_beta2": 0.9}}},
        {"eval": CONTENT["eval"] | {"samples": 8}},
        {"models": [MODEL | {"hidden_size": 16}]},
        {"variants": [{"type": "srt", "voting": {"tie": "abstain"}}]},
        {"datasets": [CONTENT["datasets"][0] | {"prompt_template": "{question}>"}]},
    ],
)
def test_values_that_change_results_change_the_run_id(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    before = ids(plan_of(tmp_path / "a", variants=["srt"]))
    after = ids(plan_of(tmp_path / "b", **({"variants": ["srt"]} | change)))
    assert before != after


@pytest.mark.parametrize(
    "change",
    [
        {"execution": {"workers": 7, "log_level": "debug", "checkpoint_every": 1}},
        {"description": "other words"},
        {"name": "another"},
    ],
)
def test_values_that_change_no_result_do_not(tmp_path: Path, change: dict[str, Any]) -> None:
    assert ids(plan_of(tmp_path / "a")) == ids(plan_of(tmp_path / "b", **change))


def test_the_content_of_a_data_file_counts_and_its_place_does_not(tmp_path: Path) -> None:
    here, there = plan_of(tmp_path / "a"), plan_of(tmp_path / "b")
    assert ids(here) == ids(there)
    with (tmp_path / "b" / "swap.jsonl").open("a") as data:
        data.write(json.dumps({"question": "xyz", "answer": "zyx"}) + "\n")
    subprocess_ids = subprocess.run(
        [sys.executable, "-m", "srtbench.cli", "plan", str(tmp_path / "b" / "micro.yaml")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ids(here)[0] not in subprocess_ids


def test_close_learning_rates_get_different_ids(tmp_path: Path) -> None:
    rates = [1e-4, 1.0000001e-4]
    variants = [
        {"type": "srt", "name": f"r{i}", "train": {"learning_rate": rate}}
        for i, rate in enumerate(rates)
    ]
    first, second = plan_of(tmp_path, variants=variants).runs
    assert first.run_id.rsplit("-", 1)[1] != second.run_id.rsplit("-", 1)[1]


def test_runs_share_stages(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0, 1])
    kinds = [stage.kind for stage in plan.stages]
    assert sorted(kinds) == sorted(
        ["train_prompts", "eval_prompts", "warm_start", "base_eval", "teacher_labels"]
    )
    assert len({run.needs.start_model for run in plan.runs}) == 1
    assert [run.variant_label for run in plan.runs if run.needs.teacher_labels] == [
        "fixed_teacher",
        "fixed_teacher",
    ]


def test_a_stage_that_only_an_excluded_run_needs_is_not_planned(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, exclude=[{"variant": "fixed_teacher"}])
    assert "teacher_labels" not in {stage.kind for stage in plan.stages}


def test_estimates_count_every_rollout(tmp_path: Path) -> None:
    run = plan_of(tmp_path).runs[0]
    assert run.eval_steps == (0, 10, 20)
    assert estimate(run).rollouts == 20 * 16 + 2 * 8 * 4
    assert estimate(run).completion_tokens == estimate(run).rollouts * 6


def test_the_last_step_is_evaluated_whatever_the_interval(tmp_path: Path) -> None:
    run = plan_of(tmp_path, eval=CONTENT["eval"] | {"every": 8}).runs[0]
    assert run.eval_steps == (0, 8, 16, 20)


def test_sizes_that_do_not_divide_are_refused_with_the_cell(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tiny/swap/srt: .* do not divide by num_processes = 3"):
        plan_of(tmp_path, train=CONTENT["train"] | {"num_processes": 3})
    with pytest.raises(ConfigError, match="micro_batch_size = 5"):
        plan_of(tmp_path, train=CONTENT["train"] | {"micro_batch_size": 5})


def test_a_run_survives_json(tmp_path: Path) -> None:
    run = plan_of(tmp_path).runs[0]
    assert RunSpec.model_validate_json(run.model_dump_json()) == run


def test_planning_imports_neither_torch_nor_trl() -> None:
    code = (
        "import sys; from srtbench import load_sweep, plan_sweep\n"
        "plan_sweep(load_sweep('sweeps/smoke.yaml'))\n"
        "heavy = {'torch', 'trl', 'transformers', 'pandas', 'datasets'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_votes_are_refused_on_a_task_with_many_right_answers_unless_wanted(tmp_path: Path) -> None:
    task = {"type": "reasoning_gym", "task": "n_queens"}
    with pytest.raises(ConfigError, match="srt votes over answers, but n_queens has many right"):
        plan_of(tmp_path, datasets=[task], variants=["srt"])
    assert plan_of(tmp_path, datasets=[task], variants=["gold", "random"]).runs
    assert plan_of(tmp_path, datasets=[task | {"allow_many_answers": True}], variants=["srt"]).runs


def test_models_of_equal_size_and_other_weights_are_other_runs(tmp_path: Path) -> None:
    for name, byte in (("a", b"a"), ("b", b"b")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(byte * (2 << 20))
    models = [{"type": "local", "path": f"./{name}"} for name in "ab"]
    first, second = plan_of(tmp_path, models=models, variants=["srt"]).runs
    assert first.run_id.rsplit("-", 1)[1] != second.run_id.rsplit("-", 1)[1]
    assert first.needs.base_eval != second.needs.base_eval


def test_an_excluded_cell_need_not_fit_together(tmp_path: Path) -> None:
    task = {"type": "reasoning_gym", "task": "n_queens"}
    exclude = [{"dataset": "n_queens", "variant": "srt"}]
    plan = plan_of(tmp_path, datasets=[task], variants=["srt", "gold"], exclude=exclude)
    assert [run.variant_label for run in plan.runs] == ["gold"]


def test_generations_that_end_inside_a_step_are_refused(tmp_path: Path) -> None:
    train = CONTENT["train"] | {"micro_batch_size": 4, "trl": {"steps_per_generation": 1}}
    with pytest.raises(ConfigError, match="must be a multiple of 4"):
        plan_of(tmp_path, train=train)


def test_sixteen_bit_weights_need_a_rate_that_moves_them(tmp_path: Path) -> None:
    model = {"type": "hub", "id": "a/b", "dtype": "bfloat16"}
    train = CONTENT["train"] | {"learning_rate": 1e-6}
    with pytest.raises(ConfigError, match="16-bit weights hardly move"):
        plan_of(tmp_path, models=[model], train=train, variants=["srt"])


def test_an_explicit_null_overrides_a_preset(tmp_path: Path) -> None:
    train = {"steps": 2, "micro_batch_size": None}
    run = plan_of(tmp_path, models=["a/b"], train=train, variants=["srt"]).runs[0]
    assert run.train.micro_batch_size is None


def test_how_often_a_run_is_evaluated_does_not_repeat_the_base_evaluation(tmp_path: Path) -> None:
    plans = [
        plan_of(tmp_path, eval=CONTENT["eval"] | {"every": every}).runs[0] for every in (5, 10)
    ]
    assert plans[0].needs == plans[1].needs
    assert plans[0].run_id != plans[1].run_id


@pytest.mark.parametrize(
    ("trl", "generations"),
    [
        ({}, 20),
        ({"num_iterations": 2}, 10),
        ({"num_iterations": 3}, 7),
        ({"steps_per_generation": 2}, 20),
    ],
)
def test_a_generation_that_several_steps_train_on_is_counted_once(
    tmp_path: Path, trl: dict[str, Any], generations: int
) -> None:
    """20 steps; ``generations`` in units of a step's completions."""
    train = CONTENT["train"] | {"steps": 20, "trl": trl}
    run = plan_sweep(load_sweep(write_sweep(tmp_path, variants=["srt"], train=train))).runs[0]
    evaluated = (len(run.eval_steps) - 1) * run.eval.prompts * run.eval.samples
    per_step = run.train.completions_per_step
    assert estimate(run).rollouts == generations * per_step + evaluated
