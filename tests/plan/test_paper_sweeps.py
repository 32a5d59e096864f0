"""Every committed sweep file loads and plans; those of the paper have its settings."""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from srtbench.cli.plan_text import plan_text
from srtbench.config import ConfigError, load_sweep
from srtbench.plan import Plan, cost, plan_sweep

SWEEPS = Path(__file__).parents[2] / "sweeps"
PRETRAINED = "smollm_cpu.yaml"
FILES = sorted(path for path in SWEEPS.rglob("*.yaml") if path.name != PRETRAINED)
PAPER = sorted((SWEEPS / "paper").glob("*.yaml"))


def plan_of(name: str) -> Plan:
    return plan_sweep(load_sweep(SWEEPS / "paper" / name))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SWEEPS)))
def test_every_sweep_file_loads_and_plans(file: Path) -> None:
    plan = plan_sweep(load_sweep(file))
    assert plan.runs
    on_gpus = "GPU-hours" in plan_text(plan)
    assert on_gpus == any(cost.needs_gpu(run) for run in plan.runs)


def test_the_pretrained_sweep_finds_weights_in_the_clone_and_data_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "clone" / "sweeps" / PRETRAINED
    weights = tmp_path / "clone" / "build" / "smollm2" / "model"
    data = tmp_path / "shared" / "data"
    for folder in (file.parent, weights, data):
        folder.mkdir(parents=True)
    shutil.copy(SWEEPS / PRETRAINED, file)
    with pytest.raises(ConfigError) as caught:
        load_sweep(file)
    named = " ".join(str(problem) for problem in caught.value.problems)
    assert "gsm8k_test.jsonl" in named
    assert "math500.jsonl" in named

    (weights / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    for name in ("gsm8k_test.jsonl", "math500.jsonl"):
        line = '{"question": "One and one?", "answer": "2"}'
        (data / name).write_text(line + "\n")
    plan = plan_sweep(load_sweep(file))
    assert {run.variant_label for run in plan.runs} == {"srt", "gold", "fixed_teacher", "random"}
    assert all(run.train.steps >= 60 for run in plan.runs)
    assert [len(run.further) for run in plan.runs] == [2] * len(plan.runs)


@pytest.mark.parametrize("file", PAPER, ids=lambda file: file.name)
def test_a_paper_file_says_that_it_was_not_run_and_where_it_is_from(file: Path) -> None:
    text = file.read_text()
    assert "NOT RUN HERE: it needs GPUs" in text
    plan = plan_sweep(load_sweep(file))
    assert all(cost.cost(run, cost.Assumptions()) is not None for run in plan.runs)
    for run in plan.runs:
        found = cost.cost(run, cost.Assumptions(gpu="h200"))
        assert found is not None
        assert found.fits, f"{run.run_id} needs {found.gigabytes:.0f} GB of an H200"


def test_the_mathematics_grid_is_the_published_one() -> None:
    plan = plan_of("math.yaml")
    assert len(plan.runs) == 4 * 4 * 3
    assert {run.variant_label for run in plan.runs} == {"srt", "gold", "fixed_teacher"}
    for run in plan.runs:
        train, own = run.train, run.own
        assert (train.algorithm, train.prompts_per_step, train.num_generations) == ("rloo", 16, 32)
        assert (train.beta, train.temperature, train.max_completion_length) == (1e-3, 1.0, 3072)
        assert run.generation is not None
        assert (run.generation.engine, run.generation.max_model_len) == ("vllm", 1024 + 3072)
        assert own.every == 100
        assert [one.label for one in run.further] == ["aime24", "aime25", "amc23", "math-500"]
        for one in run.further:
            assert (one.every, one.on_overlap) == (100, "drop_from_train")
            assert one.sampling.max_completion_length == 3072
            assert one.sampling.temperature == own.sampling.temperature
            assert one.sampling.samples == own.sampling.samples
    settings = {
        run.model_label: (
            run.train.learning_rate,
            run.own.sampling.temperature,
            run.own.sampling.samples,
        )
        for run in plan.runs
    }
    assert settings == {
        "qwen2.5-math-7b": (1e-6, 1.0, 32),
        "qwen3-14b": (1e-6, 1.0, 32),
        "llama-3.1-8b": (1e-7, 0, 1),  # greedy
        "deepseek-math-7b": (1e-7, 0.7, 32),
    }
    starts = {one.needs.start for run in plan.runs for one in run.further}
    assert len(starts) == 4 * 4, "a start model is evaluated once on each set"


@pytest.mark.parametrize(
    ("file", "stages"),
    [
        ("bitwise_arithmetic.yaml", [(2, "gold"), (3, "srt"), (4, "srt")]),
        ("family_relationships.yaml", [(4, "gold"), (5, "srt")]),
        (
            "knights_knaves.yaml",
            [(2, "gold"), (3, "srt"), (5, "srt"), (7, "srt"), (9, "srt")],
        ),
    ],
)
def test_a_curriculum_climbs_as_published(file: str, stages: list[tuple[int, str]]) -> None:
    runs = plan_of(file).runs
    assert [(run.dataset.level, run.variant.type) for run in runs] == stages  # type: ignore[union-attr]
    assert runs[0].starts_from is None
    for before, run in pairwise(runs):
        assert run.starts_from is not None
        assert (run.starts_from.run_id, run.starts_from.rule) == (before.run_id, "last")
    for run in runs:
        train = run.train
        assert (train.algorithm, train.num_generations, run.own.sampling.samples) == (
            "grpo",
            32,
            16,
        )
        assert (train.learning_rate, train.beta) == (1e-6, 1e-4)


def test_the_curricula_together_are_the_three_files() -> None:
    parts = ["bitwise_arithmetic.yaml", "family_relationships.yaml", "knights_knaves.yaml"]
    apart = {run.run_id for part in parts for run in plan_of(part).runs}
    assert {run.run_id for run in plan_of("curricula.yaml").runs} == apart
