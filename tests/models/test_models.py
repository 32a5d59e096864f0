"""Models: the tiny tokenizer and decoder, sampling, loading, and errors that name the model."""

from pathlib import Path

import pytest
import torch

from srtbench.config import load_sweep
from srtbench.config.models import HubModel, LocalModel, TinyModel, WarmStart
from srtbench.engines.base import PromptFormat
from srtbench.engines.transformers import TransformersEngine
from srtbench.models.load import ModelError, convert_gguf, load_policy, uses_chat
from srtbench.models.tiny import build_tiny
from srtbench.models.tokenizer import character_tokenizer
from srtbench.plan import plan_sweep
from srtbench.rollouts import read_rollouts
from srtbench.store import SweepStore
from tests.micro import srtbench, write_sweep

CHAT_TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}="


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an untrained tiny model with a chat template, in the transformers format."""
    folder = tmp_path_factory.mktemp("model")
    config = TinyModel(hidden_size=16, intermediate_size=32, num_layers=1, num_heads=2)
    model, tokenizer = build_tiny(config)
    tokenizer.chat_template = CHAT_TEMPLATE
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_every_character_is_a_token_and_words_win() -> None:
    tokenizer = character_tokenizer("abcdboxe =", ["\\boxed{", "}"], 32)
    ids = tokenizer("ab=\\boxed{ c}")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == ["a", "b", "=", "\\boxed{", " ", "c", "}"]
    assert tokenizer.decode(ids) == "ab=\\boxed{ c}"
    assert tokenizer("z")["input_ids"] == [tokenizer.unk_token_id]


def test_the_tokenizer_is_saved_in_the_usual_files(saved_model: Path) -> None:
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(saved_model)
    assert loaded.decode(loaded("spell\\boxed{x}")["input_ids"]) == "spell\\boxed{x}"
    assert (loaded.pad_token, loaded.eos_token) == ("<pad>", "<eos>")


@pytest.mark.parametrize("architecture", ["qwen3", "llama"])
def test_the_default_tiny_model_has_about_0_2_million_parameters(architecture: str) -> None:
    model, _ = build_tiny(TinyModel(architecture=architecture))  # type: ignore[arg-type]
    assert 0.15e6 < sum(parameter.numel() for parameter in model.parameters()) < 0.25e6


def test_the_warm_start_seed_draws_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        model, _ = build_tiny(TinyModel(warm_start=WarmStart(seed=seed)))
        return next(model.parameters()).detach()

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_sampling_follows_its_seed_and_leaves_no_trace(saved_model: Path) -> None:
    model, tokenizer = load_policy(LocalModel(path=str(saved_model)))
    prompts = [tokenizer(text)["input_ids"] for text in ("ab=", "abcdef=", "a=")]

    def sample(seed: int) -> list[list[str]]:
        groups = TransformersEngine(model, tokenizer, batch_size=6).sample(
            prompts, samples=3, temperature=1.0, max_completion_length=5, seed=seed
        )
        return [[completion.text for completion in group] for group in groups]

    model.train()
    state = torch.random.get_rng_state()
    first = sample(0)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert model.training
    assert first == sample(0)
    assert first != sample(1)
    assert [len(group) for group in first] == [3, 3, 3]


def test_a_completion_without_an_end_token_is_truncated(saved_model: Path) -> None:
    model, tokenizer = load_policy(LocalModel(path=str(saved_model)))
    (group,) = TransformersEngine(model, tokenizer, batch_size=64).sample(
        [tokenizer("a=")["input_ids"]],
        samples=64,
        temperature=1.0,
        max_completion_length=4,
        seed=0,
    )
    for completion in group:
        ended = completion.token_ids[-1] == tokenizer.eos_token_id
        assert completion.truncated != ended
        assert len(completion.token_ids) <= 4


def test_prompts_go_through_the_chat_template_only_where_there_is_one(saved_model: Path) -> None:
    _, tokenizer = load_policy(LocalModel(path=str(saved_model)))
    assert uses_chat(LocalModel(path="."), tokenizer)
    assert not uses_chat(LocalModel(path=".", prompt_format="plain"), tokenizer)
    assert tokenizer.decode(PromptFormat(True).token_ids(tokenizer, "ab")) == "ab="
    assert tokenizer.decode(PromptFormat(False).token_ids(tokenizer, "ab")) == "ab"
    tokenizer.chat_template = None
    with pytest.raises(ModelError, match="has no template"):
        uses_chat(LocalModel(path=".", prompt_format="chat"), tokenizer)


def test_models_that_cannot_be_loaded_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no-such-model' does not exist"):
        load_policy(LocalModel(path=str(tmp_path / "no-such-model")))
    with pytest.raises(ModelError, match=r"model '.*' cannot be loaded"):
        load_policy(LocalModel(path=str(tmp_path)))
    with pytest.raises(ModelError, match=r"no\.gguf' does not exist"):
        convert_gguf(LocalModel(path=str(tmp_path), gguf_file="no.gguf"), tmp_path / "out")


def test_a_gguf_file_is_converted_once_for_all_runs(tmp_path: Path) -> None:
    model = {"type": "local", "path": ".", "gguf_file": "weights.gguf"}
    plan = plan_sweep(load_sweep(write_sweep(tmp_path, models=[model])))
    (stage,) = [stage for stage in plan.stages if stage.kind == "converted_model"]
    assert all(run.needs.start_model == stage.stage_id for run in plan.runs)


def test_a_local_model_with_a_chat_template_trains(saved_model: Path, tmp_path: Path) -> None:
    file = write_sweep(
        tmp_path,
        models=[{"type": "local", "path": str(saved_model), "name": "mine"}],
        variants=["srt"],
        train={
            "preset": "tiny",
            "steps": 2,
            "prompts_per_step": 2,
            "num_generations": 4,
            "max_completion_length": 6,
            "beta": 0.01,
        },
        eval={"every": 2, "prompts": 2, "samples": 2},
    )
    result = srtbench("sweep", file, "--root", tmp_path / "runs")
    assert result.returncode == 0, result.stdout + result.stderr
    (run,) = plan_sweep(load_sweep(file)).runs
    table = read_rollouts(SweepStore(tmp_path / "runs", "micro").run(run.run_id).rollouts_path)
    assert len(table) == 2 * 8 + 2 * 4


def test_hub_models_are_labelled_without_their_owner() -> None:
    assert HubModel(id="Qwen/Qwen3-4B-Base").label == "Qwen3-4B-Base"
