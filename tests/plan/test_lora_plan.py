"""What a plan says of `train.lora`: merged, in the run id, costed, refused where it cannot be."""

import sys
from pathlib import Path
from typing import Any

import pytest

from srtbench.config import ConfigError, load_sweep
from srtbench.config.lora import LoraConfig
from srtbench.config.models import TinyModel
from srtbench.models.load import ModelError
from srtbench.models.lora import peft_config, with_adapters
from srtbench.models.tiny import build_tiny
from srtbench.plan import RunSpec, cost, plan_sweep
from srtbench.plan.adapters import adapter_parameters
from tests.chains import write_grid
from tests.micro import CONTENT, write_sweep

TRAIN = CONTENT["train"]

# peft still asks transformers by a name that it has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


def runs_of(folder: Path, variants: list[Any], lora: Any = None, **changes: Any) -> list[RunSpec]:
    train = TRAIN if lora is None else TRAIN | {"lora": lora}
    file = write_sweep(folder, variants=variants, train=train, **changes)
    return list(plan_sweep(load_sweep(file)).runs)


def refusal(folder: Path, lora: Any, **changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        runs_of(folder, ["srt"], lora, **changes)
    return str(caught.value)


def test_sections_merge_and_null_trains_all_weights(tmp_path: Path) -> None:
    variants = [
        "srt",
        {"type": "srt", "name": "strong", "train": {"lora": {"alpha": 64}}},
        {"type": "srt", "name": "full", "train": {"lora": None}},
    ]
    plain, strong, full = runs_of(tmp_path, variants, {"r": 4})
    assert plain.train.lora == LoraConfig(r=4)
    assert strong.train.lora == LoraConfig(r=4, alpha=64)
    assert full.train.lora is None


def test_each_value_is_in_the_run_id_and_none_leaves_older_ids(tmp_path: Path) -> None:
    def run_id(lora: Any) -> str:
        return runs_of(tmp_path, ["srt"], lora)[0].run_id

    changed: list[Any] = [{"r": 8}, {"alpha": 8}, {"dropout": 0.1}, {"targets": ["q_proj"]}]
    ids = [run_id(lora) for lora in (None, {}, *changed, {"rslora": True})]
    assert len(set(ids)) == len(ids)
    full = {"type": "srt", "train": {"lora": None}}
    assert runs_of(tmp_path, [full])[0].run_id == ids[0]
    both = [run_id({"targets": names}) for names in (["q_proj", "v_proj"], ["v_proj", "q_proj"])]
    assert both[0] == both[1]
    assert run_id({"targets": "q_proj"}) == run_id({"targets": ["q_proj"]})


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        ({"r": 0}, "train.lora.r: input should be greater than or equal to 1 (given: 0)"),
        ({"alpha": -1}, "train.lora.alpha: input should be greater than 0"),
        ({"dropout": 1}, "train.lora.dropout: input should be less than 1"),
        ({"rank": 4}, "train.lora.rank: unknown key"),
        ({"targets": []}, "train.lora.targets: "),
        ({"targets": ["q_proj", "q_proj"]}, "'q_proj' is given twice"),
        ({"targets": ["all-linear", "q_proj"]}, "'all-linear' are all there are"),
        (
            {"targets": ["q_proj", "qkv"]},
            "no linear layer 'qkv' besides its output head; it has: q_proj, k_proj, v_proj, "
            "o_proj, gate_proj, up_proj, down_proj",
        ),
        ({"targets": ["lm_head", "embed_tokens"]}, "no linear layer 'embed_tokens' and 'lm_head'"),
        ({"targets": ["layers.9.q_proj"]}, "no linear layer 'layers.9.q_proj'"),
    ],
)
def test_what_a_plan_refuses(tmp_path: Path, lora: Any, message: str) -> None:
    assert message in refusal(tmp_path, lora)


