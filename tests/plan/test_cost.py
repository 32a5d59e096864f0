"""The cost model: exact on examples worked out by hand, monotone, and silent on tiny models."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from srtbench.cli import main
from srtbench.cli.plan_text import plan_text
from srtbench.cli.run import plan as plan_command
from srtbench.config import load_sweep
from srtbench.config.models import HubModel, LocalModel, TinyModel
from srtbench.plan import RunSpec, cost, plan_sweep
from srtbench.plan.stages import StartModelStage
from tests.micro import CONTENT, MODEL, srtbench, write_sweep

GPU = cost.Gpu("example", 1000, 80, 1.0)
TRAIN = CONTENT["train"] | {"micro_batch_size": 4, "beta": 0.0, "trl": {}}


def run_of(
    folder: Path, name: str = "a/Toy-1B", generation: dict[str, Any] | None = None, **train: Any
) -> RunSpec:
    model = {"type": "hub", "id": name}
    content = {"models": [model], "variants": ["srt"], "train": TRAIN | train}
    content["generation"] = generation or {}
    return plan_sweep(load_sweep(write_sweep(folder, **content))).runs[0]


def cost_of(run: RunSpec, **assumed: Any) -> cost.Cost:
    found = cost.cost(run, cost.Assumptions(**assumed))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "parameters", "active"),
    [
        ("Qwen/Qwen2.5-Math-7B", 7e9, 7e9),
        ("Qwen/Qwen3-14B-Base", 14e9, 14e9),
        ("Qwen/Qwen3-0.6B", 0.6e9, 0.6e9),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", 135e6, 135e6),
        ("EleutherAI/pythia-70m-deduped", 70e6, 70e6),
        ("Qwen/Qwen3-30B-A3B", 30e9, 3e9),
    ],
)
def test_a_name_says_the_size(name: str, parameters: float, active: float) -> None:
    assert cost.model_size(HubModel(id=name)) == cost.Size(parameters, active)


@pytest.mark.parametrize(
    "name", ["a/gpt2", "a/Mixtral-8x7B", "a/mini-128k", "a/distil-70B-to-8B", "a/x-4bit", "7B/x"]
)
def test_a_name_that_does_not_say_it_gives_no_size(name: str) -> None:
    assert cost.model_size(HubModel(id=name)) is None


def test_a_folder_or_its_gguf_file_says_the_size() -> None:
    assert cost.model_size(LocalModel(path="./models/Qwen3-4B/")) == cost.Size(4e9, 4e9)
    gguf = LocalModel(path="./models", gguf_file="SmolLM2-135M-Instruct.Q8_0.gguf")
    assert cost.model_size(gguf) == cost.Size(135e6, 135e6)


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_tiny_parameters_are_those_of_the_real_model(architecture: Any) -> None:
    from srtbench.models.tiny import build_tiny

    config = TinyModel(architecture=architecture, num_layers=2)
    model, _ = build_tiny(config)
    assert cost.tiny_parameters(config) == sum(p.numel() for p in model.parameters())


def test_training_flop_per_token(tmp_path: Path) -> None:
    size = cost.Size(10, 10)
    plain = run_of(tmp_path, trl={"gradient_checkpointing": False}).train
    assert cost.training_flop_per_token(size, plain) == 60
    recomputed = run_of(tmp_path).train
    assert cost.training_flop_per_token(size, recomputed) == 80
    with_reference = run_of(tmp_path, beta=0.1).train
    assert cost.training_flop_per_token(size, with_reference) == 100


def test_state_of_the_zero_paper(tmp_path: Path) -> None:
    """Rajbhandari et al. 2020, figure 1: 7.5B parameters under Adam keep 120 GB, 16 bytes each."""
    size = cost.Size(7.5e9, 7.5e9)
    assert cost.state_bytes(run_of(tmp_path), size) == 120e9
    assert cost.state_bytes(run_of(tmp_path, beta=0.1), size) == 150e9, "and a reference model"


def test_decoding_bound_by_memory() -> None:
    size = cost.Size(12 * 128**2 * 8**3, 12 * 128**2 * 8**3)  # 8 layers of width 1024
    work = cost.Sampling(rollouts=8, parts=2, batch=3, engine="vllm", weight_bytes=2)
    lengths = cost.Lengths(prompt=10, mean=50, limit=100)
    weights = 4 * 100 * size.parameters * 2  # in each part a wave of 3 and one of 1
    keys_values = 8 * 50 * (10 + 25) * (2 * 8 * 1024 * 2)
    expected = (weights + keys_values) / (1e12 * 0.6)
    assert cost.decode_seconds(size, GPU, work, lengths) == pytest.approx(expected)


def test_decoding_bound_by_arithmetic() -> None:
    size = cost.Size(1e9, 1e9)
    work = cost.Sampling(rollouts=1e6, parts=1, batch=10**6, engine="vllm", weight_bytes=2)
    lengths = cost.Lengths(prompt=1, mean=1, limit=1)
    slow = cost.Gpu("slow", 1, 80, 100)
    expected = 2 * 1e9 * 1e6 * 2 / (1e12 * 0.3)
    assert cost.decode_seconds(size, slow, work, lengths) == pytest.approx(expected)


def test_a_run_by_hand(tmp_path: Path) -> None:
    """20 steps of 4 x 4 completions of at most 6 tokens; 2 evaluations of 8 prompts x 4."""
    found = cost_of(run_of(tmp_path), mean_length=0.5, prompt_tokens=7)
    rollouts = 20 * 16 + 2 * 8 * 4
    assert found.prompt_tokens == rollouts * 7
    assert found.completion_tokens == rollouts * 3
    trained = 20 * 16 * (7 + 3) * 8 * 1e9  # 6 and 2 for recomputation
    assert found.flop == pytest.approx(trained + rollouts * (7 + 3) * 2 * 1e9)
    # All 16 of a step, and all 32 of an evaluation, are one wave of 6 tokens: float32 weights.
    layers = (1e9 / (12 * 128**2)) ** (1 / 3)
    keys_values = rollouts * 3 * (7 + 1.5) * 2 * layers * 1024 * 4
    reading = ((20 + 2) * 6 * 4e9 + keys_values) / (3.35e12 * 0.15)
    seconds = trained / (989e12 * 0.3) + reading
    assert found.gpu_hours == pytest.approx(seconds / 3600)
    assert (found.gpus, found.least_gpus, found.fits) == (1, 1, True)
    assert found.gigabytes == pytest.approx(16, rel=0.1)


def test_more_work_never_costs_less(tmp_path: Path) -> None:
    def numbers(found: cost.Cost) -> tuple[float, ...]:
        return (found.flop, found.gpu_hours, found.gigabytes)

    base = cost_of(run_of(tmp_path))
    assert all(
        more > less
        for more, less in zip(
            numbers(cost_of(run_of(tmp_path, "a/Toy-2B"))), numbers(base), strict=True
        )
    )
    for longer in (
        cost_of(run_of(tmp_path, steps=40)),
        cost_of(run_of(tmp_path, max_completion_length=60)),
        cost_of(run_of(tmp_path, beta=0.1)),
        cost_of(run_of(tmp_path), mean_length=0.9),
        cost_of(run_of(tmp_path), prompt_tokens=900),
    ):
        assert longer.flop > base.flop
        assert longer.gpu_hours > base.gpu_hours
        assert longer.gigabytes >= base.gigabytes
    assert cost_of(run_of(tmp_path), gpu="a100").gpu_hours > base.gpu_hours


def test_sharding_divides_the_state_and_names_the_least_gpus(tmp_path: Path) -> None:
    plain = run_of(tmp_path, "a/Toy-7B", num_processes=4)
    fsdp = run_of(tmp_path, "a/Toy-7B", num_processes=4, trl={"fsdp": "full_shard"})
    whole, sharded = cost_of(plain, prompt_tokens=1), cost_of(fsdp, prompt_tokens=1)
    assert whole.gigabytes == pytest.approx(112, rel=0.01)
    assert sharded.gigabytes == pytest.approx(112 / 4 + 28, rel=0.01), "28 GB gathered to sample"
    assert (whole.fits, sharded.fits) == (False, True)
    assert whole.least_gpus == sharded.least_gpus == 3  # 112 / 3 + 28 GB of 0.9 x 80
    assert cost_of(run_of(tmp_path, "a/Toy-70B")).least_gpus is None, "280 GB to gather"


def test_a_fit_holds_what_it_is_compared_with_and_the_epoch_that_is_looked_at(
    tmp_path: Path,
) -> None:
    """Of 1e9 float32 weights: 16 GB of state, 4 for a reference, 4 for the policy of an epoch."""

    def gigabytes(kind: str, **train: Any) -> float:
        model = {"type": "hub", "id": "a/Toy-1B"}
        shared = CONTENT["train"] | {"preset": "srt_math", "max_completion_length": 6}
        shared |= {"fit": {"micro_batch_size": 1}}  # activations of one short text: next to nothing
        content = {"models": [model], "variants": [{"type": kind, "train": train}], "train": shared}
        (run,) = plan_sweep(load_sweep(write_sweep(tmp_path, **content))).runs
        return cost_of(run, prompt_tokens=1).gigabytes

    looking, lora = {"fit": {"keep": "vote_share"}}, {"lora": {"r": 4, "alpha": 8}}
    assert gigabytes("lmsi") == pytest.approx(16, rel=0.1)
    assert gigabytes("lmsi", **looking) - gigabytes("lmsi") == pytest.approx(4, rel=0.15)
    assert gigabytes("scpo") - gigabytes("lmsi") == pytest.approx(4, rel=0.15)
    assert gigabytes("lmsi", **lora) == pytest.approx(4, rel=0.15)
    assert gigabytes("scpo", **lora) - gigabytes("lmsi", **lora) == pytest.approx(4, rel=0.15)


def test_vllm_takes_its_memory_unless_it_sleeps(tmp_path: Path) -> None:
    vllm = {"engine": "vllm", "gpu_memory_utilization": 0.4, "dtype": "bfloat16"}
    transformers = cost_of(run_of(tmp_path))
    awake = cost_of(run_of(tmp_path, generation=vllm))
    asleep = cost_of(run_of(tmp_path, generation=vllm | {"enable_sleep_mode": True}))
    assert awake.gigabytes == pytest.approx(16 + 0.4 * 80, rel=0.01)
    assert asleep.gigabytes == 16 + 0.4 * 80, "activations take turns with it"
    assert asleep.gigabytes < awake.gigabytes
    assert awake.gpu_hours < transformers.gpu_hours


def test_prompts_are_no_longer_than_vllm_lets_them_be(tmp_path: Path) -> None:
    run = run_of(tmp_path, generation={"engine": "vllm", "max_model_len": 56})
    assert cost.mean_prompt(run, cost.Assumptions(prompt_tokens=200)) == 50
    assert cost.mean_prompt(run, cost.Assumptions(prompt_tokens=20)) == 20


def test_the_start_model_and_evaluations_are_sampled_by_the_engine_too(tmp_path: Path) -> None:
    generation = {"engine": "vllm", "gpu_memory_utilization": 0.4, "dtype": "bfloat16"}
    content = {"models": [{"type": "hub", "id": "a/Toy-7B"}], "variants": ["fixed_teacher"]}
    train = TRAIN | {"max_completion_length": 600}
    found = {}
    for engine in ({}, generation):
        config = load_sweep(write_sweep(tmp_path, **content, train=train, generation=engine))
        for stage in plan_sweep(config).stages:
            if isinstance(stage, StartModelStage):
                found[stage.kind, bool(engine)] = cost.cost(stage, cost.Assumptions())
    for kind in ("base_eval", "teacher_labels"):
        slow, fast = found[kind, False], found[kind, True]
        assert slow is not None
        assert fast is not None
        assert fast.gpu_hours < slow.gpu_hours / 4, "half the bytes, four times the bandwidth"
        assert fast.gigabytes == pytest.approx(0.4 * 80)


def test_a_tiny_sweep_says_nothing_of_gpus(tmp_path: Path) -> None:
    text = plan_text(plan_sweep(load_sweep(write_sweep(tmp_path))))
    assert "GPU" not in text
    assert "FLOP" not in text


def test_the_text_marks_every_estimate_and_states_what_it_assumes(tmp_path: Path) -> None:
    models = [MODEL, "a/Toy-70B", "a/no-size"]
    content = {"models": models, "variants": ["fixed_teacher"], "train": TRAIN}
    file = write_sweep(tmp_path, **content)
    arguments = [*("--gpu", "a100"), *("--mean-length", "0.25"), *("--prompt-length", "9")]
    result = CliRunner().invoke(main, ["plan", str(file), *arguments])
    assert result.exit_code == 0, result.output
    text = result.output[result.output.index("what GPUs would do") :]
    rows = [line.split("  ") for line in text.splitlines() if line]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    known = next(row for row in cells if row[0].startswith("Toy-70B-swap"))
    assert known[1:] == ["~70 B", "~3.5 k", "~576", "~2.4e15", "~0.039", "1", "~1.1 k", "none"]
    assert [row[1] for row in cells if row[0].startswith("no-size")] == ["unknown"]
    assert not [row for row in cells if row[0].startswith("tiny")]
    assert "not calibrated" in text
    assert "not counted: 3 of 6" in text
    assert "not on A100 80 GB SXM as written (3 of 6)" in text
    assert "completions ~0.25 of their limit (--mean-length), prompts ~9 tokens" in text


def test_a_sweep_of_unknown_models_says_so_and_no_number(tmp_path: Path) -> None:
    content = {"models": ["a/no-size"], "variants": ["srt"], "train": TRAIN}
    text = plan_text(plan_sweep(load_sweep(write_sweep(tmp_path, **content))))
    assert "not counted: 2 of 2" in text
    assert "~" not in text


def test_the_command_offers_every_gpu() -> None:
    option = next(option for option in plan_command.params if option.name == "gpu")
    assert sorted(option.type.choices) == sorted(cost.GPUS)  # type: ignore[attr-defined]
    defaults = {option.name: option.default for option in plan_command.params}
    assumed = cost.Assumptions(defaults["gpu"], defaults["mean_length"], defaults["prompt_length"])
    assert assumed == cost.Assumptions()


def test_the_documentation_has_the_numbers_of_the_code() -> None:
    text = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    for name, gpu in cost.GPUS.items():
        row = next(
            line for line in text.splitlines() if line.startswith(f"| `{name}` | {gpu.label}")
        )
        assert row.endswith(
            f"| {gpu.tflops:g} TFLOP/s | {gpu.gigabytes:g} GB | {gpu.terabytes_per_second:g} TB/s |"
        )
    assert f"at {cost.TRAIN_UTILISATION * 100:.0f} % of the peak" in text
    vllm, other = (cost.BANDWIDTH_SHARE[name] * 100 for name in ("vllm", "transformers"))
    assert f"{vllm:.0f} % of the bandwidth with vLLM, {other:.0f} % with transformers" in text
    assert f"and {cost.DECODE_UTILISATION * 100:.0f} % of the peak where arithmetic" in text
    assumed = cost.Assumptions()
    assert f"Completions have {assumed.mean_length} of `max_completion_length`" in text
    assert f"prompts {assumed.prompt_tokens} tokens" in text
    assert f"more than {cost.USABLE_MEMORY:.0%}".replace("%", " %") in text


@pytest.mark.parametrize("arguments", [("--mean-length", "0"), ("--gpu", "abacus")])
def test_a_senseless_assumption_is_wrong_input(tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert srtbench("plan", write_sweep(tmp_path), *arguments).returncode == 2


def test_importing_the_model_loads_no_torch() -> None:
    code = (
        "import sys, srtbench.plan.cost, srtbench.cli.plan_text\n"
        "heavy = {'torch', 'trl', 'transformers', 'pandas', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