def test_a_folder_of_weights_says_what_it_has(tmp_path: Path) -> None:
    model, tokenizer = build_tiny(TinyModel(num_layers=1))
    model.save_pretrained(tmp_path / "weights")
    tokenizer.save_pretrained(tmp_path / "weights")
    models = [{"type": "local", "path": "./weights"}]
    assert "it has: " in refusal(tmp_path, {"targets": ["c_attn"]}, models=models)
    (run,) = runs_of(tmp_path, ["srt"], {"targets": ["up_proj"]}, models=models)
    assert run.train.lora == LoraConfig(targets=("up_proj",))


def test_without_peft_it_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    assert "train.lora needs the package peft: pip install 'srtbench[lora]'" in refusal(
        tmp_path, {}
    )
    assert runs_of(tmp_path, ["srt"])


def test_a_stage_with_all_weights_and_a_reference_after_adapters_is_refused(tmp_path: Path) -> None:
    stages = [
        {"level": 3, "variant": "srt", "train": {"lora": {}}},
        {"level": 4, "variant": "srt", "train": {"beta": 0.1}},
    ]
    climb = {"type": "curriculum", "name": "climb", "stages": stages}
    with pytest.raises(ConfigError, match=r"without train\.lora after a stage with it"):
        plan_sweep(load_sweep(write_grid(tmp_path, "one", [climb])))


def test_sharded_weights_are_refused_with_what_follows_whole_ones(tmp_path: Path) -> None:
    def problem(variant: Any, **train: Any) -> str:
        sharded = TRAIN | {"num_processes": 2, "trl": {"fsdp": "full_shard"}} | train
        file = write_sweep(tmp_path, variants=[variant], train=sharded)
        with pytest.raises(ConfigError) as caught:
            plan_sweep(load_sweep(file))
        return str(caught.value)

    assert "trl.fsdp with train.lora has never been run" in problem("srt", lora={})
    assert "a copy of the policy" in problem("ema_teacher")
    reason = ".deepspeed: under ZeRO 3 a process holds only its share of the weights"
    zero = {"deepspeed": {"zero_optimization": {"stage": 3}}}
    assert f"trl{reason}" in problem("srt", trl=zero)
    assert f"fit.trl{reason}" in problem("lmsi", trl={}, fit={"trl": zero})


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
@pytest.mark.parametrize("targets", [("all-linear",), ("q_proj", "down_proj")])
def test_adapter_parameters_are_those_of_the_real_model(architecture: Any, targets: Any) -> None:
    config = TinyModel(architecture=architecture, num_layers=2)
    lora = LoraConfig(r=3, targets=targets)
    model, _ = build_tiny(config)
    policy = with_adapters(model, lora, seed=0)
    trained = sum(p.numel() for p in policy.parameters() if p.requires_grad)
    assert adapter_parameters(lora, config, 0, 0) == trained


def test_a_model_that_lacks_a_target_is_named_by_its_modules() -> None:
    model, _ = build_tiny(TinyModel(num_layers=1))
    with pytest.raises(ModelError, match=r"no linear layer 'c_fc'.*it has: q_proj, k_proj"):
        peft_config(model, LoraConfig(targets=("c_fc",)))
    with pytest.raises(ModelError, match="no linear layer 'lm_head' besides its output head"):
        peft_config(model, LoraConfig(targets=("lm_head",)))


def test_adapters_cost_less_memory_and_work(tmp_path: Path) -> None:
    def run(lora: Any, **train: Any) -> RunSpec:
        models = [{"type": "hub", "id": "a/Toy-7B"}]
        changed = TRAIN | {"lora": lora, "trl": {}, "beta": 0.0} | train
        file = write_sweep(tmp_path, models=models, variants=["srt"], train=changed)
        return plan_sweep(load_sweep(file)).runs[0]

    size = cost.Size(7e9, 7e9)
    full, adapters = run(None), run({})
    assert cost.training_flop_per_token(size, full.train) == 8 * 7e9
    assert cost.training_flop_per_token(size, adapters.train) == 6 * 7e9
    assert cost.state_bytes(full, size) == 112e9
    held = cost.state_bytes(adapters, size)
    assert 28e9 < held < 30e9
    assert cost.state_bytes(run({}, beta=0.1), size) == held, "the model is its own reference"
    assert cost.state_bytes(run({"r": 32}), size) - 28e9 == pytest.approx(2 * (held - 28e9))
